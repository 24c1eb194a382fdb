"""When a micro-expression begins, peaks and ends, and how it moves in between."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fleeting.errors import UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Timing", "draw_timing", "intensity_profile"]

# Seconds. Onset to offset stays under 0.28 s, well inside the half second that defines a micro-expression (Yan et al.
# 2013), and onset to apex takes 14 to 27 frames at 200 frames per second.
LEAD = (0.020, 0.050)
RISE = (0.070, 0.135)
FALL = (0.090, 0.145)
CLIP = 0.34
LONGEST_LEAD = 0.16  # of a clip that was asked to be longer than usual the expression may begin anywhere


@dataclass(frozen=True)
class Timing:
    """Onset (the last still frame), apex and offset (the first still frame again), as 0-based indexes."""

    onset: int
    apex: int
    offset: int

    def __post_init__(self) -> None:
        if not 0 <= self.onset < self.apex < self.offset:
            raise UsageError(
                f"expected 0 <= onset < apex < offset, found {self.onset}, {self.apex}, {self.offset} (0-based frames)"
            )


def draw_timing(rng: np.random.Generator, fps: float, n_frames: int | None = None) -> tuple[Timing, int]:
    """Draw onset, apex and offset for a frame rate, and the number of frames of the clip.

    Durations are drawn in seconds and then rounded, so the same expression takes half as many frames at half the rate;
    at very low rates a flank takes at least one frame.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of chance.
    fps : float
        Frames per second.
    n_frames : int or None, optional
        Frames of the clip; by default 0.34 s. A clip much longer than that has its expression anywhere.

    Raises
    ------
    UsageError
        If the clip is too short to hold a micro-expression at this rate.
    """
    lead, rise, fall, place = rng.uniform(*LEAD), rng.uniform(*RISE), rng.uniform(*FALL), rng.random()
    up, down = max(1, round(rise * fps)), max(1, round(fall * fps))
    first = max(1, round(lead * fps))
    if n_frames is None:
        n_frames = max(round(CLIP * fps), first + up + down + 2)
    room = n_frames - 1 - up - down
    if room < 0:
        need = 1 + max(1, round(RISE[1] * fps)) + max(1, round(FALL[1] * fps))
        raise UsageError(
            f"{n_frames} frames at {fps:g} frames per second last {n_frames / fps:.2f} s: too short for a "
            f"micro-expression; use at least {need} frames, or give the timing yourself"
        )
    onset = min(first, room)
    if room - first > LONGEST_LEAD * fps:
        onset = first + int(place * (room - first))
    return Timing(onset, onset + up, onset + up + down), n_frames


def _minimum_jerk(x: NDArray[np.float64]) -> NDArray[np.float64]:
    x = np.clip(x, 0.0, 1.0)
    return np.asarray(x**3 * (10 - 15 * x + 6 * x**2))


def intensity_profile(n_frames: int, timing: Timing, skew: float = 1.0) -> NDArray[np.float64]:
    """Intensity ``s(t)``: 0 up to the onset, 1 at the apex and nowhere else, 0 again from the offset on.

    Both flanks are minimum-jerk curves, ``x^3 (10 - 15 x + 6 x^2)`` (Flash & Hogan 1985), the smoothest path
    between two rests; ``skew`` above 1 makes the fall leave the apex faster.

    Parameters
    ----------
    n_frames : int
        Length of the result; a timing that runs past it is cut off.
    timing : Timing
        See :class:`Timing`.
    skew : float, optional
        Exponent of the falling flank's time, positive.

    Returns
    -------
    numpy.ndarray of float64
        float64 array of shape ``(n_frames,)`` in ``[0, 1]``.

    Examples
    --------
    >>> intensity_profile(6, Timing(1, 3, 5)).tolist()
    [0.0, 0.0, 0.5, 1.0, 0.5, 0.0]
    """
    t = np.arange(n_frames, dtype=np.float64)
    up = _minimum_jerk((t - timing.onset) / (timing.apex - timing.onset))
    down = _minimum_jerk(np.clip((timing.offset - t) / (timing.offset - timing.apex), 0, 1) ** skew)
    return np.where(t <= timing.apex, up, down)
