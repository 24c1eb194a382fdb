"""The motion that a rigid, slightly moving head gives to every place of a face's picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fleeting.faces.regions import BROWS

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["fit_head", "head_basis", "head_flow"]

_ROUNDS = 4  # of re-weighting


def head_basis(x: NDArray[np.float64], y: NDArray[np.float64], points: NDArray[np.float64]) -> NDArray[np.float64]:
    """``(4, ...)``: one, x and y about the face's middle in half widths, and the depth of an ellipsoid through it."""
    half = np.ptp(points[:17, 0]) / 2
    low, high = points[8, 1], points[BROWS, 1].min() - 0.5 * half
    middle_x, middle_y = points[:17, 0].mean(), (low + high) / 2
    u, v = (x - middle_x) / half, (y - middle_y) / half
    tall = max((low - high) / 2 / half, 0.5)
    depth = np.sqrt(np.clip(1 - (u / 1.15) ** 2 - (v / (1.15 * tall)) ** 2, 0.02, None))
    return np.stack([np.ones_like(u), u, v, depth])


def head_flow(basis: NDArray[Any], p: NDArray[np.float64]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Flow of a rigid head: shift, growth, rotation, and turns out of the plane by its depth.

    ``p`` is shift x, shift y, rotation, growth, turn about the vertical and about the horizontal axis; rotation and
    growth in pixels at half a face's width from the middle.
    """
    one, u, v, depth = basis
    a, b, turn, grow, yaw, pitch = (basis.dtype.type(value) for value in p)
    return a * one + grow * u - turn * v + yaw * depth, b * one + turn * u + grow * v + pitch * depth


def fit_head(
    design: NDArray[np.float64], flow: NDArray[np.float64], weight: NDArray[np.float64]
) -> tuple[NDArray[np.float64], float]:
    """The head's motion that explains most of a flow, by iteratively re-weighted least squares (Tukey's biweight).

    The places that move on their own, which are the expression, get no say.
    """
    n = len(weight)
    across, down = design
    # Turns and shifts differ little over the middle of a face: a turn has to be worth it.
    ridge = np.diag([1e-6, 1e-6, 1e-6, 1e-6, 0.02, 0.02]) * n
    w = weight
    p = np.zeros(6)
    middle = 0.0
    for _ in range(_ROUNDS):
        left, right = across * w, down * w
        p = np.linalg.solve(left @ across.T + right @ down.T + ridge, left @ flow[0] + right @ flow[1])
        distance = np.hypot(flow[0] - p @ across, flow[1] - p @ down)
        middle = float(np.partition(distance, n // 2)[n // 2])
        w = weight * np.square(np.clip(1 - np.square(distance / (4.0 * max(middle, 0.02))), 0, 1))
        if w.sum() < 8:
            break
    return p, middle
