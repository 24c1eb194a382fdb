"""Apex spotting by texture and motion in regions of the face.

Yan and Chen, *Measuring dynamic micro-expressions via feature extraction methods*, Journal of Computational Science 25,
2018; the texture's part is that of Yan et al., *Quantifying micro-expressions with constraint local model and local binary
pattern*, ECCV Workshops 2014.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal

import numpy as np

from fleeting.errors import UsageError, unknown_choice
from fleeting.faces import Box, face_mask
from fleeting.motion import dense_flow, main_direction, remove_head_motion
from fleeting.motion.lbp import histogram_distance, lbp_codes, lbp_histogram
from fleeting.spotting.course import ApexSpot, smooth, smoothing_width, spot_in
from fleeting.spotting.places import MEASURING_POINTS, boxes_around
from fleeting.spotting.registry import register_spotter

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["yan2018"]

BY = ("both", "flow", "lbp")


@register_spotter("yan2018", paper="Yan and Chen, Journal of Computational Science 2018")
def yan2018(
    frames: Iterable[NDArray[np.uint8]],
    landmarks: NDArray[np.float64],
    fps: float | None = None,
    by: Literal["both", "flow", "lbp"] = "both",
    size: float = 0.35,
    bins: int = 8,
    remove_head: bool = True,
) -> ApexSpot:
    """Optical flow along its main direction, with LBP change, in ten regions of the face.

    Regions are drawn around the landmarks of the first frame. In each, the *flow* since the first frame is reduced to its
    main direction and the distance moved in it (:func:`fleeting.motion.main_direction`), the *texture* to the distance
    of its LBP histogram from the first frame's. The apex is the frame in which the region that changes most is farthest
    from the first frame.

    What is ours: the paper measures with each of the two and compares them with coders; ``by="both"`` adds the two
    courses, each divided by its highest value. Its regions follow action units and its landmarks come from a constrained
    local model; ours are ten squares around dlib's. The head's own motion is taken out of the flow, as alignment does in
    the paper; ``remove_head=False`` leaves it in.

    Parameters
    ----------
    frames, landmarks, fps : iterable of numpy.ndarray of uint8 and numpy.ndarray of float64 and float or None, optional
        See :func:`fleeting.spotting.find_apex`.
    by : {"both", "flow", "lbp"}, optional
        ``"flow"``, ``"lbp"`` or both.
    size : float, optional
        Side of a region in inter-ocular distances.
    bins : int, optional
        Directions that are told apart.
    remove_head : bool, optional
        Take the head's own motion out of the flow.
    """
    if by not in BY:
        raise unknown_choice("measure", by, BY)
    boxes: list[Box] = []
    mask: NDArray[np.bool_] | None = None
    reference: NDArray[np.uint8] | None = None
    texture: list[NDArray[np.float64]] = []
    moved: list[list[float]] = []
    changed: list[list[float]] = []
    for frame in frames:
        if reference is None:
            shape = (frame.shape[0], frame.shape[1])
            boxes = list(boxes_around(landmarks, MEASURING_POINTS, shape, size=size).values())
            mask, reference = face_mask(landmarks, shape), frame
            texture = _textures(frame, boxes) if by != "flow" else []
        assert mask is not None
        if by != "flow":
            now = _textures(frame, boxes)
            changed.append([float(histogram_distance(a, b)) for a, b in zip(texture, now, strict=True)])
        if by != "lbp":
            flow = np.zeros((*mask.shape, 2), np.float32) if not moved else dense_flow(reference, frame)
            if remove_head and moved:
                flow = remove_head_motion(flow, mask)
            moved.append([main_direction(flow[b.top : b.bottom + 1, b.left : b.right + 1], bins)[1] for b in boxes])
    courses = [np.asarray(course) for course in (moved, changed) if course]
    if not courses:
        raise UsageError("an apex needs at least one frame, found none")
    scores = sum(_strongest(course, fps, scaled=by == "both") for course in courses)
    return spot_in(scores)


def _textures(frame: NDArray[np.uint8], boxes: list[Box]) -> list[NDArray[np.float64]]:
    import cv2

    codes = lbp_codes(np.asarray(cv2.GaussianBlur(frame, (0, 0), 1.0), dtype=np.uint8), 2)
    return [lbp_histogram(codes[b.top : b.bottom + 1, b.left : b.right + 1]) for b in boxes]


def _strongest(course: NDArray[np.float64], fps: float | None, *, scaled: bool) -> NDArray[np.float64]:
    """The course ``(T, R)`` of the region that rises highest above its own median, smoothed."""
    width = smoothing_width(fps) if len(course) > 2 else 1
    smoothed = np.stack([smooth(column, width) for column in course.T])
    best = smoothed[int(np.argmax(smoothed.max(1) - np.median(smoothed, axis=1)))]
    return np.asarray(best / best.max() if scaled and best.max() > 0 else best, dtype=np.float64)
