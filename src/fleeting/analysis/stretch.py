"""The stretches of a recording that show one face, more or less in one place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fleeting.errors import ClipReadError, NoFaceError
from fleeting.faces import Box, FaceDetector, default_detector

if TYPE_CHECKING:
    from fleeting.clips import FrameSource

LOOKS_A_SECOND = 5
# Below this overlap the face has moved too far for one transform, or another one has come in.
SAME_PLACE = 0.4


@dataclass(frozen=True)
class Stretch:
    """Frames ``[start, stop)`` in which the face was found wherever it was looked for."""

    start: int
    stop: int

    def __len__(self) -> int:
        return self.stop - self.start


def overlap(a: Box, b: Box) -> float:
    """Intersection over union of two boxes."""
    width = min(a.right, b.right) - max(a.left, b.left) + 1
    height = min(a.bottom, b.bottom) - max(a.top, b.top) + 1
    if width <= 0 or height <= 0:
        return 0.0
    return width * height / (a.area + b.area - width * height)


def face_stretches(
    frames: FrameSource,
    fps: float | None = None,
    detector: FaceDetector | None = None,
    name: object = None,
) -> list[Stretch]:
    """Look for the largest face five times per second, and narrow each change down to the frame.

    Parameters
    ----------
    frames : FrameSource
        The recording.
    fps : float or None, optional
        Frames per second; 25 if unknown.
    name : object, optional
        Name of the recording in the error message.

    Returns
    -------
    list of Stretch
        Stretches in order of time, at least one.

    Raises
    ------
    NoFaceError
        If no look finds a face.
    """
    detector = detector or default_detector()
    step = max(1, round((fps or 25.0) / LOOKS_A_SECOND))
    looks: list[tuple[int, Box | None]] = []
    length = len(frames)
    for index in sorted({*range(0, length, step), length - 1}):
        if index >= len(frames):  # the recording turned out shorter than its container said
            break
        looks.append((index, _largest(frames, index, detector)))
    stretches: list[Stretch] = []
    begin: int | None = None
    for k, (index, box) in enumerate(looks):
        before = looks[k - 1] if k else (index, None)
        joined = box is not None and before[1] is not None and overlap(box, before[1]) >= SAME_PLACE
        if begin is not None and not joined:
            assert before[1] is not None
            stretches.append(Stretch(begin, _edge(frames, before[0], index, before[1], detector)))
            begin = None
        if begin is None and box is not None:
            # A face that follows another at once begins where it is seen; one that appears is traced back.
            traced = k > 0 and before[1] is None
            begin = _edge(frames, index, before[0], box, detector) + 1 if traced else index
    if begin is not None:
        stretches.append(Stretch(begin, len(frames)))
    if not stretches:
        raise NoFaceError(
            f"{name or frames}: no face in the {len(looks)} frames that were looked at (of {len(frames)}); expected an "
            "upright, frontal face at least 40 pixels wide"
        )
    return stretches


def _largest(frames: FrameSource, index: int, detector: FaceDetector) -> Box | None:
    try:
        faces = detector.detect(frames[index])
    except (ClipReadError, IndexError):
        return None
    return faces[0] if faces else None


def _edge(frames: FrameSource, inside: int, outside: int, box: Box, detector: FaceDetector) -> int:
    """The frame next to the last one that still shows the face, on the way from ``inside`` to ``outside``."""
    while abs(outside - inside) > 1:
        middle = (inside + outside) // 2
        found = _largest(frames, middle, detector)
        if found is not None and overlap(found, box) >= SAME_PLACE:
            inside = middle
        else:
            outside = middle
    return outside
