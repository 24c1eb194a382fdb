"""The noun everything else is about: one annotated sample."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fleeting.clips.frames import check_rate
from fleeting.errors import UsageError

if TYPE_CHECKING:
    import pandas as pd

    from fleeting.clips.frames import FrameSource

# More than any recording has; a larger index is a slip, and would not fit where indexes are kept.
MOST_FRAMES = 10**9

TABLE_COLUMNS = (
    "dataset",
    "subject",
    "clip",
    "emotion",
    "action_units",
    "fps",
    "n_frames",
    "onset",
    "apex",
    "offset",
)


@dataclass(frozen=True)
class Clip:
    """One sample of a data set: its frames and what its coders said of them.

    Parameters
    ----------
    dataset, subject, name : str
        Identify the clip; a subject is only unique within its data set.
    frames : FrameSource
        Source of the frames; they are read when asked for.
    fps : float or None, optional
        Frames per second, or ``None`` if nobody knows.
    emotion : str or None, optional
        The label, in the vocabulary of the data set or of a label scheme.
    action_units : str, optional
        FACS action units as the coders wrote them, for instance ``"6+12"``.
    onset, apex, offset : int or None, optional
        0-based indexes into ``frames``; ``None`` where the data set gives none. They may lie outside the clip when the
        annotated frames are missing on disk; what uses them says how it copes.

    Raises
    ------
    UsageError
        If ``subject`` or ``name`` is empty, an index is negative or beyond every recording, or ``fps`` is not a
        number that a camera can have.
    """

    dataset: str
    subject: str
    name: str
    frames: FrameSource
    fps: float | None = None
    emotion: str | None = None
    action_units: str = ""
    onset: int | None = None
    apex: int | None = None
    offset: int | None = None

    def __post_init__(self) -> None:
        if not self.subject or not self.name:
            raise UsageError(f"a clip needs a subject and a name; found {self.subject!r} and {self.name!r}")
        check_rate(self.fps, self.key)
        for what in ("onset", "apex", "offset"):
            value = getattr(self, what)
            if value is not None and not 0 <= value <= MOST_FRAMES:
                raise UsageError(f"{self.key}: {what} is a 0-based frame index, found {value}")

    @property
    def key(self) -> str:
        """``dataset/subject/name``, unique within any composite."""
        return f"{self.dataset}/{self.subject}/{self.name}"

    def __len__(self) -> int:
        return len(self.frames)


def clips_table(clips: Iterable[Clip]) -> pd.DataFrame:
    """Make a table with one row per clip, in the order given; protocols and reports work on it, never on pixels.

    Returns
    -------
    pandas.DataFrame
        DataFrame with the columns ``dataset, subject, clip, emotion, action_units, fps, n_frames, onset, apex,
        offset``. The three indexes are nullable integers.
    """
    import pandas as pd

    rows = [
        (
            c.dataset,
            c.subject,
            c.name,
            c.emotion,
            c.action_units,
            c.fps,
            len(c.frames),
            c.onset,
            c.apex,
            c.offset,
        )
        for c in clips
    ]
    table = pd.DataFrame(rows, columns=list(TABLE_COLUMNS))
    return table.astype({"onset": "Int64", "apex": "Int64", "offset": "Int64", "n_frames": "int64"})
