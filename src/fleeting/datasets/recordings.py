"""Long videos of one's own, or synthetic ones, with a table of their events.

``ROOT/recordings.csv`` has the columns ``subject, recording, file, fps``: a video file or a folder of frames, relative to
the root. ``ROOT/events.csv`` has ``subject, recording, onset, offset`` and, where known, ``apex, kind, emotion,
action_units``; frames are 0-based. ``fleeting synth-long`` writes both.
"""

from __future__ import annotations

import csv
from pathlib import Path

from fleeting.clips import KINDS, Clip, Event, Recording, kind_of, open_frames
from fleeting.datasets.base import Dataset, Problem
from fleeting.datasets.long import event_clips
from fleeting.datasets.registry import register_dataset
from fleeting.datasets.sheets import frame_number
from fleeting.errors import ClipReadError, FleetingError, UsageError

__all__ = ["Recordings"]


@register_dataset("recordings")
class Recordings(Dataset):
    """Long videos and a table of their events.

    Parameters
    ----------
    root : str or pathlib.Path
        The folder that holds ``recordings.csv`` and ``events.csv``.

    Raises
    ------
    UsageError
        If there is no such folder, or a table is missing or lacks a column.
    """

    name = "recordings"
    title = "recordings"

    def __init__(self, root: str | Path) -> None:
        super().__init__(root)
        if not self.root.is_dir():
            raise UsageError(f"{self.root}: no such folder; expected one with recordings.csv and events.csv")
        if (self.root / "recordings.json").is_file():
            self.name = "synthetic-long"
        self._videos = _table(self.root / "recordings.csv", ("subject", "recording", "file"))
        self._events = _table(self.root / "events.csv", ("subject", "recording", "onset", "offset"))

    def recordings(self) -> list[Recording]:
        """All usable videos with their events."""
        self.clips()
        return list(self._recordings)

    def _read(self) -> tuple[list[Clip], list[Problem]]:
        self._recordings: list[Recording] = []
        problems: list[Problem] = []

        def problem(row: dict[str, str], reason: str, skipped: bool = True) -> None:
            problems.append(Problem(self.name, row["subject"], row["recording"], reason, skipped))

        listed = {(row["subject"], row["recording"]) for row in self._videos}
        for row in self._events:
            if (row["subject"], row["recording"]) not in listed:
                problem(row, f"line {row['line']} of events.csv is of a video that recordings.csv does not list")
        for video in self._videos:
            try:
                place = self.root / video["file"]
                # A table must not lead out of its folder.
                if not place.resolve().is_relative_to(self.root.resolve()) or not video["file"]:
                    raise UsageError(f"{video['file']!r} is no place below {self.root}")
                frames = open_frames(place)
                fps = float(video.get("fps") or 0) or frames.fps
                if fps is None or not fps > 0:
                    raise UsageError(f"no frames per second; fill in the column fps of line {video['line']}")
            except (ClipReadError, ValueError) as exc:
                problem(video, f"line {video['line']} of recordings.csv: {exc}")
                continue
            events = []
            for row in self._events:
                if (row["subject"], row["recording"]) == (video["subject"], video["recording"]):
                    try:
                        events.append(_event(row, fps, len(frames)))
                    except (FleetingError, ValueError) as exc:
                        problem(row, f"line {row['line']} of events.csv: {exc}")
            events.sort(key=lambda event: event.interval)
            name = (self.name, video["subject"], video["recording"])
            self._recordings.append(Recording(*name, frames, fps, tuple(events)))
        return [clip for recording in self._recordings for clip in event_clips(recording)], problems


def _event(row: dict[str, str], fps: float, length: int) -> Event:
    onset, apex, offset = (frame_number(row.get(name, "")) for name in ("onset", "apex", "offset"))
    known = [frame for frame in (onset, apex, offset) if frame is not None]
    if known and known[-1] >= length:
        raise UsageError(f"frame {known[-1]} lies outside the video's frames 0 to {length - 1}")
    kind = row.get("kind", "").lower()
    if not kind:
        if onset is None or offset is None:
            raise UsageError(f"neither a kind ({' or '.join(KINDS)}) nor both onset and offset, which would tell it")
        kind = kind_of(onset, offset, fps)
    return Event(onset, apex, offset, kind, row.get("emotion") or None, row.get("action_units", ""))


def _table(path: Path, required: tuple[str, ...]) -> list[dict[str, str]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        text = path.read_text(encoding="latin-1")  # older spreadsheet programs
    except OSError as exc:
        raise UsageError(
            f"{path}: cannot be read ({exc.strerror or exc}); expected a table with {', '.join(required)}"
        ) from exc
    lines = text.splitlines()
    header = lines[0] if lines else ""
    reader = csv.reader(lines, delimiter=max(",;\t", key=header.count))
    names = [cell.strip().lower() for cell in next(reader, [])]
    lacking = [name for name in required if name not in names]
    if lacking:
        raise UsageError(f"{path}: no column {' and no column '.join(lacking)} in its first line ({header[:80]!r})")
    rows = []
    for cells in reader:
        if any(cell.strip() for cell in cells):
            row = dict.fromkeys(names, "") | {name: cell.strip() for name, cell in zip(names, cells)}
            rows.append(row | {"line": str(reader.line_num)})
    return rows
