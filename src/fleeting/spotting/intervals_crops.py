"""Crops of one face out of a long video: found now and then, followed in between by the motion that is measured."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fleeting.faces import Alignment, FaceDetector, default_detector
from fleeting.spotting.intervals_motion import CROP_MARGIN, CROP_SIDE, FaceMotion, FrameMotion
from fleeting.spotting.resumable import Resumable

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["FaceCrop", "FaceFollower", "measure_motion"]

LOOK_SECONDS = 0.4
# Landmarks wander by half a pixel; a crop that need not move had better not.
_STAY = 0.05


@dataclass(frozen=True)
class FaceCrop:
    """An aligned grey face: ``image`` ``(128, 144)``, ``matrix`` from frame to crop, 68 ``points`` in the crop."""

    image: NDArray[np.uint8]
    matrix: NDArray[np.float64]
    points: NDArray[np.float64]


class FaceFollower(Resumable):
    """Cuts the largest face out of frame after frame.

    Parameters
    ----------
    fps : float
        Frames per second.
    detector : FaceDetector or None, optional
        Finds the face; by default that of the process.
    """

    made_anew = ("detector",)

    def __init__(self, fps: float, detector: FaceDetector | None = None) -> None:
        self.detector = detector or default_detector()
        self._every = max(1, round(LOOK_SECONDS * fps))
        self._wait = 0
        self._found: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None

    def look_again(self) -> None:
        """Look for the face in the next frame: it has moved."""
        self._wait = 0

    def push(self, frame: NDArray[np.uint8]) -> FaceCrop | None:
        """The crop of the next frame, RGB or grey; ``None`` while no face is found."""
        import cv2

        if self._wait <= 0:
            self._look(frame)
        self._wait -= 1
        if self._found is None:
            return None
        grey = frame if frame.ndim == 2 else cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
        matrix, points = self._found
        how = cv2.INTER_LINEAR
        scale = float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
        if scale < 0.6:
            # A large face is reduced by whole factors first, or sampling it would alias.
            by = round(1 / scale)
            grey, matrix_used = _reduced(grey, matrix, by)
        else:
            matrix_used = matrix
        size = (CROP_SIDE, CROP_SIDE)
        image = cv2.warpAffine(grey, matrix_used, size, flags=how, borderMode=cv2.BORDER_REPLICATE)
        return FaceCrop(np.asarray(image, np.uint8), matrix, points)

    def _look(self, frame: NDArray[np.uint8]) -> None:
        box = self.detector.largest(frame)
        landmarks = None if box is None else self.detector.landmarks(frame, box)
        if landmarks is None:
            # Soon again: a face may come in at any time, or was only missed.
            self._found, self._wait = None, max(1, self._every // 4)
            return
        self._wait = self._every
        if self._found is not None:
            matrix, points = self._found
            here = landmarks @ matrix[:, :2].T + matrix[:, 2]
            off = np.linalg.norm(here - points, axis=1)
            if float(np.median(off)) < _STAY * CROP_SIDE:
                self._found = matrix, here
                return
        align = Alignment.from_landmarks(landmarks, height=CROP_SIDE, width=CROP_SIDE, margin=CROP_MARGIN)
        turn = align.scale * np.array(
            [[np.cos(align.angle), np.sin(align.angle)], [-np.sin(align.angle), np.cos(align.angle)]]
        )
        shift = (CROP_SIDE - 1) / 2 - turn @ np.asarray(align.centre)
        matrix = np.hstack([turn, shift[:, None]])
        self._found = matrix, landmarks @ turn.T + shift


def _reduced(
    grey: NDArray[np.uint8], matrix: NDArray[np.float64], by: int
) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    import cv2

    height, width = grey.shape
    small = cv2.resize(grey, (max(1, width // by), max(1, height // by)), interpolation=cv2.INTER_AREA)
    factor = np.array([width / small.shape[1], height / small.shape[0]])
    turn = matrix[:, :2] * factor
    shift = matrix[:, :2] @ (0.5 * factor - 0.5) + matrix[:, 2]
    return np.asarray(small, np.uint8), np.hstack([turn, shift[:, None]])


def measure_motion(
    frames: Iterable[NDArray[np.uint8] | None], fps: float, detector: FaceDetector | None = None
) -> Iterator[FrameMotion]:
    """Follow the face and measure its motion, one frame in memory at a time.

    Parameters
    ----------
    frames : iterable of (numpy.ndarray of uint8 or None)
        RGB or grey ``uint8`` frames in order; ``None`` for one that cannot be decoded.
    fps : float
        Frames per second.
    """
    follower, meter = FaceFollower(fps, detector), FaceMotion(fps)
    for index, frame in enumerate(frames):
        crop = None if frame is None else follower.push(frame)
        if crop is None:
            yield meter.push(index, None)
            continue
        row = meter.push(index, crop.image, crop.matrix, crop.points)
        if meter.drift > _STAY:
            follower.look_again()
        yield row
