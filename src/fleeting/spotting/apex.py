"""Ours: apex spotting by how far the skin moves and how much it is stretched, the head's own motion removed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from fleeting.clips import read_each
from fleeting.errors import ClipReadError, FrameReadError, UsageError, unknown_choice
from fleeting.faces import Alignment, face_mask
from fleeting.motion import optical_strain, skin_flow
from fleeting.spotting.course import ApexSpot, peak_near, smooth, smoothing_width, spot_in
from fleeting.spotting.registry import NoFramesError, find_apex, register_spotter

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from fleeting.clips import Clip

Measure = Literal["flow", "strain", "both"]

# With this margin the landmarks' box is 128 pixels wide: the unit in which amplitudes of micro-expressions are quoted.
# The margin leaves room for the forehead when the head moves.
SIDE = 192
MARGIN = 0.25
# The share of the face whose motion counts: an expression moves a tenth of it, noise moves all of it.
TOP_SHARE = 0.1
# Derivatives make noise out of noise: sigma, in pixels, of the blur of the flow before its strain is taken.
STRAIN_BLUR = 3.0
# The apex is the top of a parabola through the scores this close to the highest one.
PEAK_SECONDS = 0.03


def motion_scores(
    frames: Iterable[NDArray[np.uint8]], mask: NDArray[np.bool_], by: Measure = "flow"
) -> NDArray[np.float64]:
    """Measure how far each frame has moved from the first one; the frames are consumed one at a time.

    Parameters
    ----------
    frames : iterable of numpy.ndarray of uint8
        Aligned grey ``uint8`` frames ``(H, W)``; the first is the reference.
    mask : numpy.ndarray of bool
        ``(H, W)``; the face without the eyes (:func:`fleeting.faces.face_mask`).
    by : Measure, optional
        ``"flow"``: how far the skin has moved, in pixels. ``"strain"``: how much it is stretched, a pure number.
        ``"both"``: the two, each divided by its highest value, added.

    Returns
    -------
    numpy.ndarray of float64
        float64 ``(T,)``, taken over the tenth of the face that moves, or is stretched, most; the first is 0.
    """
    import cv2

    if by not in get_args(Measure):
        raise unknown_choice("measure", by, get_args(Measure))
    moved: list[float] = []
    stretched: list[float] = []
    reference: NDArray[np.uint8] | None = None
    # Across the edge of the face flow may jump, which is no stretch.
    inside = cv2.erode(mask.astype(np.uint8), np.ones((7, 7), np.uint8)).astype(bool)
    for frame in frames:
        if frame.shape != mask.shape:
            raise UsageError(f"frames and mask need one shape; found {frame.shape} and {mask.shape}")
        if reference is None:
            reference = frame
            moved.append(0.0)
            stretched.append(0.0)
            continue
        flow = skin_flow(reference, frame, mask)
        if by != "strain":
            moved.append(_top_mean(np.hypot(flow[..., 0], flow[..., 1])[mask]))
        if by != "flow":
            smoothed = np.asarray(cv2.GaussianBlur(flow, (0, 0), STRAIN_BLUR), dtype=np.float32)
            stretched.append(_top_mean(optical_strain(smoothed)[inside]))
    if by == "both":
        return _scaled(moved) + _scaled(stretched)
    return np.asarray(moved if by == "flow" else stretched, dtype=np.float64)


def _top_mean(values: NDArray[np.float32]) -> float:
    count = max(1, int(len(values) * TOP_SHARE))
    return float(np.partition(values, len(values) - count)[-count:].mean()) if len(values) else 0.0


def _scaled(values: list[float]) -> NDArray[np.float64]:
    course = np.asarray(values, dtype=np.float64)
    return course / course.max() if len(course) and course.max() > 0 else course


def spot_apex(frames: Iterable[NDArray[np.uint8]], mask: NDArray[np.bool_], fps: float | None = None) -> ApexSpot:
    """Find the apex of one expression: the frame in which motion against the first frame culminates.

    Parameters
    ----------
    frames : iterable of numpy.ndarray of uint8
        Aligned grey frames, at least one; they may come from a generator.
    mask : numpy.ndarray of bool
        The face without the eyes.
    fps : float or None, optional
        Sets the smoothing to 25 ms, at least 3 frames where there are enough; 5 frames if unknown.

    Returns
    -------
    ApexSpot
        ApexSpot.

    Raises
    ------
    UsageError
        If there are no frames, or their shape is not the mask's.
    """
    return _spot(motion_scores(frames, mask), fps)


def _spot(raw: NDArray[np.float64], fps: float | None) -> ApexSpot:
    if len(raw) < 3:
        return spot_in(raw)
    scores = smooth(raw, smoothing_width(fps))
    reach = round(PEAK_SECONDS * (200.0 if fps is None else fps))
    return spot_in(scores, peak_near(raw, int(np.argmax(scores)), reach))


@register_spotter("motion", paper="Fleeting; strain: Shreve et al. 2011")
def motion(
    frames: Iterable[NDArray[np.uint8]],
    landmarks: NDArray[np.float64],
    fps: float | None = None,
    by: Measure = "flow",
) -> ApexSpot:
    """Ours: flow magnitude or optical strain over the tenth of the face that moves most, head motion removed.

    Parameters
    ----------
    frames, landmarks, fps : iterable of numpy.ndarray of uint8 and numpy.ndarray of float64 and float or None, optional
        See :func:`fleeting.spotting.find_apex`.
    by : Measure, optional
        ``"flow"``, ``"strain"``, or both: the two courses, each divided by its highest value, added.
    """
    source = iter(frames)
    first = next(source)
    mask = face_mask(landmarks, (first.shape[0], first.shape[1]))
    return _spot(motion_scores(chain([first], source), mask, by), fps)


def spot_clip(
    clip: Clip,
    landmarks: NDArray[np.float64],
    *,
    start: int = 0,
    stop: int | None = None,
    method: str = "motion",
    **options: Any,
) -> ApexSpot:
    """Spot the apex of a clip: align its face by the landmarks of one frame, then compare every frame with ``start``.

    Frames are read once, in order, and only their aligned faces are kept in memory, one at a time. Frames that cannot
    be decoded are passed over.

    Parameters
    ----------
    clip : Clip
        The clip.
    landmarks : numpy.ndarray of float64
        ``(68, 2)`` of its reference frame; see :func:`fleeting.faces.find_reference`.
    start, stop : int and int or None, optional
        Frames to search, ``[start, stop)``; to the end by default.
    method, options : str, optional and object
        See :func:`fleeting.spotting.find_apex`.

    Raises
    ------
    ClipReadError
        If none of the frames can be read.
    UsageError
        For an unknown method or option.
    """
    align = _alignment(landmarks)
    indexes: list[int] = []

    def faces() -> Iterator[NDArray[np.uint8]]:
        for index, face in _faces(clip, align, start, stop):
            indexes.append(index)
            yield face

    try:
        spot = find_apex(faces(), align.points(landmarks), method=method, fps=clip.fps, **options)
    except NoFramesError as exc:
        raise ClipReadError(f"{clip.key}: none of its frames from {start} on can be read; copy the clip again") from exc
    where = np.asarray(indexes, dtype=np.int64)
    return ApexSpot(int(where[spot.apex]), int(where[spot.onset]), where, spot.scores)


def aligned_faces(
    clip: Clip, landmarks: NDArray[np.float64], *, start: int = 0, stop: int | None = None
) -> tuple[NDArray[np.int64], NDArray[np.uint8], NDArray[np.float64]]:
    """Give what the spotters see of a clip, for those who ask several: 37 kB a frame.

    Parameters
    ----------
    clip, landmarks, start, stop : Clip and numpy.ndarray of float64 and int, optional and int or None, optional
        See :func:`spot_clip`.

    Returns
    -------
    tuple of (numpy.ndarray of int64, numpy.ndarray of uint8, numpy.ndarray of float64)
        The frames that could be read, int64 ``(T,)``; their aligned grey faces, ``uint8`` ``(T, 192, 192)``, in which
        the landmarks' box is 128 pixels wide; and the landmarks in them, ``(68, 2)``.

    Raises
    ------
    ClipReadError
        If none of the frames can be read.
    """
    align = _alignment(landmarks)
    read = list(_faces(clip, align, start, stop))
    if not read:
        raise ClipReadError(f"{clip.key}: none of its frames from {start} on can be read; copy the clip again")
    indexes, faces = zip(*read, strict=True)
    return np.asarray(indexes, dtype=np.int64), np.stack(faces), align.points(landmarks)


def _alignment(landmarks: NDArray[np.float64]) -> Alignment:
    return Alignment.from_landmarks(landmarks, height=SIDE, width=SIDE, margin=MARGIN)


def _faces(clip: Clip, align: Alignment, start: int, stop: int | None) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    for index, frame in read_each(clip.frames, range(start, len(clip.frames) if stop is None else stop)):
        if not isinstance(frame, FrameReadError):
            yield index, align.apply(frame, grey=True)
