"""Expressions that were found in a recording, and the two tables that ``fleeting analyze`` writes."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fleeting.errors import FleetingError
from fleeting.files import write_csv
from fleeting.spotting import REGION_NAMES, SpottedEvent

if TYPE_CHECKING:
    import pandas as pd

    from fleeting.analysis.lane import Measured, Timeline

__all__ = ["EVENT_COLUMNS", "FRAME_COLUMNS", "AnalyzedEvent", "FramesFile", "events_frame", "write_events"]

EVENT_COLUMNS = (
    "event",
    "face_id",
    "onset",
    "apex",
    "offset",
    "onset_s",
    "apex_s",
    "offset_s",
    "duration_s",
    "kind",
    "confidence",
    "strength_px",
    "region",
    "action_units",
    "emotion",
)
#: ``flow_*``: where the skin of a region is against where it was when the face was last lost, cut to or found, in pixels
#: of a 128-pixel face, x to the image's right and y down, the head's motion removed.
FRAME_COLUMNS = (
    "frame",
    "face_id",
    "timestamp",
    "confidence",
    "success",
    "pose_Rz",
    *(f"flow_{name}_{axis}" for name in REGION_NAMES for axis in "xy"),
    "strain",
    "head_x",
    "head_y",
    "score",
)
_RESIDUAL_LIMIT = 1.0  # see IntervalSettings
_BLANKS = "," * (len(FRAME_COLUMNS) - 5)


@dataclass
class AnalyzedEvent:
    """An expression: a row of ``events.csv``.

    Attributes
    ----------
    number : int
        From 1 in the order in which they became certain.
    face_id : int
        Whose.
    onset, apex, offset : int
        0-based frames.
    onset_s, apex_s, offset_s : float
        Their times.
    kind : str
        ``micro`` (at most half a second) or ``macro``.
    confidence : float
        0 to 1, 0.5 at the spotter's threshold; no probability.
    strength_px : float
        Motion at the apex in pixels of a 128-pixel face.
    region : str
        The part of the face that moves most.
    action_units : str
        Where on the face that is, in FACS' terms: a hint, not a coding.
    emotion, probabilities : str and dict of str to float
        Of the recogniser; empty without one.
    notes : list of str
        Why the recogniser did not answer, or what its recipe had to bend.
    """

    number: int
    face_id: int
    onset: int
    apex: int
    offset: int
    onset_s: float
    apex_s: float
    offset_s: float
    kind: str
    confidence: float
    strength_px: float
    region: str
    action_units: str
    emotion: str = ""
    probabilities: dict[str, float] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, number: int, face_id: int, spotted: SpottedEvent, timeline: Timeline, fps: float) -> AnalyzedEvent:
        """From what was spotted on the even grid of ``fps`` to frames and times of the recording."""
        first, last = spotted.interval
        apex = spotted.apex if spotted.apex is not None else first
        onset, apex, offset = (timeline.frame_at(k / fps) for k in (first, apex, last))
        units = spotted.likely_units
        return cls(
            number,
            face_id,
            onset,
            apex,
            offset,
            onset_s=round(timeline.seconds_of(onset), 6),
            apex_s=round(timeline.seconds_of(apex), 6),
            offset_s=round(timeline.seconds_of(offset), 6),
            kind=spotted.kind,
            confidence=round(spotted.confidence, 4),
            strength_px=round(spotted.strength, 4),
            region=spotted.regions[0] if spotted.regions else "",
            action_units=f"{'/'.join(f'AU{unit}' for unit in units)} area" if units else "",
        )

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return dict(vars(self))

    @property
    def title(self) -> str:
        """A few words to be drawn over a picture."""
        share = f" {self.probabilities[self.emotion]:.0%}" if self.emotion in self.probabilities else ""
        return f"{self.kind} {self.emotion}{share}".strip()


def events_frame(events: Sequence[AnalyzedEvent], classes: Sequence[str] = ()) -> pd.DataFrame:
    """Events as a table, a column ``p_<class>`` for each class."""
    import pandas as pd

    rows = []
    for event in sorted(events, key=lambda e: e.number):
        values = vars(event)
        row = {
            **{name: values[name] for name in EVENT_COLUMNS if name in values},
            "event": event.number,
            "duration_s": round(event.offset_s - event.onset_s, 6),
        }
        row |= {f"p_{name}": round(p, 6) for name, p in event.probabilities.items()}
        rows.append(row)
    return pd.DataFrame(rows, columns=[*EVENT_COLUMNS, *(f"p_{name}" for name in classes)])


def write_events(path: Path, events: Sequence[AnalyzedEvent], classes: Sequence[str] = ()) -> Path:
    """Write ``events.csv``, whole or not at all."""
    return write_csv(path, events_frame(events, classes))


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
        row = one.row
        start = f"{one.frame},{face},{one.seconds:.6f}"
        if not row.valid:
            self._file.write(f"{start},0,0{_BLANKS}\n".encode())
            return
        sure = min(max(1 - row.residual / _RESIDUAL_LIMIT, 0.0), 1.0)
        flow = ",".join(["%.4f"] * row.position.size) % tuple(row.position.ravel().tolist())
        self._file.write(
            f"{start},{sure:.4f},1,{one.roll:.5f},{flow},{one.strain:.5f},{row.head[0]:.3f},{row.head[1]:.3f},"
            f"{one.score:.4f}\n".encode()
        )

    def flush(self) -> int:
        """Write what is buffered; returns the size of the file."""
        self._file.flush()
        return self._file.tell()

    def close(self) -> None:
        """Flush and close."""
        self._file.close()
