"""Apex spotting by texture: the change of local binary patterns since the first frame, searched by halves.

Liong, See, Wong, Le Ngo, Oh and Phan, *Automatic apex frame spotting in micro-expression database*, ACPR 2015.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from fleeting.errors import UsageError
from fleeting.faces import Box
from fleeting.motion.lbp import histogram_distance, lbp_codes, lbp_histogram
from fleeting.spotting.course import ApexSpot, smooth, smoothing_width, spot_in
from fleeting.spotting.places import eyes_and_mouth
from fleeting.spotting.registry import register_spotter

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["divide_and_conquer", "lbp_changes", "liong2015", "local_peaks"]

PAPER = "Liong et al., ACPR 2015"


@register_spotter("liong2015", paper=PAPER)
def liong2015(
    frames: Iterable[NDArray[np.uint8]],
    landmarks: NDArray[np.float64],
    fps: float | None = None,
    radius: int = 2,
    blocks: int = 1,
    blur: float = 1.0,
) -> ApexSpot:
    """LBP difference to the first frame over eyes, brows and mouth, searched by divide and conquer.

    The distances of the regions' histograms from those of the first frame are summed (:func:`lbp_changes`), and the
    course is searched by halves (:func:`divide_and_conquer`).

    What is ours: light smoothing over 25 ms before peaks are looked for and the ``blur``, without which sensor noise
    turns more patterns over than an expression does; the radius and ``blocks``. Talluri et al. (section 4.3) describe a
    sum over each half of the sequence; the search as Liong et al. spell it out sums the *peaks* of each half
    (*Less is more*, Signal Processing: Image Communication 62, 2018), and so do we.

    Parameters
    ----------
    frames, landmarks, fps : iterable of numpy.ndarray of uint8 and numpy.ndarray of float64 and float or None, optional
        See :func:`fleeting.spotting.find_apex`.
    radius : int, optional
        Radius of the patterns, in pixels.
    blocks : int, optional
        Along each side of a region, whose distances are averaged; 1 takes a region whole.
    blur : float, optional
        Sigma in pixels of the Gaussian that takes sensor noise away first; 0 for none.
    """
    raw = lbp_changes(frames, landmarks, radius=radius, blocks=blocks, blur=blur)
    scores = smooth(raw, smoothing_width(fps)) if len(raw) > 2 else raw
    return spot_in(scores, divide_and_conquer(scores))


def lbp_changes(
    frames: Iterable[NDArray[np.uint8]],
    landmarks: NDArray[np.float64],
    *,
    radius: int = 2,
    blocks: int = 1,
    blur: float = 1.0,
) -> NDArray[np.float64]:
    """Measure how far the texture of eyes, brows and mouth is from the first frame's, summed over the three regions.

    Returns
    -------
    numpy.ndarray of float64
        float64 ``(T,)``; 0 for the first frame, at most 3.
    """
    import cv2

    if blocks < 1 or blur < 0:
        raise UsageError(f"expected at least 1 block and no negative blur; found {blocks} and {blur:g}")
    scores: list[float] = []
    boxes: list[Box] = []
    first: list[NDArray[np.float64]] = []
    for frame in frames:
        if not boxes:
            boxes = list(eyes_and_mouth(landmarks, (frame.shape[0], frame.shape[1])).values())
        image = np.asarray(cv2.GaussianBlur(frame, (0, 0), blur), dtype=np.uint8) if blur else frame
        codes = lbp_codes(image, radius)
        found = [_block_histograms(codes, box, blocks) for box in boxes]
        if not first:
            first = found
        scores.append(sum(float(histogram_distance(a, b).mean()) for a, b in zip(first, found, strict=True)))
    return np.asarray(scores, dtype=np.float64)


def _block_histograms(codes: NDArray[np.uint8], box: Box, blocks: int) -> NDArray[np.float64]:
    """One histogram a block, ``(blocks², 59)``; a region with fewer pixels than blocks has fewer of them."""
    part = codes[box.top : box.bottom + 1, box.left : box.right + 1]
    rows = [row for row in np.array_split(part, blocks, axis=0) if row.size]
    return np.stack([lbp_histogram(cell) for row in rows for cell in np.array_split(row, blocks, axis=1) if cell.size])


def local_peaks(scores: NDArray[np.float64]) -> NDArray[np.int64]:
    """Frames that are higher than the one before and not lower than the one after; the ends count as if low lay beyond."""
    padded = np.concatenate([[-np.inf], np.asarray(scores, dtype=np.float64), [-np.inf]])
    return np.flatnonzero((padded[1:-1] > padded[:-2]) & (padded[1:-1] >= padded[2:]))


def divide_and_conquer(scores: NDArray[np.float64]) -> int:
    """The apex by a search in halves.

    The peaks of the course are marked; the frames are cut into two equal halves; the half whose peaks sum to more is kept
    and cut again, until one peak is left (Liong et al. 2018). Of equal halves the first is kept.

    Returns
    -------
    int
        0-based index of the frame.

    Examples
    --------
    >>> divide_and_conquer(np.array([0, 1, 0, 2, 9, 3, 0, 1.0]))
    4
    """
    values = np.asarray(scores, dtype=np.float64)
    if values.ndim != 1 or len(values) == 0:
        raise UsageError(f"a search needs one score per frame; found an array of shape {values.shape}")
    heights = np.zeros(len(values))
    peaks = local_peaks(values)
    heights[peaks] = values[peaks] - values.min()
    start, stop = 0, len(values)
    while stop - start > 1 and np.count_nonzero(heights[start:stop]) > 1:
        middle = (start + stop + 1) // 2
        if heights[start:middle].sum() >= heights[middle:stop].sum():
            stop = middle
        else:
            start = middle
    return start + int(np.argmax(heights[start:stop]))
