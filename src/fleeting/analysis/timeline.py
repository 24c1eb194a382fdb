"""Times of frames: those of the recording, and the even grid on which expressions are looked for."""

from __future__ import annotations

from bisect import bisect_left
from collections import deque

import numpy as np

from fleeting.spotting import FrameMotion, Resumable

__all__ = ["KEPT_SECONDS", "Timeline", "UniformClock"]

#: Seconds of a recording whose times and places are kept.
KEPT_SECONDS = 120.0
# A hole in time that is longer cannot be filled: what the face did in it is unknown.
_GAP_SECONDS, _GAP_FRAMES = 0.1, 3
_NEAR = 0.3  # frames: how far a time may be from the even grid to count as on it


class Timeline(Resumable):
    """Times of the last minutes' frames.

    Parameters
    ----------
    fps : float
        Frames per second.
    """

    def __init__(self, fps: float) -> None:
        self.first = 0
        self.times: deque[float] = deque(maxlen=max(16, round(KEPT_SECONDS * fps)))

    def push(self, index: int, seconds: float) -> None:
        """The next frame; numbers rise by one."""
        if not self.times:
            self.first = index
        elif len(self.times) == self.times.maxlen:
            self.first += 1
        self.times.append(seconds)

    def frame_at(self, seconds: float) -> int:
        """Number of the frame nearest to a time."""
        at = bisect_left(self.times, seconds)
        around = [k for k in (at - 1, at) if 0 <= k < len(self.times)]
        return self.first + min(around, key=lambda k: abs(self.times[k] - seconds), default=0)

    def seconds_of(self, index: int) -> float:
        """Time of a frame; of the nearest one that is kept."""
        return self.times[min(max(index - self.first, 0), len(self.times) - 1)]


class UniformClock(Resumable):
    """Measurements at even times, whatever the times of the frames: the spotter counts in frames.

    A measurement on the grid is passed on as it is. Between two that are not, it is interpolated linearly.

    Parameters
    ----------
    fps : float
        Frames per second of the grid.
    """

    def __init__(self, fps: float) -> None:
        self.fps = float(fps)
        self.last: FrameMotion | None = None
        self.place = 0.0  # of the last one, in frames of the grid
        self.told = -1

    def push(self, row: FrameMotion, seconds: float) -> list[FrameMotion]:
        """The measurements of the grid that are now known; ``frame`` counts along the grid."""
        place = seconds * self.fps
        nearest = round(place)
        last, before = self.last, self.place
        self.last, self.place = row, place
        joined = last is not None and last.valid and row.valid and last.stretch == row.stretch
        if not joined:
            self.told = max(nearest, self.told + 1)
            return [row._replace(frame=self.told)]
        if nearest <= self.told:
            return []
        first, self.told = self.told + 1, nearest
        if nearest == first and abs(place - nearest) <= _NEAR:
            return [row._replace(frame=nearest)]
        if nearest - first + 1 > max(_GAP_FRAMES, round(_GAP_SECONDS * self.fps)) or place <= before:
            return [row._replace(frame=nearest)]
        assert last is not None
        return [_between(last, row, (k - before) / (place - before), k) for k in range(first, nearest + 1)]


def _between(a: FrameMotion, b: FrameMotion, share: float, frame: int) -> FrameMotion:
    s = np.float32(min(max(share, 0.0), 1.0))
    mixed = [x * (1 - s) + y * s for x, y in ((a.position, b.position), (a.head, b.head), (a.open, b.open))]
    residual = float(a.residual * (1 - s) + b.residual * s)
    return FrameMotion(frame, True, b.stretch, mixed[0], mixed[1], residual, mixed[2], a.map * (1 - s) + b.map * s)
