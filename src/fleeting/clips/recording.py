"""A long recording with the expressions that occur in it: what spotting is about."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fleeting.clips.clip import MOST_FRAMES
from fleeting.clips.frames import check_rate
from fleeting.errors import UsageError, unknown_choice

if TYPE_CHECKING:
    import pandas as pd

    from fleeting.clips.frames import FrameSource

__all__ = ["KINDS", "LONGEST_MICRO", "Event", "Recording", "events_table", "kind_of"]

KINDS = ("micro", "macro")
#: Seconds; a micro-expression lasts no longer (MEGC; Yan et al. 2013).
LONGEST_MICRO = 0.5
EVENT_COLUMNS = (
    "dataset",
    "subject",
    "recording",
    "kind",
    "onset",
    "apex",
    "offset",
    "onset_seconds",
    "offset_seconds",
    "emotion",
    "action_units",
)


def kind_of(onset: int, offset: int, fps: float) -> str:
    """Name the kind of an expression: ``micro`` if it lasts no more than half a second, else ``macro``.

    >>> kind_of(0, 100, fps=200.0), kind_of(0, 101, fps=200.0)
    ('micro', 'macro')
    """
    # Rates such as 29.97 must not turn half a second into a little more.
    return "micro" if (offset - onset) / fps <= LONGEST_MICRO + 1e-9 else "macro"


@dataclass(frozen=True)
class Event:
    """One expression in a recording.

    Parameters
    ----------
    onset, apex, offset : int or None
        0-based frames, the offset included; ``None`` where the coders could not tell.
    kind : str, optional
        ``micro`` or ``macro``.
    emotion : str or None, optional
        The label, in the vocabulary of the data set; ``None`` if there is none.
    action_units : str, optional
        FACS action units as the coders wrote them.

    Raises
    ------
    UsageError
        If the frames are negative, not in order or all unknown, or the kind is neither of the two.
    """

    onset: int | None
    apex: int | None
    offset: int | None
    kind: str = "micro"
    emotion: str | None = None
    action_units: str = ""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise unknown_choice("kind of expression", self.kind, KINDS)
        known = [frame for frame in (self.onset, self.apex, self.offset) if frame is not None]
        if not known or known[0] < 0 or known != sorted(known) or known[-1] > MOST_FRAMES:
            raise UsageError(
                "an event needs 0 <= onset <= apex <= offset (0-based frames, at least one known); found "
                f"{self.onset}, {self.apex}, {self.offset}"
            )

    @property
    def interval(self) -> tuple[int, int]:
        """First and last frame; the apex, or what else is known, stands in for an end that is not."""
        known = [frame for frame in (self.onset, self.apex, self.offset) if frame is not None]
        return known[0], known[-1]


@dataclass(frozen=True)
class Recording:
    """A long video and the expressions that its coders found.

    Parameters
    ----------
    dataset, subject, name : str
        Identify the recording.
    frames : FrameSource
        Source of the frames; they are read when asked for.
    fps : float
        Frames per second.
    events : sequence of Event, optional
        Annotated expressions in order of time; they may overlap.

    Raises
    ------
    UsageError
        If ``subject`` or ``name`` is empty, or ``fps`` is not a number that a camera can have.
    """

    dataset: str
    subject: str
    name: str
    frames: FrameSource
    fps: float
    events: Sequence[Event] = ()

    def __post_init__(self) -> None:
        if not self.subject or not self.name:
            raise UsageError(f"a recording needs a subject and a name; found {self.subject!r} and {self.name!r}")
        check_rate(self.fps, self.key)

    @property
    def key(self) -> str:
        """``dataset/subject/name``."""
        return f"{self.dataset}/{self.subject}/{self.name}"

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return len(self.frames) / self.fps

    def __len__(self) -> int:
        return len(self.frames)


def events_table(recordings: Iterable[Recording]) -> pd.DataFrame:
    """Make a table with one row per annotated event, in the order given.

    Returns
    -------
    pandas.DataFrame
        DataFrame with the columns ``dataset, subject, recording, kind, onset, apex, offset, onset_seconds,
        offset_seconds, emotion, action_units``; the frames are nullable integers.
    """
    import pandas as pd

    rows = []
    for recording in recordings:
        for event in recording.events:
            first, last = event.interval
            times = (event.onset, event.apex, event.offset, first / recording.fps, last / recording.fps)
            place = (recording.dataset, recording.subject, recording.name, event.kind)
            rows.append((*place, *times, event.emotion, event.action_units))
    table = pd.DataFrame(rows, columns=list(EVENT_COLUMNS))
    return table.astype({"onset": "Int64", "apex": "Int64", "offset": "Int64"})
