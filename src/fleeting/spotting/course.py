"""The course of an expression in time: a score for each frame, and what is read from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fleeting.errors import UsageError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["ApexSpot", "peak_near", "smooth", "smoothing_width", "spot_in"]


@dataclass(frozen=True)
class ApexSpot:
    """The frame in which the face is farthest from how it looked at the start.

    Attributes
    ----------
    apex : int
        0-based index of the frame.
    onset : int
        The last frame before the apex at which the score is still near its start; never after the apex.
    indexes : numpy.ndarray of int64
        int64 ``(T,)``, the frames that were compared.
    scores : numpy.ndarray of float64
        float64 ``(T,)``, how far each of them is from the first, in the method's own unit, smoothed where the method
        smooths. For ours that is the mean flow magnitude over the tenth of the face that moves most, in pixels (of a
        128-pixel face if a clip was spotted).
    """

    apex: int
    onset: int
    indexes: NDArray[np.int64]
    scores: NDArray[np.float64]

    @property
    def strength(self) -> float:
        """The highest score above the lowest, in the unit of ``scores``."""
        return float(self.scores.max() - self.scores.min())


def smooth(scores: NDArray[np.float64], width: int) -> NDArray[np.float64]:
    """Moving average over ``width`` frames (made odd), edges repeated; the same length."""
    width = max(1, int(width)) | 1
    width = min(width, len(scores) if len(scores) % 2 else max(1, len(scores) - 1))
    padded = np.pad(np.asarray(scores, dtype=np.float64), width // 2, mode="edge")
    return np.convolve(padded, np.ones(width) / width, mode="valid")


def smoothing_width(fps: float | None) -> int:
    """Frames in 25 ms, at least 3; 5 if the frame rate is unknown."""
    return 5 if fps is None else max(3, round(0.025 * fps))


def peak_near(scores: NDArray[np.float64], start: int, reach: int) -> int:
    """The frame at the top of the parabola through the scores around a maximum.

    A maximum is flat, so that noise moves the highest score by frames; a fit over its surroundings moves less.

    Parameters
    ----------
    scores : numpy.ndarray of float64
        One per frame, not smoothed.
    start : int
        The frame of the maximum, as far as it is known.
    reach : int
        Frames on each side that the parabola is fitted to; below 2 nothing is gained and ``start`` is returned.

    Returns
    -------
    int
        A frame at most ``reach`` from ``start``; ``start`` itself where the scores do not bend down.
    """
    low, high = max(0, start - reach), min(len(scores), start + reach + 1)
    if reach < 2 or high - low < 4:
        return start
    bend, slope, _ = np.polyfit(np.arange(low, high) - start, np.asarray(scores, dtype=np.float64)[low:high], 2)
    if bend >= 0:
        return start
    return int(np.clip(round(start - slope / (2 * bend)), low, high - 1))


def spot_in(scores: ArrayLike, apex: int | None = None) -> ApexSpot:
    """Read apex and onset from scores.

    Parameters
    ----------
    scores : ArrayLike
        One per frame, at least one.
    apex : int or None, optional
        0-based; the highest score's frame if not given.

    Raises
    ------
    UsageError
        If there are no scores, one of them is no number, or the apex is none of the frames.
    """
    values = np.asarray(scores, dtype=np.float64)
    if values.ndim != 1 or len(values) == 0:
        raise UsageError(f"an apex needs at least one frame, found {'none' if values.size == 0 else values.shape}")
    if not np.isfinite(values).all():
        raise UsageError(f"scores must be numbers; found {values[~np.isfinite(values)][0]}")
    at = int(np.argmax(values)) if apex is None else int(apex)
    if not 0 <= at < len(values):
        raise UsageError(f"the apex must be one of the {len(values)} frames; found {at}")
    before = values[: at + 1]
    quiet = np.flatnonzero(before <= before.min() + 0.2 * (values[at] - before.min()))
    return ApexSpot(at, int(quiet[-1]) if len(quiet) else at, np.arange(len(values)), values)
