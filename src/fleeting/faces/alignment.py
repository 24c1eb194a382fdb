"""One similarity transform per clip.

dlib's landmarks move by half a pixel from frame to frame, as much as a micro-expression does. So the face is found
once, on a reference frame, and the same transform is applied to every frame: it cannot invent motion, and it is
several times faster than detection in each frame (``benchmarks/faces.py``).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from fleeting.errors import ClipReadError, NoFaceError, UsageError
from fleeting.faces.detector import FaceDetector, default_detector

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from fleeting.clips import FrameSource

# Looking at every frame of an hour would take hours; evenly spread looks find any face worth analyzing.
MAX_LOOKS = 400
# Frame pixels between two samples of a warp; at 2 every second pixel would be skipped, and noise would alias.
MAX_STEP = 1.5


@dataclass(frozen=True)
class Alignment:
    """A rotation that levels the eyes, and a crop around the landmarks with a margin, scaled to ``(height, width)``.

    Parameters
    ----------
    centre : tuple of (float, float)
        Centre of the crop in frame pixels, x then y.
    angle : float
        In-plane rotation of the face in radians; positive when the eye on the image's right is lower.
    crop : tuple of (float, float)
        Width and height of the crop in frame pixels, before scaling.
    width, height : int
        Size of the result in pixels.
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
        """Compute the transform that brings a face to the crop.

        Parameters
        ----------
        landmarks : numpy.ndarray of float64
            ``(68, 2)`` in frame pixels.
        height, width : int
            Size of the result.
        margin : float, optional
            Added on each side of the landmarks' box, as a share of its longer side. The box spans jaw to brows, so some
            margin keeps raised brows inside.
        angle : float or None, optional
            Rotation of the face in radians; that of the eyes' centres if not given.
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
        """Compute the rotation of a whole frame that levels a face turned by ``angle``, without cropping or scaling.

        Parameters
        ----------
        angle : float
            Rotation of the face in radians.
        size : tuple of (int, int)
            Width and height of the frame; the result is as large as the turned frame needs.
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
    def _linear(self) -> NDArray[np.float64]:
        """The matrix ``(2, 2)`` that turns and scales offsets from the centre of the crop."""
        return _rotation(-self.angle) * self.scale

    @cached_property
    def _samples(self) -> int:
        """Samples a side for each pixel of the result; see :meth:`apply`."""
        step = 1 / self.scale
        return 1 if step <= 1.1 else max(2, math.ceil(step / MAX_STEP))

    def _window(self, height: int, width: int) -> tuple[slice, slice]:
        """Rows and columns of a frame that the crop touches; at least one of each."""
        c, s = abs(math.cos(self.angle)), abs(math.sin(self.angle))
        reach = ((self.crop[0] * c + self.crop[1] * s) / 2 + 2, (self.crop[0] * s + self.crop[1] * c) / 2 + 2)
        spans = []
        for centre, half, length in zip(self.centre, reach, (width, height), strict=True):
            start = min(max(0, math.floor(centre - half)), length - 1)
            spans.append(slice(start, max(start + 1, min(length, math.ceil(centre + half) + 1))))
        return spans[1], spans[0]

    def apply(self, image: NDArray[np.uint8], *, grey: bool = False) -> NDArray[np.uint8]:
        """Align one frame: one warp of the part that is seen, straight to the result or to a small multiple of it.

        Where the frame is reduced, each pixel of the result is the mean of ``n × n`` bilinear samples at most 1.5 frame
        pixels apart, ``n`` as small as that allows: what aliases is averaged away, at a third of the cost of warping
        at the frame's own resolution (``benchmarks/preprocessing.py``).

        Parameters
        ----------
        image : numpy.ndarray of uint8
            ``uint8`` RGB ``(H, W, 3)`` or grey ``(H, W)``.
        grey : bool, optional
            Make an RGB frame grey; only the part that is seen is converted.
        """
        import cv2

        rows, columns = self._window(*image.shape[:2])
        part = image[rows, columns]
        if grey and part.ndim == 3:
            part = np.asarray(cv2.cvtColor(part, cv2.COLOR_RGB2GRAY), dtype=np.uint8)
        n = self._samples
        size = (self.width * n, self.height * n)
        linear = self._linear * n
        centre = np.asarray(self.centre) - [columns.start, rows.start]
        shift = (np.asarray(size) - 1) / 2 - linear @ centre
        matrix = np.hstack([linear, shift[:, None]])
        warped = cv2.warpAffine(part, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        if n > 1:
            warped = cv2.resize(warped, (self.width, self.height), interpolation=cv2.INTER_AREA)
        return np.asarray(warped, dtype=np.uint8)

    def points(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Move points from the frame to the aligned crop, in pixels."""
        moved = (np.asarray(points, dtype=np.float64) - self.centre) @ self._linear.T
        return np.asarray(moved + self._middle)

    def back(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Move points from the aligned crop back to the frame; the inverse of :meth:`points`."""
        moved = (np.asarray(points, dtype=np.float64) - self._middle) @ np.linalg.inv(self._linear).T
        return np.asarray(moved + self.centre)

    @property
    def _middle(self) -> NDArray[np.float64]:
        return np.array([(self.width - 1) / 2, (self.height - 1) / 2])


def eye_angle(landmarks: NDArray[np.float64], *, corners: bool = False) -> float:
    """Measure the in-plane rotation of a face in radians; positive when the eye on the image's right is lower.

    Parameters
    ----------
    landmarks : numpy.ndarray of float64
        ``(68, 2)``.
    corners : bool, optional
        Go by the eyes' four corners instead of all twelve points; lids that close move the points between.
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
    index : int
        0-based frame index.
    landmarks : numpy.ndarray of float64
        ``(68, 2)`` in pixels of that frame.
    looked_at : int
        Frames that were searched until the face was found.
    image : numpy.ndarray of uint8
        The frame, ``uint8`` RGB.
    """

    index: int
    landmarks: NDArray[np.float64]
    looked_at: int
    image: NDArray[np.uint8] = field(repr=False, compare=False)

    def align(self, *, height: int, width: int, margin: float = 0.1) -> Alignment:
        """Compute the clip's one transform; see :meth:`Alignment.from_landmarks`."""
        return Alignment.from_landmarks(self.landmarks, height=height, width=width, margin=margin)


def find_reference(
    frames: FrameSource, start: int = 0, detector: FaceDetector | None = None, name: object = None
) -> Reference:
    """Find the first frame with a face, at ``start`` if possible, else further on, else before it.

    The frames after ``start`` are looked at coarsely first, then finely; frames that cannot be decoded are passed
    over. At most 400 frames are looked at, spread evenly.

    Parameters
    ----------
    frames : FrameSource
        The clip's frames.
    start : int, optional
        The frame that should be the reference, usually the onset.
    name : object, optional
        Name of the clip in the error message.

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
                return Reference(index, landmarks, len(looked), image)
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
