"""The base of the data sets of long videos: many events per video, and videos without any."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from fleeting.clips import Clip, Event, FrameFolder, FrameSlice, Recording
from fleeting.datasets.disk import UNPACK, ReleasedDataset, Row
from fleeting.datasets.exploring import Place
from fleeting.datasets.problems import Problem
from fleeting.datasets.registry import open_dataset
from fleeting.datasets.sheets import frame_number
from fleeting.errors import ClipReadError, EmptyClipError, UsageError
from fleeting.renamed import adopt_renamed_methods

__all__ = ["EventRow", "LongDataset", "load_recordings"]

# Seconds of the recording before and after an event that its clip holds.
LEAD = 1.0


@dataclass(frozen=True)
class EventRow:
    """An event as the annotation has it; frame numbers are those in the frames' names, as text.

    Attributes
    ----------
    where : str
        For messages, as in ``row 17 of SAMM_LongVideos_V2_Release.xlsx``.
    video : str
        Key of the video, as :meth:`~fleeting.datasets.disk.ReleasedDataset.find_clip` makes it.
    kind : str
        ``micro`` or ``macro``.
    frames : dict of str to str
        ``onset``, ``apex``, ``offset``.
    """

    where: str
    subject: str
    video: str
    kind: str
    emotion: str | None = None
    action_units: str = ""
    frames: dict[str, str] = field(default_factory=dict)


class LongDataset(ReleasedDataset):
    """A data set of long videos: :meth:`recordings` for spotting, :meth:`clips` for recognition.

    A clip is one event with a second of the recording before and after it, named by the video and the event's number.
    """

    #: events of the complete release by kind, as far as they are known
    known_events: dict[str, int]
    #: if True, videos that the annotation does not name belong to the set
    unannotated = True
    variants: Sequence[str] = ("raw",)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        adopt_renamed_methods(cls, {"_event_rows": "read_events"})

    def read_events(self, problems: list[Problem]) -> list[EventRow] | None:
        """Read the annotated events.

        Parameters
        ----------
        problems : list of Problem
            Faults of the annotation are added here.

        Returns
        -------
        list of EventRow or None
            ``None`` where the annotation is missing.
        """
        raise NotImplementedError

    def recordings(self) -> list[Recording]:
        """List all usable videos with their events, in order of subject and name; frames are read when asked for."""
        self.clips()
        return list(self._recordings)

    def layout(self) -> dict[str, str]:
        """Say in which places its parts were found, and how many events there are."""
        events = [event for recording in self.recordings() for event in recording.events]
        parts = []
        for kind, known in self.known_events.items():
            found = sum(event.kind == kind for event in events)
            parts.append(f"{found} {kind} (complete: {known})")
        return {**super().layout(), "videos": str(len(self.recordings())), "events": ", ".join(parts)}

    def read_rows(self, problems: list[Problem]) -> list[Row] | None:
        """Read the annotated clips; ``None`` where the annotation is missing."""
        raise NotImplementedError("a long data set has events, not one row per clip")

    def read_clips(self) -> tuple[list[Clip], list[Problem]]:
        """Read the annotations: all usable clips, and what is wrong on disk."""
        self._recordings: list[Recording] = []
        problems: list[Problem] = []
        rows = self.read_events(problems)
        folders = self.folders()
        if rows is None:
            return [], problems
        if not folders:
            reason = f"the annotation lists {len(rows)} events, but none of their videos is there"
            remedy = f"unpack the frames below {self.root}, so that there is for instance {self.expected}"
            return [], [*problems, Problem(self.name, "", "", reason, True, remedy, "no frames")]
        by_video: dict[str, list[EventRow]] = {}
        for row in rows:
            by_video.setdefault(row.video, []).append(row)
        for key, listed in sorted(by_video.items()):
            if key not in folders:
                reason = f"the annotation has {len(listed)} events of it ({listed[0].where}), but its folder is missing"
                remedy = "unpack the missing videos again from the release"
                problems.append(Problem(self.name, listed[0].subject, key, reason, True, remedy, "missing clip"))
        for key, place in sorted(folders.items()):
            if key in by_video or self.unannotated:
                self._add(key, place, by_video.get(key, []), problems)
        strangers = () if self.unannotated else by_video
        problems += [p for p in self.unlisted_folders(folders, strangers or folders) if p.kind != "unknown folder"]
        return [clip for recording in self._recordings for clip in event_clips(recording)], problems

    def _add(self, key: str, place: Place, rows: list[EventRow], problems: list[Problem]) -> None:
        subject = self.subject_of[place.path]
        try:
            frames = FrameFolder(place.path, fps=self.fps)
        except ClipReadError as exc:
            reason = f"its folder {place.path} holds no images" if isinstance(exc, EmptyClipError) else str(exc)
            problems.append(Problem(self.name, subject, key, reason, True, UNPACK, "missing clip"))
            return
        if frames.gaps:
            runs = ", ".join(f"{a}" if a == b else f"{a}-{b}" for a, b in frames.gaps[:6])
            reason = f"missing between the first frame and the last: {runs}"
            problems.append(Problem(self.name, subject, key, reason, False, UNPACK, "missing frames"))
        events = [event for row in rows if (event := self._event(row, subject, key, frames, problems)) is not None]
        events.sort(key=lambda event: event.interval)
        self._recordings.append(Recording(self.name, subject, key, frames, self.fps, tuple(events)))

    def _event(
        self, row: EventRow, subject: str, key: str, frames: FrameFolder, problems: list[Problem]
    ) -> Event | None:
        def problem(reason: str, skipped: bool, kind: str = "annotation") -> None:
            remedy = UNPACK if kind == "missing frames" else "compare with the release's own spreadsheet"
            problems.append(Problem(self.name, subject, key, f"{row.where} {reason}", skipped, remedy, kind))

        numbers: dict[str, int | None] = {}
        for name in ("onset", "apex", "offset"):
            try:
                number = frame_number(row.frames.get(name, ""))
            except ValueError:
                problem(f"says {name} {row.frames[name]!r}, which is no frame number", False)
                number = None
            # Both releases write 0 for what is not known; their frames are counted from 1.
            numbers[name] = number or None
        known = [number for number in numbers.values() if number is not None]
        if not known:
            problem("gives neither onset nor apex nor offset; the event is left out", True)
            return None
        onset, apex, offset = numbers["onset"], numbers["apex"], numbers["offset"]
        if known != sorted(known):
            if onset is not None and offset is not None and onset <= offset:
                problem(f"has the apex {apex} outside {onset} to {offset}; the apex is left out", False)
                apex = None
            else:
                problem(f"has the onset {onset}, apex {apex} and offset {offset}; the event is left out", True)
                return None
        first, last = int(frames.numbers[0]), int(frames.numbers[-1])
        known = [number for number in (onset, apex, offset) if number is not None]
        if known[-1] < first or known[0] > last:
            problem(f"has an event in frames {known[0]} to {known[-1]}, the video has {first} to {last}", True)
            return None
        if known[0] < first or known[-1] > last:
            problem(f"has an event in frames {known[0]} to {known[-1]}; it is cut to {first} to {last}", False)
            apex = apex if apex is not None and first <= apex <= last else None

        def at(number: int | None) -> int | None:
            return None if number is None else frames.index_of(number)

        return Event(at(onset), at(apex), at(offset), row.kind, row.emotion, row.action_units)


def event_clips(recording: Recording) -> list[Clip]:
    """Cut a clip of each event, with a second before and after it."""
    lead = round(LEAD * recording.fps)
    clips = []
    for number, event in enumerate(recording.events, start=1):
        first, last = event.interval
        start, stop = max(0, first - lead), min(len(recording), last + lead + 1)
        times = (None if frame is None else frame - start for frame in (event.onset, event.apex, event.offset))
        name = f"{recording.name}_{event.kind}_{number:02d}"
        frames = FrameSlice(recording.frames, start, stop)
        about = (event.emotion, event.action_units)
        clips.append(Clip(recording.dataset, recording.subject, name, frames, recording.fps, *about, *times))
    return clips


def load_recordings(specs: Sequence[str]) -> list[Recording]:
    """Load the long videos of one data set, or of several, given as ``KIND:PATH``.

    Raises
    ------
    UsageError
        If there is none, one cannot be opened, or a data set has no long videos.
    """
    if isinstance(specs, str):
        specs = [specs]
    found: list[Recording] = []
    for spec in specs:
        dataset = open_dataset(spec)
        read = getattr(dataset, "recordings", None)
        recordings = [] if read is None else read()
        if not recordings:
            reasons = "; ".join(str(problem) for problem in dataset.problems[:3])
            why = reasons or "it holds short clips; samm-long, casme-squared, smic-hs-e and recordings hold long ones"
            raise UsageError(f"{spec}: no long video ({why})")
        found += recordings
    keys = [recording.key for recording in found]
    twice = sorted({key for key in keys if keys.count(key) > 1})
    if not found or twice:
        raise UsageError(
            f"recordings need keys of their own; twice: {', '.join(twice[:3])}" if twice else "no data set"
        )
    return found
