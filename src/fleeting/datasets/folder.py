"""Any folder of clips with a table: the way to bring one's own data.

Format
    ``ROOT/<subject>/<clip>/`` holds the frames of a clip (jpg, png or bmp, ordered by the last integer in the name), or
    ``ROOT/<subject>/<clip>.mp4`` (or another video format) is the clip. ``ROOT/clips.csv`` has a row per clip with
    the columns ``subject,clip,onset,apex,offset,emotion`` and, if known, ``fps,action_units``; further columns are
    passed over.
    Onset, apex and offset are 0-based indexes into the clip's own frames and may be empty.
Classes
    Whatever the ``emotion`` column says.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from pathlib import Path

from fleeting.clips import VIDEO_SUFFIXES, Clip, FrameFolder, VideoFile
from fleeting.datasets.base import Dataset, Problem
from fleeting.datasets.registry import register_dataset
from fleeting.errors import ClipReadError, UsageError

__all__ = ["Folder"]

REQUIRED = ("subject", "clip")
INDEXES = ("onset", "apex", "offset")


@register_dataset("folder")
class Folder(Dataset):
    """A folder of clips with a CSV.

    Parameters
    ----------
    root : str or pathlib.Path
        The folder.
    table : str or pathlib.Path or None, optional
        The CSV; by default ``clips.csv`` in ``root``, or the only CSV there. Commas, semicolons and tabs separate.
    name : str or None, optional
        Name of the data set in keys and results.

    Raises
    ------
    UsageError
        If the folder or the CSV is missing, or the CSV lacks the columns ``subject`` and ``clip``.
    """

    name = "folder"

    def __init__(self, root: str | Path, *, table: str | Path | None = None, name: str | None = None) -> None:
        super().__init__(root)
        if name is not None:
            self.name = name
        if not self.root.is_dir():
            raise UsageError(self._missing())
        self.csv = self._find_table() if table is None else Path(table)
        if not self.csv.is_file():
            raise UsageError(f"{self.csv}: no such file; expected a CSV with the columns {_wanted()}")

    def _missing(self) -> str:
        found = "is a file" if self.root.exists() else "no such folder"
        return f"{self.root}: {found}; expected a folder of clips with a clips.csv"

    def _find_table(self) -> Path:
        usual = self.root / "clips.csv"
        if usual.is_file():
            return usual
        tables = sorted(p for p in self.root.glob("*.csv") if not p.name.startswith("."))
        if len(tables) == 1:
            return tables[0]
        found = f"{len(tables)} CSV files ({', '.join(p.name for p in tables[:4])})" if tables else "no CSV file"
        raise UsageError(f"{self.root}: {found}; expected one named clips.csv with the columns {_wanted()}")

    def _rows(self) -> Iterator[tuple[int, dict[str, str]]]:
        """Line number and cells of each row that is not blank; names in lower case, values stripped."""
        try:
            text = self.csv.read_text(encoding="utf-8-sig")
        except UnicodeDecodeError:
            text = self.csv.read_text(encoding="latin-1")  # older spreadsheet programs
        except OSError as exc:
            raise UsageError(f"{self.csv}: cannot be read ({exc.strerror or exc})") from exc
        lines = text.splitlines()
        header = lines[0] if lines else ""
        separator = max(",;\t", key=header.count)
        reader = csv.reader(lines, delimiter=separator)
        names = [cell.strip().lower() for cell in next(reader, [])]
        lacking = [c for c in REQUIRED if c not in names]
        if lacking:
            raise UsageError(
                f"{self.csv}: no column {' and no column '.join(lacking)} in its first line ({header[:80]!r}); "
                f"expected {_wanted()}"
            )
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield reader.line_num, {n: c.strip() for n, c in zip(names, cells)}

    def _read(self) -> tuple[list[Clip], list[Problem]]:
        clips: list[Clip] = []
        problems: list[Problem] = []
        seen: dict[tuple[str, str], int] = {}
        for line, row in self._rows():
            subject, clip = row.get("subject", ""), row.get("clip", "")
            where = f"line {line} of {self.csv.name}"
            if not subject or not clip:
                problems.append(Problem(self.name, subject, clip, f"{where} names no subject or no clip"))
                continue
            if (subject, clip) in seen:
                first = seen[subject, clip]
                problems.append(Problem(self.name, subject, clip, f"{where} repeats the clip of line {first}"))
                continue
            seen[subject, clip] = line
            try:
                found = self._clip(subject, clip, row)
            except (_RowError, ClipReadError, UsageError) as exc:
                problems.append(Problem(self.name, subject, clip, f"{where}: {exc}"))
                continue
            clips.append(found)
            last = len(found) - 1
            outside = [f"{k} {getattr(found, k)}" for k in INDEXES if (getattr(found, k) or 0) > last]
            if outside:
                reason = f"{where}: {', '.join(outside)} outside the clip's frames 0 to {last}"
                problems.append(Problem(self.name, subject, clip, reason, skipped=False))
        problems += self._unlisted(set(seen))
        return clips, problems

    def _clip(self, subject: str, clip: str, row: dict[str, str]) -> Clip:
        fps = _number(row.get("fps", ""), "fps")
        if fps is not None and fps <= 0:
            raise _RowError(f"fps {fps:g} is not positive")
        onset, apex, offset = (_index(row.get(k, ""), k) for k in INDEXES)
        known = [v for v in (onset, apex, offset) if v is not None]
        if known != sorted(known):
            raise _RowError(f"onset {onset}, apex {apex}, offset {offset} are not in this order")
        frames = self._frames(subject, clip, fps)
        return Clip(
            dataset=self.name,
            subject=subject,
            name=clip,
            frames=frames,
            fps=fps if fps is not None else frames.fps,
            emotion=row.get("emotion") or None,
            action_units=row.get("action_units", ""),
            onset=onset,
            apex=apex,
            offset=offset,
        )

    def _frames(self, subject: str, clip: str, fps: float | None) -> FrameFolder | VideoFile:
        for name in (subject, clip):
            # A table must not lead out of its folder.
            if name in (".", "..") or "/" in name or "\\" in name:
                raise _RowError(f"{name!r} is no name of a folder")
        folder = self.root / subject / clip
        if folder.is_dir():
            return FrameFolder(folder, fps=fps)
        for path in [folder, *(folder.with_name(clip + suffix) for suffix in VIDEO_SUFFIXES)]:
            if path.is_file():
                return VideoFile(path)
        raise _RowError(
            f"no folder {subject}/{clip} and no video {subject}/{clip}.mp4 (or {', '.join(VIDEO_SUFFIXES[1:4])}, ...)"
        )

    def _unlisted(self, listed: set[tuple[str, str]]) -> list[Problem]:
        subjects = {s for s, _ in listed}
        return [
            Problem(
                self.name,
                subject,
                folder.name,
                f"a folder that {self.csv.name} does not list",
                remedy=f"add a row for it to {self.csv.name}, or nothing if it is not wanted",
                kind="unknown folder",
            )
            for subject in sorted(subjects)
            if (self.root / subject).is_dir() and not {"/", "\\", ".."} & {subject}
            for folder in sorted((self.root / subject).iterdir())
            if folder.is_dir() and not folder.name.startswith(".") and (subject, folder.name) not in listed
        ]


class _RowError(Exception):
    """A row that cannot be used; the message says why."""


def _wanted() -> str:
    return "subject,clip,onset,apex,offset,emotion[,fps,action_units]"


def _number(text: str, name: str) -> float | None:
    if text == "":
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise _RowError(f"{name} is {text!r}, not a number")
    return value


def _index(text: str, name: str) -> int | None:
    value = _number(text, name)
    if value is None:
        return None
    if value != int(value) or value < 0:
        raise _RowError(f"{name} is {text!r}; expected a 0-based frame index or nothing")
    return int(value)
