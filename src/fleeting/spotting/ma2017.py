"""Apex spotting by region histograms of oriented optical flow (RHOOF).

Ma, An, Wu and Yang, *A region histogram of oriented optical flow (RHOOF) feature for apex frame spotting in
micro-expression*, ISPACS 2017.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from fleeting.faces import Box, face_mask
from fleeting.motion import dense_flow, oriented_histogram, remove_head_motion
from fleeting.spotting.course import ApexSpot, smooth, smoothing_width, spot_in
from fleeting.spotting.places import FIVE_REGIONS, boxes_around
from fleeting.spotting.registry import register_spotter

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["ma2017"]


@register_spotter("ma2017", paper="Ma et al., ISPACS 2017")
def ma2017(
    frames: Iterable[NDArray[np.uint8]],
    landmarks: NDArray[np.float64],
    fps: float | None = None,
    bins: int = 8,
    size: float = 0.5,
    remove_head: bool = True,
) -> ApexSpot:
    """Histograms of oriented optical flow in five regions (RHOOF), both brows, nose, corners of the mouth.

    For each frame the flow since the first one is gathered in each region into a histogram over directions, weighted by
    magnitude; a frame's score is the sum over the regions of the strongest bin, and the apex is the frame that scores
    highest.

    What is ours: Talluri et al. (section 4.3) give the feature and the number of regions; which five, their size, the
    number of bins and how the histograms (:func:`fleeting.motion.oriented_histogram`) become one number are our reading.
    The head's own motion is taken out of the flow; ``remove_head=False`` leaves it in.

    Parameters
    ----------
    frames, landmarks, fps : iterable of numpy.ndarray of uint8 and numpy.ndarray of float64 and float or None, optional
        See :func:`fleeting.spotting.find_apex`.
    bins : int, optional
        Directions.
    size : float, optional
        Side of a region in inter-ocular distances.
    remove_head : bool, optional
        Take the head's own motion out of the flow.
    """
    boxes: list[Box] = []
    mask: NDArray[np.bool_] | None = None
    reference: NDArray[np.uint8] | None = None
    scores: list[float] = []
    for frame in frames:
        if reference is None:
            shape = (frame.shape[0], frame.shape[1])
            boxes = list(boxes_around(landmarks, FIVE_REGIONS, shape, size=size).values())
            mask, reference = face_mask(landmarks, shape), frame
            scores.append(0.0)
            continue
        flow = dense_flow(reference, frame)
        if remove_head and mask is not None:
            flow = remove_head_motion(flow, mask)
        parts = (flow[b.top : b.bottom + 1, b.left : b.right + 1] for b in boxes)
        scores.append(sum(float(oriented_histogram(part, bins).max()) for part in parts))
    raw = np.asarray(scores)
    return spot_in(smooth(raw, smoothing_width(fps)) if len(raw) > 2 else raw)
