"""Spotting the expressions of a recording while it is measured, in bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from fleeting.errors import UsageError
from fleeting.spotting.intervals import IntervalSettings, SpottedEvent, spot_intervals
from fleeting.spotting.intervals_motion import FrameMotion, MotionTable
from fleeting.spotting.resumable import Resumable

__all__ = ["IntervalSpotter", "spot_stream"]


class IntervalSpotter(Resumable):
    """Spots expressions while the measurements come in; memory does not grow with the recording.

    An event is told one to two waits after its offset, or when its stretch ends.

    Parameters
    ----------
    fps : float
        Frames per second.
    settings : IntervalSettings or None, optional
        The spotter's settings.
    find : callable or None, optional
        Spots the expressions of a table in another way, for instance ``LearnedSpotter.spot``.
    wait : float, optional
        Seconds that are waited for what follows. From 8 on the events are those of the whole table; a live picture may
        do with 3, at the price of some long macro-expressions.

    Examples
    --------
    >>> spotter = IntervalSpotter(fps=100.0)
    >>> spotter.finish()
    []
    """

    made_anew = ("settings", "_find")

    def __init__(
        self,
        fps: float,
        settings: IntervalSettings | None = None,
        *,
        find: Callable[[MotionTable], list[SpottedEvent]] | None = None,
        wait: float = 8.0,
    ) -> None:
        if not fps > 0:
            raise UsageError(f"frames per second must be positive, found {fps}")
        if not 1 <= wait <= 60:
            raise UsageError(f"a spotter waits 1 to 60 seconds for what follows, found {wait}")
        self.fps = float(fps)
        self.settings = settings or IntervalSettings()
        self._find = find or (lambda table: spot_intervals(table, self.settings))
        self._rows: list[FrameMotion] = []
        self._told = -1  # offset of the last event that was told
        self._wait = max(2, round(wait * fps))
        self._new = 0  # frames since the last decision

    def push(self, row: FrameMotion) -> list[SpottedEvent]:
        """Take the next frame; returns the events that are now certain, mostly none."""
        if self._rows and row.frame <= self._rows[-1].frame:
            raise UsageError(f"frames come in rising order; found {row.frame} after {self._rows[-1].frame}")
        ends = bool(self._rows) and (
            not row.valid or row.stretch != self._rows[-1].stretch or row.frame != self._rows[-1].frame + 1
        )
        told = self._settle(None) if ends else []
        if ends:
            self._rows, self._new = [], 0
        if row.valid:
            self._rows.append(row)
            self._new += 1
        if self._new >= self._wait and len(self._rows) >= 2 * self._wait:
            told += self._settle(self._rows[-1].frame - self._wait)
            self._new = 0
            # What the undecided end is compared with stays.
            del self._rows[: len(self._rows) - 2 * self._wait]
        return told

    def finish(self) -> list[SpottedEvent]:
        """The events that were not yet certain when the recording ended."""
        told = self._settle(None)
        self._rows, self._new = [], 0
        return told

    def _settle(self, until: int | None) -> list[SpottedEvent]:
        if not self._rows:
            return []
        events = self._find(MotionTable.of(self._rows, self.fps))
        chosen = []
        for event in events:
            first, last = event.interval
            if first > self._told and (until is None or last <= until):
                chosen.append(event)
                self._told = last
        return chosen


def spot_stream(
    rows: Iterable[FrameMotion], fps: float, settings: IntervalSettings | None = None
) -> list[SpottedEvent]:
    """Spot the expressions of a stream of measurements of any length; see :class:`IntervalSpotter`."""
    spotter = IntervalSpotter(fps, settings)
    events = [event for row in rows for event in spotter.push(row)]
    return events + spotter.finish()
