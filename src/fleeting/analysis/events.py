"""Expressions that were found in a recording."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fleeting.analysis.annotate import DrawnLabel
from fleeting.records.analysis import EVENT_COLUMNS, EventRow, write_event_rows
from fleeting.spotting import SpottedEvent

if TYPE_CHECKING:
    import pandas as pd

    from fleeting.analysis.timeline import Timeline

__all__ = ["AnalyzedEvent", "EventLog", "events_frame", "write_events"]

_MOST_LABELS = 200


@dataclass(frozen=True)
class AnalyzedEvent:
    """An expression: a row of ``events.csv``.

    Attributes
    ----------
    number : int
        Counted from 1 in the order in which they became certain.
    face_id : int
        Number of the face.
    onset, apex, offset : int
        0-based frames.
    onset_s, apex_s, offset_s : float
        Their times in seconds.
    kind : str
        ``micro`` (at most half a second) or ``macro``.
    confidence : float
        0 to 1, 0.5 at the spotter's threshold; no probability.
    strength_px : float
        Motion at the apex in pixels of a 128-pixel face.
    region : str
        The part of the face that moves most.
    action_units : str
        The place on the face in FACS' terms: a hint, not a coding.
    emotion, probabilities : str and dict of str to float
        The recogniser's answer; empty until it is known.
    notes : list of str
        Reasons why the recogniser did not answer, and what its recipe had to bend.
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
        """Make an event of what was spotted on the even grid of ``fps``, in frames and times of the recording."""
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

    @classmethod
    def from_row(cls, row: EventRow) -> AnalyzedEvent:
        """Make an event of a row of ``events.csv``."""
        apex = row.apex or 0
        return cls(
            row.event,
            row.face_id,
            apex if row.onset is None else row.onset,
            apex,
            apex if row.offset is None else row.offset,
            row.onset_s,
            row.apex_s,
            row.offset_s,
            row.kind,
            row.confidence or 0.0,
            row.strength_px or 0.0,
            row.region,
            row.action_units,
            row.emotion,
            row.probabilities,
        )

    def to_row(self) -> EventRow:
        """Give the event as a row of ``events.csv``."""
        return EventRow(
            event=self.number,
            duration_s=round(self.offset_s - self.onset_s, 6),
            probabilities={name: round(p, 6) for name, p in self.probabilities.items()},
            **{name: getattr(self, name) for name in EVENT_COLUMNS if name not in ("event", "duration_s")},
        )

    def to_dict(self) -> dict[str, Any]:
        """Give the event as JSON-ready values."""
        return dict(vars(self))

    @property
    def title(self) -> str:
        """A few words to be drawn over a picture."""
        share = f" {self.probabilities[self.emotion]:.0%}" if self.emotion in self.probabilities else ""
        return f"{self.kind} {self.emotion}{share}".strip()


class EventLog:
    """Events found so far, shared by the thread that finds them and those that judge and draw them.

    Every read and every change goes through one lock, and what is given out never changes any more.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._events: list[AnalyzedEvent] = []

    def add(self, spotted: SpottedEvent, face: int, timeline: Timeline, fps: float) -> AnalyzedEvent:
        """Add what was spotted; see :meth:`AnalyzedEvent.of`."""
        with self._lock:
            event = AnalyzedEvent.of(len(self._events) + 1, face, spotted, timeline, fps)
            self._events.append(event)
        return event

    def judge(self, number: int, **answer: Any) -> AnalyzedEvent:
        """Give an event its verdict.

        Parameters
        ----------
        number : int
            The event.
        answer : object
            Fields that are known now: ``emotion``, ``probabilities``, ``notes``.

        Returns
        -------
        AnalyzedEvent
            The event with these.
        """
        with self._lock:
            event = self._events[number - 1] = replace(self._events[number - 1], **answer)
        return event

    def events(self) -> tuple[AnalyzedEvent, ...]:
        """Give all events so far, in the order in which they became certain."""
        with self._lock:
            return tuple(self._events)

    def labels(self) -> list[DrawnLabel]:
        """Give the names of the last events, to be drawn while they last."""
        with self._lock:
            last = self._events[-_MOST_LABELS:]
        return [DrawnLabel(e.face_id, e.onset, e.offset, e.kind, e.title) for e in last]

    def state(self) -> list[dict[str, Any]]:
        """Give what has to be known to go on."""
        return [event.to_dict() for event in self.events()]

    def restore(self, state: Sequence[dict[str, Any]]) -> None:
        """Go on from a state."""
        with self._lock:
            self._events = [AnalyzedEvent(**event) for event in state]


def events_frame(events: Sequence[AnalyzedEvent], classes: Sequence[str] = ()) -> pd.DataFrame:
    """Give events as a table, a column ``p_<class>`` for each class."""
    import pandas as pd

    rows = [event.to_row().cells(classes) for event in sorted(events, key=lambda e: e.number)]
    return pd.DataFrame(rows, columns=[*EVENT_COLUMNS, *(f"p_{name}" for name in classes)])


def write_events(path: Path, events: Sequence[AnalyzedEvent], classes: Sequence[str] = ()) -> Path:
    """Write ``events.csv``, whole or not at all."""
    return write_event_rows(path, [event.to_row() for event in sorted(events, key=lambda e: e.number)], classes)
