"""LBP-TOP: local binary patterns on three orthogonal planes of a video, texture in space and in time.

Zhao and Pietikäinen, *Dynamic texture recognition using local binary patterns with an application to facial
expressions*, IEEE TPAMI 29(6), 2007.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fleeting.errors import UsageError
from fleeting.motion.lbp import plane_codes, uniform_labels

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["BINS", "PLANES", "lbp_top_features"]

#: 58 uniform patterns and one bin for the rest.
BINS = 59
#: Which axes of ``(T, H, W)`` span a plane: down, then to the right.
PLANES = {"XY": (1, 2), "XT": (0, 2), "YT": (0, 1)}


def lbp_top_features(
    video: NDArray[np.uint8], *, grid: tuple[int, int] = (5, 5), radii: tuple[int, int, int] = (1, 1, 4)
) -> NDArray[np.float32]:
    """Compute histograms of uniform patterns in the three planes, block by block of the face.

    Patterns are those of pixels whose neighbours all lie inside the video, in all three planes, so that the planes'
    histograms are of the same pixels. Neighbours may lie in the next block. Each histogram is divided by its number of
    pixels, as in the paper, so that videos of any length can be compared.

    Parameters
    ----------
    video : numpy.ndarray of uint8
        Grey ``uint8`` ``(T, H, W)``.
    grid : tuple of (int, int), optional
        Rows and columns of blocks that do not overlap, as equal as pixels allow.
    radii : tuple of (int, int, int), optional
        Radii of the neighbourhood along X, Y and T, in pixels and frames (``R_X, R_Y, R_T`` of the paper).

    Returns
    -------
    numpy.ndarray of float32
        float32 ``(rows * columns * 3 * 59,)``: block by block from the top left along the rows, each with the planes
        XY, XT and YT.

    Raises
    ------
    UsageError
        If the video is none, has fewer than ``2 R + 1`` frames or pixels along an axis, or blocks would be empty.

    Examples
    --------
    >>> lbp_top_features(np.zeros((9, 20, 20), np.uint8)).shape
    (4425,)
    """
    along_x, along_y, along_t = radii
    around = along_t, along_y, along_x
    if video.dtype != np.uint8 or video.ndim != 3 or min(around) < 1 or min(grid) < 1:
        raise UsageError(
            f"LBP-TOP needs a grey uint8 video (T, H, W), radii and blocks of at least 1; found {video.dtype} "
            f"{video.shape}, radii {radii} and a grid of {grid}"
        )
    inner = tuple(size - 2 * radius for size, radius in zip(video.shape, around))
    if min(inner) < 1 or inner[1] < grid[0] or inner[2] < grid[1]:
        least = 2 * along_t + 1, 2 * along_y + grid[0], 2 * along_x + grid[1]
        raise UsageError(
            f"LBP-TOP: found {video.shape[0]} frames of {video.shape[2]}x{video.shape[1]} pixels; radii {radii} and "
            f"{grid[0]}x{grid[1]} blocks need at least {least[0]} frames of {least[2]}x{least[1]}"
        )
    inside = tuple(slice(radius, radius + size) for radius, size in zip(around, inner))
    rows, columns = (_blocks(size, parts) for size, parts in zip(inner[1:], grid))
    block = rows[:, None] * grid[1] + columns[None]
    made = np.empty((grid[0] * grid[1], len(PLANES), BINS))
    for number, (down, right) in enumerate(PLANES.values()):
        labels = uniform_labels()[plane_codes(video, (down, right), (around[down], around[right]))[inside]]
        counts = np.bincount((block * BINS + labels).ravel(), minlength=len(made) * BINS)
        made[:, number] = counts.reshape(len(made), BINS)
    return np.asarray((made / made.sum(axis=2, keepdims=True)).ravel(), dtype=np.float32)


def _blocks(size: int, parts: int) -> NDArray[np.int64]:
    """The part that each of ``size`` places belongs to."""
    return np.asarray(np.arange(size) * parts // size, dtype=np.int64)
