"""Film strips: a sequence as one picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from fleeting.errors import UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Grey levels of change that are drawn in full colour; micro-expressions change a pixel by a few.
FULL_CHANGE = 24.0
_WARM, _COLD = np.array([178, 24, 43]), np.array([33, 102, 172])


def change_image(frame: NDArray[np.uint8], reference: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Show what changed since the reference, over a faint copy of it: red where it got lighter, blue where darker.

    Parameters
    ----------
    frame, reference : numpy.ndarray of uint8
        ``uint8`` ``(H, W, C)`` with 1 or 3 channels.

    Returns
    -------
    numpy.ndarray of uint8
        ``uint8`` RGB ``(H, W, 3)``.
    """
    change = frame.astype(np.float32).mean(2) - reference.astype(np.float32).mean(2)
    amount = np.clip(np.abs(change) / FULL_CHANGE, 0, 1)[..., None]
    faint = 255 - (255 - reference.astype(np.float32).mean(2, keepdims=True)) * 0.35
    colour = np.where(change[..., None] > 0, _WARM, _COLD)
    return np.asarray(faint * (1 - amount) + colour * amount, dtype=np.uint8)


def film_strip(
    sequence: NDArray[np.uint8],
    *,
    reference_first: bool,
    count: int = 9,
    side: int = 96,
    extra: Sequence[NDArray[np.uint8]] = (),
) -> NDArray[np.uint8]:
    """Draw evenly spaced frames side by side, and below each what changed since the onset (or first) frame.

    Parameters
    ----------
    sequence : numpy.ndarray of uint8
        ``uint8`` ``(T, H, W, C)``.
    reference_first : bool
        Whether frame 0 is the onset frame in front of the sequence.
    count : int, optional
        Frames to show, at most; the first, the middle (the apex) and the last are among them if it is odd.
    side : int, optional
        Height of one frame in the picture, in pixels.
    extra : sequence of numpy.ndarray of uint8, optional
        Further rows, each a strip of the same width.

    Returns
    -------
    numpy.ndarray of uint8
        ``uint8`` RGB.
    """
    if sequence.ndim != 4 or len(sequence) < 1 + reference_first:
        raise UsageError(f"a sequence is uint8 of shape (T, H, W, C); found shape {sequence.shape}")
    reference = sequence[0]
    frames = sequence[1:] if reference_first else sequence
    shown = strip_indexes(len(frames), count)
    rows = [
        join_strip([_rgb(frames[i]) for i in shown], side),
        join_strip([change_image(frames[i], reference) for i in shown], side),
        *extra,
    ]
    gap = np.full((3, rows[0].shape[1], 3), 255, np.uint8)
    parts: list[NDArray[np.uint8]] = []
    for row in rows:
        parts += [row, gap]
    return np.concatenate(parts[:-1])


def strip_indexes(length: int, count: int) -> list[int]:
    """Choose up to ``count`` indexes spread over a sequence; an apex window's middle is ``length // 2``, and is among them.

    >>> strip_indexes(36, 5)
    [0, 9, 18, 26, 35]
    """
    if length <= count:
        return list(range(length))
    half = count // 2
    before = np.linspace(0, length // 2, half + 1)
    after = np.linspace(length // 2, length - 1, count - half)
    return [int(i) for i in np.concatenate([before, after[1:]])]


def join_strip(images: Sequence[NDArray[np.uint8]], side: int) -> NDArray[np.uint8]:
    """Join RGB images of one size side by side at ``side`` pixels' height, a thin white gap between them."""
    import cv2

    parts: list[NDArray[np.uint8]] = []
    for image in images:
        height, width = image.shape[:2]
        size = (max(1, round(width * side / height)), side)
        how = cv2.INTER_AREA if side < height else cv2.INTER_CUBIC
        parts += [np.asarray(cv2.resize(image, size, interpolation=how)), np.full((side, 3, 3), 255, np.uint8)]
    return np.concatenate(parts[:-1], axis=1)


def _rgb(frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.repeat(frame, 3, axis=2) if frame.shape[2] == 1 else frame
