"""Long videos of one's own, or synthetic ones, with a table of their events.

``ROOT/recordings.csv`` has the columns ``subject, recording, file, fps``: a video file or a folder of frames, relative to
the root. ``ROOT/events.csv`` has ``subject, recording, onset, offset`` and, where known, ``apex, kind, emotion,
action_units``; frames are 0-based. ``fleeting synth-long`` writes both.
"""

from __future__ import annotations

from pathlib import Path

from fleeting.clips import KINDS, Clip, Event, FrameFolder, Recording, VideoFile, kind_of, open_frames
from fleeting.clips.frames import check_rate, is_file
from fleeting.datasets.base import Dataset
from fleeting.datasets.exploring import list_folder
from fleeting.datasets.long import event_clips
from fleeting.datasets.problems import Problem
from fleeting.datasets.registry import register_dataset
from fleeting.datasets.sheets import frame_number
from fleeting.datasets.text_tables import SheetError, named_rows, read_text_table
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
        list_folder(self.root, "one with recordings.csv and events.csv")
        if is_file(self.root / "recordings.json"):
            self.name = "synthetic-long"
        self._damaged: list[str] = []
        self._videos = _table(self.root / "recordings.csv", ("subject", "recording", "file"), self._damaged)
        self._events = _table(self.root / "events.csv", ("subject", "recording", "onset", "offset"), self._damaged)

    def recordings(self) -> list[Recording]:
        """List all usable videos with their events."""
        self.clips()
        return list(self._recordings)

    def read_clips(self) -> tuple[list[Clip], list[Problem]]:
        """Read the tables: a clip of each event, and what is wrong with their rows and on disk."""
        self._recordings: list[Recording] = []
        problems = [Problem(self.name, "", "", reason) for reason in self._damaged]
        listed = {(row["subject"], row["recording"]) for row in self._videos}
        for row in self._events:
            if (row["subject"], row["recording"]) not in listed:
                reason = f"line {row['line']} of events.csv is of a video that recordings.csv does not list"
                problems.append(self._problem(row, reason))
        for video in self._videos:
            try:
                frames, fps = self._open(video)
                events = self._events_of(video, fps, len(frames), problems)
                name = (self.name, video["subject"], video["recording"])
                self._recordings.append(Recording(*name, frames, fps, tuple(events)))
            except (ClipReadError, ValueError) as exc:
                problems.append(self._problem(video, f"line {video['line']} of recordings.csv: {exc}"))
        return [clip for recording in self._recordings for clip in event_clips(recording)], problems

    def _open(self, video: dict[str, str]) -> tuple[FrameFolder | VideoFile, float]:
        place = self.root / video["file"]
        try:
            inside = bool(video["file"]) and place.resolve().is_relative_to(self.root.resolve())
        except (OSError, RuntimeError, ValueError) as exc:
            # A link to itself, or a name that no file has.
            raise UsageError(f"{video['file']!r} cannot be looked at ({exc})") from exc
        # A table must not lead out of its folder.
        if not inside:
            raise UsageError(f"{video['file']!r} is no place below {self.root}")
        frames = open_frames(place)
        fps = float(video.get("fps") or 0) or frames.fps
        if fps is None or not fps > 0:
            raise UsageError(f"no frames per second; fill in the column fps of line {video['line']}")
        check_rate(fps, place)
        return frames, fps

    def _events_of(self, video: dict[str, str], fps: float, length: int, problems: list[Problem]) -> list[Event]:
        events = []
        for row in self._events:
            if (row["subject"], row["recording"]) == (video["subject"], video["recording"]):
                try:
                    events.append(_event(row, fps, length))
                except (FleetingError, ValueError) as exc:
                    problems.append(self._problem(row, f"line {row['line']} of events.csv: {exc}"))
        return sorted(events, key=lambda event: event.interval)

    def _problem(self, row: dict[str, str], reason: str) -> Problem:
        return Problem(self.name, row["subject"], row["recording"], reason)


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


def _table(path: Path, required: tuple[str, ...], problems: list[str]) -> list[dict[str, str]]:
    columns = ", ".join(required)
    try:
        rows = list(named_rows(read_text_table(path), required, columns))
    except SheetError as exc:
        raise UsageError(f"{exc}{'' if columns in str(exc) else f' with {columns}'}") from exc
    problems += [f"line {row.line} of {path.name} {row.odd}" for row in rows if not row.usable]
    return [row.cells | {"line": str(row.line)} for row in rows if row.usable]
