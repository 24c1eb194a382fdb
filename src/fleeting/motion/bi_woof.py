"""Bi-WOOF: which way a face moves in each of its parts, weighted by how far and by how much the skin is stretched.

Liong, See, Wong and Phan, *Less is more: micro-expression recognition from video using apex frame*, Signal Processing:
Image Communication 62, 2018. https://arxiv.org/abs/1606.01721
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fleeting.errors import UsageError
from fleeting.motion.flow import optical_strain

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["bi_woof_features"]


def bi_woof_features(
    flow: NDArray[np.float32], *, grid: tuple[int, int] = (5, 5), bins: int = 8
) -> NDArray[np.float32]:
    """Compute bi-weighted histograms of oriented optical flow.

    Each block has a histogram of directions, to which a pixel adds its magnitude (the local weight); it is divided by
    its sum and multiplied by the block's mean optical strain (the global weight). The whole has the length 1, as in the
    authors' published code, so that it says where and in which directions the face moves, not how far.

    Parameters
    ----------
    flow : numpy.ndarray of float32
        ``(H, W, 2)`` from onset to apex, x to the right, then y down.
    grid : tuple of (int, int), optional
        Rows and columns of blocks that do not overlap, as equal as pixels allow.
    bins : int, optional
        Equal parts of the circle; the first begins at -180° (to the left), the others follow towards the top of the
        image, where v is negative.

    Returns
    -------
    numpy.ndarray of float32
        float32 ``(rows * columns * bins,)``, block by block from the top left along the rows; all 0 if nothing is
        stretched.

    Raises
    ------
    UsageError
        If the array is no flow, or blocks or bins are impossible.

    Examples
    --------
    >>> bi_woof_features(np.zeros((10, 10, 2), np.float32)).shape
    (200,)
    """
    if flow.ndim != 3 or flow.shape[2] != 2 or bins < 2 or min(grid) < 1 or any(np.less(flow.shape[:2], grid)):
        raise UsageError(
            f"Bi-WOOF needs a flow (H, W, 2) with at least a pixel for each block, and at least 2 directions; found "
            f"{flow.shape}, a grid of {grid} and {bins} directions"
        )
    height, width = flow.shape[:2]
    u, v = flow[..., 0].astype(np.float64), flow[..., 1].astype(np.float64)
    # 180° is -180°.
    direction = np.floor((np.arctan2(v, u) / (2 * np.pi) + 0.5) * bins).astype(np.int64) % bins
    rows, columns = (np.arange(size) * parts // size for size, parts in zip((height, width), grid))
    block = rows[:, None] * grid[1] + columns[None]
    n_blocks = grid[0] * grid[1]
    histograms = np.bincount(
        (block * bins + direction).ravel(), weights=np.hypot(u, v).ravel(), minlength=n_blocks * bins
    ).reshape(n_blocks, bins)
    total = histograms.sum(1, keepdims=True)
    strain = np.bincount(block.ravel(), weights=optical_strain(flow).ravel()) / np.bincount(block.ravel())
    weighted = np.divide(histograms, total, out=np.zeros_like(histograms), where=total > 0) * strain[:, None]
    length = float(np.linalg.norm(weighted))
    return np.asarray(weighted.ravel() / (length or 1.0), dtype=np.float32)
