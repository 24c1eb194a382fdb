"""The folder that an analysis writes: who may write there, and every file in it."""

from __future__ import annotations

import io
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from fleeting.analysis.events import AnalyzedEvent, write_events
from fleeting.analysis.snapshot import read_snapshot, write_snapshot
from fleeting.errors import FleetingError, UsageError
from fleeting.records import claim_folder
from fleeting.records.analysis import AnalysisHead, AnalysisSettings, frame_columns, read_events
from fleeting.spotting import REGION_NAMES

if TYPE_CHECKING:
    from fleeting.analysis.lane import Measured

__all__ = ["FRAME_COLUMNS", "FramesFile", "ResultFolder"]

HEAD, EVENTS, FRAMES, SNAPSHOT, PARTS = "analysis.json", "events.csv", "frames.csv", "resume.npz", "annotated_parts"
FRAME_COLUMNS = frame_columns(REGION_NAMES)
_RESIDUAL_LIMIT = 1.0  # see IntervalSettings
_BLANKS = "," * (len(FRAME_COLUMNS) - 5)

#: What a folder holds of an analysis: nothing, a head alone, a state to go on from, or all of it.
Held = Literal["new", "begun", "partial", "complete"]


class ResultFolder:
    """The files of one analysis.

    Parameters
    ----------
    path : str or os.PathLike
        The folder.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)

    def claim(self, settings: AnalysisSettings, *, resume: bool, live: bool) -> Held:
        """Take the folder for an analysis.

        Parameters
        ----------
        settings : AnalysisSettings
            The choices of this analysis.
        resume : bool
            If True, an analysis with the same choices is gone on with.
        live : bool
            If True, the recording is gone once it was read.

        Raises
        ------
        UsageError
            If it holds another analysis or other files, or there is nothing to resume.
        RecordError
            If the head of the analysis in it is damaged.
        """
        if resume and not (self.path / HEAD).is_file():
            raise UsageError(f"{self.path}: no analysis to go on with; leave --resume out to begin one")
        # A kill may come between the first file and the head.
        if not claim_folder(self.path, HEAD, unfinished=(FRAMES, PARTS)):
            return "new"
        if not resume:
            raise UsageError(f"{self.path}: holds an analysis; pass --resume to go on with it, or choose another --out")
        if live:
            raise UsageError("what a camera or a stream showed is gone and cannot be resumed; choose another --out")
        head = AnalysisHead.read(self.path / HEAD)
        there, now = head.settings.model_dump(), settings.model_dump()
        differing = sorted(name for name in now if there[name] != now[name])
        if differing:
            shown = "; ".join(f"{name}: {there[name]!r} there, {now[name]!r} now" for name in differing)
            raise UsageError(
                f"{self.path}: holds another analysis ({shown}). Ask for the same to resume it, or choose another --out"
            )
        if head.complete:
            # A kill may have come between the last head and the tidying.
            self.clear_unfinished()
            return "complete"
        return "partial" if (self.path / SNAPSHOT).is_file() else "begun"

    @property
    def parts(self) -> Path:
        """The folder of the annotated video's parts."""
        return self.path / PARTS

    @property
    def strips(self) -> Path:
        """The folder of the events' film strips."""
        return self.path / "strips"

    def read(self) -> tuple[AnalysisHead, tuple[AnalyzedEvent, ...]]:
        """Read the head and the events of a finished analysis.

        Raises
        ------
        RecordError
            If one of them is damaged.
        """
        rows = read_events(self.path / EVENTS)
        return AnalysisHead.read(self.path / HEAD), tuple(AnalyzedEvent.from_row(row) for row in rows)

    def write_head(self, head: AnalysisHead) -> None:
        """Write ``analysis.json``."""
        head.write(self.path / HEAD)

    def write_events(self, events: Sequence[AnalyzedEvent], classes: Sequence[str]) -> None:
        """Write ``events.csv``."""
        write_events(self.path / EVENTS, events, classes)

    def frames_file(self, keep: int | None) -> FramesFile:
        """Open ``frames.csv``; see :class:`FramesFile`."""
        return FramesFile(self.path / FRAMES, keep)

    def write_snapshot(self, content: dict[str, Any]) -> None:
        """Write the state from which the analysis can go on."""
        write_snapshot(self.path / SNAPSHOT, content)

    def read_snapshot(self) -> dict[str, Any]:
        """Read the state from which the analysis can go on.

        Raises
        ------
        FleetingError
            If it is damaged.
        """
        content = read_snapshot(self.path / SNAPSHOT)
        if not isinstance(content, dict):
            raise FleetingError(
                f"{self.path / SNAPSHOT}: holds no state; analyze the recording again into a new folder"
            )
        return content

    def clear_unfinished(self) -> None:
        """Remove what only served to go on."""
        (self.path / SNAPSHOT).unlink(missing_ok=True)
        shutil.rmtree(self.parts, ignore_errors=True)


class FramesFile:
    """``frames.csv``, appended to while frames come in; whole rows are on disk after :meth:`flush`.

    Parameters
    ----------
    path : str or os.PathLike
        The file.
    keep : int or None, optional
        Bytes of an earlier run to keep; ``None`` to begin anew.
    """

    def __init__(self, path: str | os.PathLike[str], keep: int | None = None) -> None:
        self.path = Path(path)
        try:
            if keep is not None and self.path.stat().st_size < keep:
                raise FleetingError(
                    f"{self.path}: shorter than when the analysis was stopped; analyze the recording again"
                )
            self._file: io.BufferedRandom | io.BufferedWriter
            if keep is None:
                self._file = self.path.open("wb")
                self._file.write((",".join(FRAME_COLUMNS) + "\n").encode())
            else:
                self._file = self.path.open("r+b")
                self._file.truncate(keep)
                self._file.seek(keep)
        except OSError as exc:
            raise FleetingError(f"{self.path}: cannot be written ({exc.strerror or exc})") from exc

    def add(self, face: int, one: Measured) -> None:
        """Append a row."""
        try:
            self._file.write(self._line(face, one).encode())
        except OSError as exc:
            raise self._unwritten(exc) from exc

    def _line(self, face: int, one: Measured) -> str:
        row = one.row
        start = f"{one.frame},{face},{one.seconds:.6f}"
        if not row.valid:
            return f"{start},0,0{_BLANKS}\n"
        sure = min(max(1 - row.residual / _RESIDUAL_LIMIT, 0.0), 1.0)
        flow = ",".join(["%.4f"] * row.position.size) % tuple(row.position.ravel().tolist())
        return (
            f"{start},{sure:.4f},1,{one.roll:.5f},{flow},{one.strain:.5f},{row.head[0]:.3f},{row.head[1]:.3f},"
            f"{one.score:.4f}\n"
        )

    def flush(self) -> int:
        """Write what is buffered, and return the size of the file.

        Raises
        ------
        FleetingError
            If the disk is full or the file gone.
        """
        try:
            self._file.flush()
            return self._file.tell()
        except OSError as exc:
            raise self._unwritten(exc) from exc

    def close(self) -> None:
        """Flush and close."""
        try:
            self._file.close()
        except OSError as exc:
            raise self._unwritten(exc) from exc

    def _unwritten(self, exc: OSError) -> FleetingError:
        return FleetingError(
            f"{self.path}: cannot be written ({exc.strerror or exc}); free some space, then go on with --resume"
        )
