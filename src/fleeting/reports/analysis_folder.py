"""Reading the folder of an analyzed recording as it is found: whole, partial, or damaged in places.

Only ``analysis.json`` must be there and whole. ``frames.csv`` has a row per frame, a million for an hour of a high-speed
camera: it is read line by line, and three numbers of each row are kept.
"""

from __future__ import annotations

import csv
import math
from array import array
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fleeting.records import RecordError
from fleeting.records import analysis as records
from fleeting.records.analysis import AnalysisHead, AnalysisSource
from fleeting.reports.reading import FolderReader, as_number, read_head

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

__all__ = ["PICTURES", "AnalysisData", "Course", "EventRow", "is_analysis", "read_analysis"]

#: The strips of an event: what their files' names end in.
PICTURES = ("", "_magnified", "_explain")
HEAD = "analysis.json"


@dataclass(frozen=True)
class EventRow:
    """One expression that was found. Times are in seconds; NaN and ``None`` stand for what is not recorded."""

    number: int
    face: str
    kind: str
    onset: int | None
    apex: int | None
    offset: int | None
    onset_s: float
    apex_s: float
    offset_s: float
    confidence: float
    strength: float
    region: str
    action_units: str
    emotion: str
    probabilities: dict[str, float]

    @property
    def duration(self) -> float:
        """Seconds from onset to offset."""
        return self.offset_s - self.onset_s


@dataclass(frozen=True)
class Course:
    """One face over time, a value per frame in which it was looked for.

    Attributes
    ----------
    face : str
        Its number, as text.
    time : array
        Seconds.
    score : array
        The spotter's score; NaN where it gave nothing.
    seen : array
        1 where the face was found.
    """

    face: str
    time: array[float] = field(default_factory=lambda: array("d"))
    score: array[float] = field(default_factory=lambda: array("f"))
    seen: array[int] = field(default_factory=lambda: array("b"))


@dataclass(frozen=True)
class AnalysisData:
    """The content of the folder of an analyzed recording, in plain values."""

    path: Path
    head: AnalysisHead
    events: list[EventRow]
    courses: list[Course]
    problems: list[str] = field(default_factory=list)

    @property
    def source(self) -> AnalysisSource:
        """Facts about the recording."""
        return self.head.source

    @property
    def partial(self) -> bool:
        """Tell whether the analysis was stopped before the end of the recording."""
        return not self.head.complete

    @property
    def duration(self) -> float:
        """Seconds of the recording, or as many as are known of; NaN if there are none."""
        stated = as_number(self.source.duration_s)
        if not stated > 0:
            stated = as_number(self.source.n_frames) / (self.source.fps or math.nan)
        ends = [course.time[-1] for course in self.courses if len(course.time)]
        ends += [event.offset_s for event in self.events]
        known = [end for end in (stated, *ends) if math.isfinite(end) and end > 0]
        return max(known, default=math.nan)

    def picture(self, event: EventRow, which: str) -> Path | None:
        """A strip of an event, if it is there."""
        file = self.path / "strips" / f"event_{event.number:04d}{which}.png"
        return file if file.is_file() else None


def is_analysis(folder: str | os.PathLike[str]) -> bool:
    """Tell whether a folder holds an analyzed recording."""
    return (Path(folder) / "analysis.json").exists()


def read_analysis(folder: str | os.PathLike[str]) -> AnalysisData:
    """Read the folder of an analyzed recording.

    Parameters
    ----------
    folder : str or os.PathLike
        The ``--out`` folder of ``fleeting analyze``, finished or not.

    Raises
    ------
    NotARunError
        If there is no ``analysis.json``, or it is damaged or of another format.
    """
    path = Path(folder)
    head, problems = AnalysisHead.salvage(read_head(path, HEAD), path / HEAD)
    rows = FolderReader(path, problems).table("events.csv", ["event", "onset_s", "apex_s", "offset_s"])
    events = [event for event in map(_event, rows) if event is not None]
    if len(events) < len(rows):
        problems.append(f"events.csv: {len(rows) - len(events)} rows have no number or no times and are left out.")
    twice = sorted(number for number, count in Counter(event.number for event in events).items() if count > 1)
    if twice:
        problems.append(f"events.csv lists event {twice[0]} {'and others ' * (len(twice) > 1)}more than once.")
    events.sort(key=lambda event: (event.onset_s, event.number))
    courses = _courses(path / "frames.csv", problems)
    return AnalysisData(path, head, events, courses, problems)


def _event(row: dict[str, str]) -> EventRow | None:
    try:
        found = records.EventRow.parse({name: cell.strip() for name, cell in row.items() if cell.strip()}, "events.csv")
    except RecordError:
        return None
    return EventRow(
        found.event,
        str(found.face_id),
        found.kind or "unnamed",
        found.onset,
        found.apex,
        found.offset,
        found.onset_s,
        found.apex_s,
        found.offset_s,
        as_number(found.confidence),
        as_number(found.strength_px),
        found.region,
        found.action_units,
        found.emotion,
        found.probabilities,
    )


def _courses(file: Path, problems: list[str]) -> list[Course]:
    courses: dict[str, Course] = {}
    broken = 0
    if file.exists() and not file.is_file():
        # A pipe would wait for ever.
        problems.append("frames.csv is no file, so the timeline shows the events alone.")
        return []
    try:
        with file.open(encoding="utf-8-sig", errors="replace", newline="") as lines:
            rows = _rows(lines)
            names = [name.strip() for name in next(rows, [])]
            where = {name: names.index(name) for name in ("timestamp", "score", "face_id", "success") if name in names}
            if "timestamp" not in where:
                problems.append("frames.csv lacks the column timestamp.")
                return []
            for row in rows:
                if len(row) != len(names):
                    broken += 1
                    continue
                time = as_number(row[where["timestamp"]])
                if not math.isfinite(time):
                    broken += 1
                    continue
                face = (row[where["face_id"]].strip() if "face_id" in where else "") or "0"
                course = courses.setdefault(face, Course(face))
                course.time.append(time)
                course.score.append(as_number(row[where["score"]]) if "score" in where else math.nan)
                course.seen.append("success" not in where or as_number(row[where["success"]]) > 0)
    except FileNotFoundError:
        problems.append("frames.csv is missing, so the timeline shows the events alone.")
    except OSError as error:
        problems.append(f"frames.csv cannot be read ({error.strerror or error}).")
    except csv.Error as error:
        problems.append(f"frames.csv is damaged after {sum(len(one.time) for one in courses.values())} rows ({error}).")
    # A kill may cut the last row.
    if broken > 1:
        problems.append(f"frames.csv is damaged: {broken} rows are not whole and left out.")
    return list(courses.values())


def _rows(lines: Any) -> Iterator[list[str]]:
    return (row for row in csv.reader(lines) if row)
