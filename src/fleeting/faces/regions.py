"""Masks over the face, drawn from the 68 landmarks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

JAW, BROWS, NOSE, EYES, MOUTH = slice(0, 17), slice(17, 27), slice(27, 36), slice(36, 48), slice(48, 68)
RIGHT_EYE, LEFT_EYE = slice(36, 42), slice(42, 48)


def face_mask(
    landmarks: NDArray[np.float64], shape: tuple[int, int], *, forehead: float = 0.35, eyes: bool = False
) -> NDArray[np.bool_]:
    """Where the face is: the landmarks' hull, extended over the brows, without the eyes unless asked for.

    The eyes are left out because a blink moves more than any micro-expression.

    Parameters
    ----------
    landmarks : ``(68, 2)`` in pixels of the image.
    shape : height and width of the mask.
    forehead : how far the hull reaches above the brows, in inter-ocular distances.
    eyes : keep the eyes in.

    Returns
    -------
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
