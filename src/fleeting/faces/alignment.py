"""One similarity transform a clip.

dlib's landmarks move by half a pixel from frame to frame, as much as a micro-expression does. So the face is found
once, on a reference frame, and the same transform is applied to every frame: it cannot invent motion, and it is
several times faster than detection in each frame (``benchmarks/faces.py``).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from fleeting.errors import ClipReadError, NoFaceError, UsageError
from fleeting.faces.detector import FaceDetector, default_detector

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from fleeting.clips import FrameSource

# Looking at every frame of an hour would take hours; evenly spread looks find any face worth analysing.
MAX_LOOKS = 400


@dataclass(frozen=True)
class Alignment:
    """A rotation that levels the eyes, and a crop around the landmarks with a margin, scaled to ``(height, width)``.

    Parameters
    ----------
    centre : centre of the crop in frame pixels, x then y.
    angle : in-plane rotation of the face in radians; positive when the eye on the image's right is lower.
    crop : width and height of the crop in frame pixels, before scaling.
    width, height : size of the result in pixels.
    """

    centre: tuple[float, float]
    angle: float
    crop: tuple[float, float]
    width: int
    height: int

    @classmethod
    def from_landmarks(
        cls,
        landmarks: NDArray[np.float64],
        *,
        height: int,
        width: int,
        margin: float = 0.1,
        angle: float | None = None,
    ) -> Alignment:
        """The transform that brings a face to the crop.

        Parameters
        ----------
        landmarks : ``(68, 2)`` in frame pixels.
        height, width : size of the result.
        margin : added on each side of the landmarks' box, as a share of its longer side. The box spans jaw to
            brows, so some margin keeps raised brows inside.
        angle : rotation of the face in radians; that of the eyes' centres if not given.
        """
        points = np.asarray(landmarks, dtype=np.float64)
        if points.shape != (68, 2) or not np.isfinite(points).all():
            raise UsageError(f"landmarks are 68 finite points (68, 2); found shape {points.shape}")
        if height < 1 or width < 1 or not -0.4 < margin <= 2:
            raise UsageError(
                f"a crop needs a positive size and a margin in (-0.4, 2]; found {height}x{width}, {margin}"
            )
        if angle is None:
            angle = eye_angle(points)
        rotation = _rotation(-angle)
        level = points @ rotation.T
        low, high = level.min(0), level.max(0)
        side = float((high - low).max()) * (1 + 2 * margin)
        centre = rotation.T @ ((low + high) / 2)
        scale = side / min(width, height)
        return cls((float(centre[0]), float(centre[1])), angle, (width * scale, height * scale), width, height)

    @classmethod
    def levelled(cls, angle: float, size: tuple[int, int]) -> Alignment:
        """The rotation of a whole frame that levels a face turned by ``angle``, without cropping or scaling.

        Parameters
        ----------
        angle : rotation of the face in radians.
        size : width and height of the frame; the result is as large as the turned frame needs.
        """
        c, s = abs(np.cos(angle)), abs(np.sin(angle))
        width, height = round(size[0] * c + size[1] * s), round(size[0] * s + size[1] * c)
        centre = ((size[0] - 1) / 2, (size[1] - 1) / 2)
        return cls(centre, angle, (float(width), float(height)), width, height)

    @property
    def scale(self) -> float:
        """Pixels of the result for one pixel of the frame."""
        return self.width / self.crop[0]

    @cached_property
    def _native(self) -> tuple[NDArray[np.float64], int, int]:
        width, height = max(1, round(self.crop[0])), max(1, round(self.crop[1]))
        rotation = _rotation(-self.angle) * (width / self.crop[0])
        shift = np.array([(width - 1) / 2, (height - 1) / 2]) - rotation @ np.asarray(self.centre)
        return np.hstack([rotation, shift[:, None]]), width, height

    def apply(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Align one frame: rotate and cut at the frame's own resolution, then resize with area interpolation."""
        import cv2

        matrix, width, height = self._native
        cut = cv2.warpAffine(image, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        if (width, height) == (self.width, self.height):
            return np.asarray(cut, dtype=np.uint8)
        # Area interpolation is defined for shrinking; enlarging with it would copy pixels in blocks.
        shrinking = width >= self.width and height >= self.height
        how = cv2.INTER_AREA if shrinking else cv2.INTER_LINEAR
        return np.asarray(cv2.resize(cut, (self.width, self.height), interpolation=how), dtype=np.uint8)

    def points(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Move points from the frame to the aligned crop, in pixels."""
        matrix, width, height = self._native
        moved = np.asarray(points, dtype=np.float64) @ matrix[:, :2].T + matrix[:, 2]
        # Resizing keeps pixel edges, not pixel centres, in place.
        factor = np.array([self.width / width, self.height / height])
        return np.asarray((moved + 0.5) * factor - 0.5)

    def back(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Move points from the aligned crop back to the frame; the inverse of :meth:`points`."""
        matrix, width, height = self._native
        factor = np.array([self.width / width, self.height / height])
        native = (np.asarray(points, dtype=np.float64) + 0.5) / factor - 0.5
        return np.asarray((native - matrix[:, 2]) @ np.linalg.inv(matrix[:, :2]).T)


def eye_angle(landmarks: NDArray[np.float64], *, corners: bool = False) -> float:
    """In-plane rotation of a face in radians; positive when the eye on the image's right is lower.

    Parameters
    ----------
    landmarks : ``(68, 2)``.
    corners : go by the eyes' four corners instead of all twelve points; lids that close move the points between.
    """
    points = np.asarray(landmarks, dtype=np.float64)
    right, left = (points[[36, 39]], points[[42, 45]]) if corners else (points[36:42], points[42:48])
    dx, dy = left.mean(0) - right.mean(0)
    return float(np.arctan2(dy, dx))


def _rotation(angle: float) -> NDArray[np.float64]:
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, -s], [s, c]])


@dataclass(frozen=True)
class Reference:
    """The frame in which the face was found.

    Attributes
    ----------
    index : 0-based frame index.
    landmarks : ``(68, 2)`` in pixels of that frame.
    looked_at : frames that were searched until the face was found.
    """

    index: int
    landmarks: NDArray[np.float64]
    looked_at: int

    def align(self, *, height: int, width: int, margin: float = 0.1) -> Alignment:
        """The clip's one transform; see :meth:`Alignment.from_landmarks`."""
        return Alignment.from_landmarks(self.landmarks, height=height, width=width, margin=margin)


def find_reference(
    frames: FrameSource, start: int = 0, detector: FaceDetector | None = None, name: object = None
) -> Reference:
    """The first frame with a face, at ``start`` if possible, else further on, else before it.

    The frames after ``start`` are looked at coarsely first, then finely; frames that cannot be decoded are passed
    over. At most 400 frames are looked at, spread evenly.

    Parameters
    ----------
    frames : the clip's frames.
    start : the frame that should be the reference, usually the onset.
    name : what the error message calls the clip.

    Raises
    ------
    NoFaceError
        If no frame that was looked at shows a face.
    """
    detector = detector or default_detector()
    looked: set[int] = set()
    for indexes in _search_order(len(frames), start):
        for index in indexes:
            if index in looked:
                continue
            try:
                image = frames[index]
            except (ClipReadError, IndexError):
                continue
            looked.add(index)
            landmarks = detector.landmarks(image)
            if landmarks is not None:
                return Reference(index, landmarks, len(looked))
    raise NoFaceError(
        f"{name or frames}: no face in the {len(looked)} frames that were looked at (of {len(frames)}); expected an "
        "upright, frontal face at least 40 pixels wide. Check the recording, or crop it to the face"
    )


def _search_order(length: int, start: int) -> list[list[int]]:
    start = min(max(start, 0), length - 1)
    fine = max(1, -(-length // MAX_LOOKS))
    coarse = max(fine, length // 16)
    after = range(start, length)
    return [list(after[::coarse]), list(after[::fine]), list(range(0, start, fine))]
