"""The places of the face that the spotters from the literature look at, as boxes drawn from the 68 landmarks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from fleeting.errors import UsageError
from fleeting.faces import Box, region_box

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["FIVE_REGIONS", "MEASURING_POINTS", "boxes_around", "eyes_and_mouth"]

#: Where micro-expressions are measured: each place is the mean of its landmarks. Left and right are the person's own.
MEASURING_POINTS: Mapping[str, tuple[int, ...]] = {
    "right brow, outer": (17, 18),
    "right brow, inner": (20, 21),
    "left brow, inner": (22, 23),
    "left brow, outer": (25, 26),
    "nose, right": (31,),
    "nose, left": (35,),
    "mouth, right corner": (48,),
    "mouth, upper lip": (51, 62),
    "mouth, left corner": (54,),
    "chin": (57, 8),
}

#: The five regions of RHOOF: both brows, the nose, both corners of the mouth.
FIVE_REGIONS: Mapping[str, tuple[int, ...]] = {
    "right brow": (17, 18, 19, 20, 21),
    "left brow": (22, 23, 24, 25, 26),
    "nose": (30, 31, 33, 35),
    "right corner of the mouth": (48,),
    "left corner of the mouth": (54,),
}


def boxes_around(
    landmarks: NDArray[np.float64],
    places: Mapping[str, tuple[int, ...]],
    shape: tuple[int, int],
    *,
    size: float,
) -> dict[str, Box]:
    """Square boxes around places of the face, as far as the image goes.

    Parameters
    ----------
    landmarks : numpy.ndarray of float64
        ``(68, 2)`` in pixels of the image.
    places : mapping
        Name to the landmarks whose mean is the centre.
    shape : tuple of (int, int)
        Height and width of the image.
    size : float
        Side of a box in inter-ocular distances.

    Raises
    ------
    UsageError
        If a box lies outside the image.
    """
    points = np.asarray(landmarks, dtype=np.float64)
    half = size * float(np.linalg.norm(points[42:48].mean(0) - points[36:42].mean(0))) / 2
    limit = np.array([shape[1], shape[0]]) - 1
    boxes = {}
    for name, members in places.items():
        centre = points[list(members)].mean(0)
        left, top = (int(v) for v in np.clip(np.floor(centre - half), 0, limit))
        right, bottom = (int(v) for v in np.clip(np.ceil(centre + half), 0, limit))
        if right <= left or bottom <= top:
            raise UsageError(
                f"{name} lies outside an image of {shape[1]}x{shape[0]} pixels; expected landmarks in pixels of the image"
            )
        boxes[name] = Box(left, top, right, bottom)
    return boxes


def eyes_and_mouth(landmarks: NDArray[np.float64], shape: tuple[int, int]) -> dict[str, Box]:
    """Each eye with its brow, and the mouth: the three regions of Liong et al. (2015)."""
    return {name: region_box(landmarks, name, shape) for name in ("right-eye", "left-eye", "mouth")}
