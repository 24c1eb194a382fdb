"""The parts of a face whose motion is told apart, and where they lie."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fleeting.faces.regions import LEFT_EYE, RIGHT_EYE

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["EYES", "N_REGIONS", "REGION_NAMES", "REGION_UNITS", "SKIN", "region_weights"]

_REACH = 0.15  # radius of a region in inter-ocular distances

#: Region -> landmarks whose mean is its middle, and a shift in inter-ocular distances, x (outwards) and y (down).
_PLACES: dict[str, tuple[tuple[int, ...], float, float]] = {
    "right-brow-outer": ((18,), 0.0, -0.06),
    "right-brow-inner": ((20, 21), 0.0, -0.06),
    "left-brow-inner": ((22, 23), 0.0, -0.06),
    "left-brow-outer": ((25,), 0.0, -0.06),
    "forehead": ((21, 22), 0.0, -0.30),
    "right-nose": ((31, 29), 0.12, 0.0),
    "left-nose": ((35, 29), 0.12, 0.0),
    "right-cheek": ((40, 41), 0.12, 0.38),
    "left-cheek": ((46, 47), 0.12, 0.38),
    "right-mouth": ((48,), 0.06, 0.0),
    "left-mouth": ((54,), 0.06, 0.0),
    "upper-lip": ((51,), 0.0, -0.08),
    "lower-lip": ((57,), 0.0, 0.06),
    "chin": ((8,), 0.0, -0.18),
    "right-eye": ((36, 37, 38, 39, 40, 41), 0.0, 0.0),
    "left-eye": ((42, 43, 44, 45, 46, 47), 0.0, 0.0),
}
#: The regions, in the order of all arrays.
REGION_NAMES = tuple(_PLACES)
#: Action units that show in a region, commonest first: a likely reading, not a coding.
REGION_UNITS: dict[str, tuple[str, ...]] = {
    "right-brow-outer": ("2", "4"),
    "right-brow-inner": ("1", "4"),
    "left-brow-inner": ("1", "4"),
    "left-brow-outer": ("2", "4"),
    "forehead": ("1", "2", "4"),
    "right-nose": ("9", "10"),
    "left-nose": ("9", "10"),
    "right-cheek": ("6", "12"),
    "left-cheek": ("6", "12"),
    "right-mouth": ("12", "14", "15", "20"),
    "left-mouth": ("12", "14", "15", "20"),
    "upper-lip": ("10", "25", "24"),
    "lower-lip": ("25", "26", "23"),
    "chin": ("17", "26"),
    "right-eye": ("5", "7", "45"),
    "left-eye": ("5", "7", "45"),
}
N_REGIONS = len(REGION_NAMES)
SKIN = slice(0, N_REGIONS - 2)
EYES = slice(N_REGIONS - 2, N_REGIONS)


def region_weights(
    points: NDArray[np.float64], x: NDArray[np.float64], y: NDArray[np.float64], inside: NDArray[np.float32]
) -> NDArray[np.float64]:
    """``(16, cells)``: the share of each cell in the mean over a region. Cells of the eyes count for the eyes alone."""
    distance = float(np.linalg.norm(points[LEFT_EYE].mean(0) - points[RIGHT_EYE].mean(0)))
    eyes = np.zeros(len(x), dtype=bool)
    rows = []
    for name in reversed(REGION_NAMES):
        marks, out, down = _PLACES[name]
        side = -1.0 if name.startswith("right") else 1.0 if name.startswith("left") else 0.0
        centre = points[list(marks)].mean(0) + distance * np.array([side * out, down])
        near = ((x - centre[0]) ** 2 + (y - centre[1]) ** 2) / (_REACH * distance) ** 2
        share = np.exp(-0.5 * near) * (near < 6)
        if name.endswith("eye"):
            eyes |= near < 1.7
        else:
            share = share * ~eyes * (inside > 0.3)
        if share.sum() < 1e-3:
            share = np.exp(-0.5 * near)
        rows.append(share / max(float(share.sum()), 1e-12))
    return np.stack(rows[::-1])
