"""Masks and regions of the face, drawn from the 68 landmarks.

Left and right are the person's own: the right eye is the one on the image's left.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fleeting.errors import UsageError, unknown_choice
from fleeting.faces.detector import Box

if TYPE_CHECKING:
    from numpy.typing import NDArray

JAW, BROWS, NOSE, EYES, MOUTH = slice(0, 17), slice(17, 27), slice(27, 36), slice(36, 48), slice(48, 68)
RIGHT_EYE, LEFT_EYE = slice(36, 42), slice(42, 48)
RIGHT_BROW, LEFT_BROW = slice(17, 22), slice(22, 27)

#: Landmarks of the regions that can be cut.
REGIONS: dict[str, tuple[slice, ...]] = {
    "right-eye": (RIGHT_BROW, RIGHT_EYE),
    "left-eye": (LEFT_BROW, LEFT_EYE),
    "eyes": (BROWS, EYES),
    "mouth": (MOUTH,),
}


def face_mask(
    landmarks: NDArray[np.float64], shape: tuple[int, int], *, forehead: float = 0.35, eyes: bool = False
) -> NDArray[np.bool_]:
    """Cover the face: the landmarks' hull, extended over the brows, without the eyes unless asked for.

    The eyes are left out because a blink moves more than any micro-expression.

    Parameters
    ----------
    landmarks : numpy.ndarray of float64
        ``(68, 2)`` in pixels of the image.
    shape : tuple of (int, int)
        Height and width of the mask.
    forehead : float, optional
        Reach of the hull above the brows, in inter-ocular distances.
    eyes : bool, optional
        Keep the eyes in.

    Returns
    -------
    numpy.ndarray of bool
        bool array of shape ``shape``.
    """
    import cv2

    points = np.asarray(landmarks, dtype=np.float64)
    distance = float(np.linalg.norm(points[LEFT_EYE].mean(0) - points[RIGHT_EYE].mean(0)))
    raised = points[BROWS] - [0, forehead * distance]
    hull = cv2.convexHull(np.vstack([points, raised]).astype(np.float32)).round().astype(np.int32)
    mask = np.zeros(shape, np.uint8)
    cv2.fillConvexPoly(mask, hull, 1)
    if not eyes:
        for eye in (RIGHT_EYE, LEFT_EYE):
            centre = points[eye].mean(0)
            # Lids and lashes move too, so the hole is larger than the eye.
            grown = centre + (points[eye] - centre) * [1.35, 2.6]
            cv2.fillConvexPoly(mask, cv2.convexHull(grown.astype(np.float32)).round().astype(np.int32), 0)
    return mask.astype(bool)


def fill_eyes(
    image: NDArray[np.uint8], landmarks: NDArray[np.float64], *, level: int = 0, grow: float = 1.0
) -> NDArray[np.uint8]:
    """Cover both eyes with the polygons of their landmarks.

    Parameters
    ----------
    image : numpy.ndarray of uint8
        ``uint8`` ``(H, W)`` or ``(H, W, 3)``; it is left as it is.
    landmarks : numpy.ndarray of float64
        ``(68, 2)`` in pixels of the image.
    level : int, optional
        Grey level of the cover.
    grow : float, optional
        Size of the polygons about their centres; 1 is the lids' edge.

    Returns
    -------
    numpy.ndarray of uint8
        A copy of the image, covered.
    """
    import cv2

    points = np.asarray(landmarks, dtype=np.float64)
    covered = np.array(image, dtype=np.uint8)
    for eye in (RIGHT_EYE, LEFT_EYE):
        centre = points[eye].mean(0)
        polygon = (centre + (points[eye] - centre) * grow).round().astype(np.int32)
        cv2.fillPoly(covered, [polygon], (level,) * 3, cv2.LINE_AA)
    return covered


def region_box(
    landmarks: NDArray[np.float64],
    region: str,
    shape: tuple[int, int],
    *,
    margin: float = 0.15,
    aspect: float | None = None,
) -> Box:
    """Find the box of a region, in whole pixels inside the image.

    Parameters
    ----------
    landmarks : numpy.ndarray of float64
        ``(68, 2)`` in pixels of the image.
    region : str
        ``"right-eye"``, ``"left-eye"`` (each with its brow), ``"eyes"`` or ``"mouth"``.
    shape : tuple of (int, int)
        Height and width of the image.
    margin : float, optional
        Added on each side, in inter-ocular distances; a mouth that smiles grows by about a tenth.
    aspect : float or None, optional
        Grow the box to this width divided by height, as far as the image goes.

    Raises
    ------
    UsageError
        For an unknown region, or one that lies outside the image.
    """
    if region not in REGIONS:
        raise unknown_choice("region", region, REGIONS)
    points = np.asarray(landmarks, dtype=np.float64)
    distance = float(np.linalg.norm(points[LEFT_EYE].mean(0) - points[RIGHT_EYE].mean(0)))
    own = np.vstack([points[part] for part in REGIONS[region]])
    low, high = own.min(0) - margin * distance, own.max(0) + margin * distance
    if aspect is not None:
        width, height = high - low
        extra = np.array([max(0.0, height * aspect - width), max(0.0, width / aspect - height)]) / 2
        low, high = low - extra, high + extra
    limit = np.array([shape[1], shape[0]]) - 1
    left, top = (int(v) for v in np.clip(np.floor(low), 0, limit))
    right, bottom = (int(v) for v in np.clip(np.ceil(high), 0, limit))
    if right <= left or bottom <= top:
        raise UsageError(
            f"the region {region!r} lies outside an image of {shape[1]}x{shape[0]} pixels; expected landmarks in pixels "
            "of the image"
        )
    return Box(left, top, right, bottom)


def cut_region(image: NDArray[np.uint8], box: Box, size: tuple[int, int]) -> NDArray[np.uint8]:
    """Cut a box and scale it to ``size`` (height and width)."""
    import cv2

    part = image[box.top : box.bottom + 1, box.left : box.right + 1]
    shrinking = part.shape[0] >= size[0] and part.shape[1] >= size[1]
    how = cv2.INTER_AREA if shrinking else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(part, (size[1], size[0]), interpolation=how), dtype=np.uint8)
