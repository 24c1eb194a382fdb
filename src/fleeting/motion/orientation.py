"""Which way a region moves, and how far: histograms of oriented optical flow.

Chaudhry, Ravichandran, Hager and Vidal, *Histograms of oriented optical flow and Binet-Cauchy kernels on nonlinear
dynamical systems for the recognition of human actions*, CVPR 2009.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fleeting.errors import UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["main_direction", "oriented_histogram"]


def oriented_histogram(flow: NDArray[np.float32], bins: int = 8) -> NDArray[np.float64]:
    """Measure how much of a region moves in each direction, in pixels.

    Not scaled to sum to 1 as the paper does it to recognise actions: that would throw away how far things move. Nor are
    left and right put together.

    Parameters
    ----------
    flow : numpy.ndarray of float32
        ``(H, W, 2)`` in pixels.
    bins : int, optional
        Directions, at least 2; the first is centred on the right, the others follow towards the bottom.

    Returns
    -------
    numpy.ndarray of float64
        float64 ``(bins,)``: the length of all vectors of a direction over the number of all pixels, so that the sum is
        the mean magnitude.

    Raises
    ------
    UsageError
        For fewer than 2 directions, or an array that is no flow.
    """
    turn, length = _turns(flow, bins)
    return np.asarray(np.bincount(turn, weights=length, minlength=bins) / max(1, len(turn)), dtype=np.float64)


def main_direction(flow: NDArray[np.float32], bins: int = 8) -> tuple[float, float]:
    """Find the direction in which a region moves most, and how far it moves in it.

    Parameters
    ----------
    flow, bins : numpy.ndarray of float32 and int, optional
        See :func:`oriented_histogram`.

    Returns
    -------
    tuple of (float, float)
        The mean direction of the strongest bin's vectors in radians, counted from the right towards the bottom, and
        that bin's height in pixels.
    """
    turn, length = _turns(flow, bins)
    sums = np.bincount(turn, weights=length, minlength=bins)
    strongest = int(np.argmax(sums))
    u, v = flow.reshape(-1, 2)[turn == strongest].astype(np.float64).sum(0)
    return float(np.arctan2(v, u)), float(sums[strongest] / max(1, len(turn)))


def _turns(flow: NDArray[np.float32], bins: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The bin and the length of each vector."""
    if bins < 2 or flow.ndim != 3 or flow.shape[2] != 2:
        raise UsageError(f"expected a flow (H, W, 2) and at least 2 directions; found {flow.shape} and {bins}")
    u, v = flow.reshape(-1, 2).astype(np.float64).T
    turn = np.floor((np.arctan2(v, u) / (2 * np.pi) + 0.5 / bins) * bins).astype(np.int64) % bins
    return turn, np.hypot(u, v)
