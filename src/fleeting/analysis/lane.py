"""One face through a recording: its motion, its score frame by frame, and its expressions, while frames come in."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from fleeting.analysis.timeline import KEPT_SECONDS, UniformClock
from fleeting.motion import optical_strain
from fleeting.spotting import (
    REGION_NAMES,
    FaceCrop,
    FaceMotion,
    FrameMotion,
    IntervalSettings,
    IntervalSpotter,
    Resumable,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from fleeting.spotting import SpottedEvent

__all__ = ["Lane", "Measured", "ScoreCourse"]

_SKIN = [k for k, name in enumerate(REGION_NAMES) if not name.endswith("eye")]
_DRIFT = 0.05  # as a share of the crop; see FaceMotion.drift


@dataclass(frozen=True)
class Measured:
    """The measurements of one face in one frame: a row of ``frames.csv``.

    Attributes
    ----------
    frame, seconds : int and float
        When.
    row : FrameMotion
        The motion.
    roll : float
        In-plane rotation of the head in radians; positive when the eye on the image's right is lower.
    score : float
        Distance of the three regions that move most from where they are 0.18 s before and after, in pixels of a
        128-pixel face; what the spotter's threshold is for.
    strain : float
        Optical strain of the same motion, mean of the tenth of the face where it is highest.
    """

    frame: int
    seconds: float
    row: FrameMotion
    roll: float = 0.0
    score: float = 0.0
    strain: float = 0.0


class ScoreCourse(Resumable):
    """Scores each frame against those a lag before and after it, so it lags behind."""

    def __init__(self, fps: float) -> None:
        self.lag = max(1, round(IntervalSettings().lag * fps))
        self.kept: list[Measured] = []
        self.next = 0

    def push(self, one: Measured) -> list[Measured]:
        """Take the next frame; returns those that are scored now."""
        if not one.row.valid:
            return [*self.finish(), one]
        done = self.finish() if self.kept and self.kept[-1].row.stretch != one.row.stretch else []
        self.kept.append(one)
        if len(self.kept) - 1 - self.next >= self.lag:
            done.append(self._scored(self.next))
            self.next += 1
        if self.next > self.lag:
            del self.kept[0]
            self.next -= 1
        return done

    def finish(self) -> list[Measured]:
        """Score the frames that were waiting for further ones."""
        done = [self._scored(k) for k in range(self.next, len(self.kept))]
        self.kept, self.next = [], 0
        return done

    def _scored(self, k: int) -> Measured:
        one, before = self.kept[k], self.kept[max(0, k - self.lag)].row
        after = self.kept[min(len(self.kept) - 1, k + self.lag)].row
        bend = (one.row.position - (before.position + after.position) / 2)[_SKIN]
        size = np.sort(np.hypot(bend[:, 0], bend[:, 1]))
        # A cell of the map is an eighth of a 128-pixel face's side of pixels wide.
        cell = 128 / one.row.map.shape[0]
        moved = np.asarray((one.row.map - (before.map + after.map) / 2) / cell, np.float32)
        strain = np.sort(optical_strain(moved).ravel())
        highest = strain[-max(1, len(strain) // 10) :]
        return Measured(one.frame, one.seconds, one.row, one.roll, float(size[-3:].mean()), float(highest.mean()))


@dataclass
class Lane(Resumable):
    """A face that is followed.

    Parameters
    ----------
    number : int
        The face's.
    fps : float
        Frames per second.
    find : callable or None, optional
        Spots the expressions of a table in another way than :func:`~fleeting.spotting.spot_intervals`.
    wait : float, optional
        Seconds; see :class:`~fleeting.spotting.IntervalSpotter`.
    """

    #: Each keeps a state of its own.
    parts: ClassVar[tuple[str, ...]] = ("meter", "clock", "spotter", "course")
    made_anew = (*parts, "find")

    number: int
    fps: float
    find: Callable[..., list[SpottedEvent]] | None = field(default=None, repr=False)
    wait: float = 8.0

    def __post_init__(self) -> None:
        self.meter = FaceMotion(self.fps)
        self.clock = UniformClock(self.fps)
        self.spotter = IntervalSpotter(self.fps, find=self.find, wait=self.wait)
        self.course = ScoreCourse(self.fps)
        #: where the face was: first frame from which it holds, matrix from frame to crop, points in the crop
        self.places: list[tuple[int, NDArray[np.float64] | None, NDArray[np.float64] | None]] = []
        self.seen = 0
        self._roll, self._turned, self._stretch = 0.0, 0.0, -1

    def state(self) -> dict[str, Any]:
        """Give what has to be known to go on with this face."""
        return {**super().state(), **{name: getattr(self, name).state() for name in self.parts}}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a state; see :meth:`fleeting.spotting.Resumable.restore`."""
        super().restore({name: value for name, value in state.items() if name not in self.parts})
        for name in self.parts:
            getattr(self, name).restore(state[name])

    @property
    def drifted(self) -> bool:
        """Tell whether the face has moved within the crop so far that it should be looked for again."""
        return self.meter.drift > _DRIFT

    def push(self, index: int, seconds: float, crop: FaceCrop | None) -> tuple[list[Measured], list[SpottedEvent]]:
        """The next frame. Returns the frames that are done, and events by numbers of the even grid."""
        row = self.meter.push(index, *((None,) if crop is None else (crop.image, crop.matrix, crop.points)))
        self._remember(index, crop)
        self.seen += row.valid
        roll = 0.0
        if crop is not None and row.valid:
            if row.stretch != self._stretch:
                a, b = crop.matrix[0, :2]
                self._roll, self._turned, self._stretch = float(np.arctan2(b, a)), float(row.head[2]), row.stretch
            # The meter gives what a turn moves at half a face's width.
            half = max(float(np.ptp(crop.points[:17, 0])) / 2, 1.0)
            roll = self._roll + (float(row.head[2]) - self._turned) / half
        done = self.course.push(Measured(index, seconds, row, roll))
        events = [event for even in self.clock.push(row, seconds) for event in self.spotter.push(even)]
        return done, events

    def finish(self) -> tuple[list[Measured], list[SpottedEvent]]:
        """Give what was waiting for further frames."""
        return self.course.finish(), self.spotter.finish()

    def place(self, index: int) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
        """Matrix from frame to crop, and points in the crop, of a frame of the last minutes; ``None`` if not there."""
        at = bisect_right(self.places, index, key=lambda item: item[0]) - 1
        if at < 0:
            return None
        _, matrix, points = self.places[at]
        return None if matrix is None or points is None else (matrix, points)

    def _remember(self, index: int, crop: FaceCrop | None) -> None:
        matrix, points = (None, None) if crop is None else (crop.matrix, crop.points)
        if not self.places or self.places[-1][1] is not matrix or self.places[-1][2] is not points:
            self.places.append((index, matrix, points))
            oldest = index - round(KEPT_SECONDS * self.fps)
            while len(self.places) > 1 and self.places[1][0] <= oldest:
                del self.places[0]
