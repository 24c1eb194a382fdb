"""Apex spotting by optical-flow magnitude inside the face, with the head's own motion removed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fleeting.clips import read_each
from fleeting.errors import ClipReadError, FrameReadError, UsageError
from fleeting.faces import Alignment, face_mask
from fleeting.motion import skin_flow

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from fleeting.clips import Clip

# With this margin the landmarks' box is 128 pixels wide: the unit in which amplitudes of micro-expressions are quoted.
# The margin leaves room for the forehead when the head moves.
SIDE = 192
MARGIN = 0.25
# The share of the face whose motion counts: an expression moves a tenth of it, noise moves all of it.
TOP_SHARE = 0.1


def motion_scores(frames: Iterable[NDArray[np.uint8]], mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """How far each frame has moved from the first one, in pixels; the frames are consumed one at a time.

    Parameters
    ----------
    frames : aligned grey ``uint8`` frames ``(H, W)``; the first is the reference.
    mask : ``(H, W)``; the face without the eyes (:func:`fleeting.faces.face_mask`).

    Returns
    -------
    float64 ``(T,)``; the first is 0.
    """
    scores: list[float] = []
    reference: NDArray[np.uint8] | None = None
    for frame in frames:
        if frame.shape != mask.shape:
            raise UsageError(f"frames and mask need one shape; found {frame.shape} and {mask.shape}")
        if reference is None:
            reference = frame
            scores.append(0.0)
            continue
        flow = skin_flow(reference, frame, mask)
        magnitude = np.hypot(flow[..., 0], flow[..., 1])[mask]
        count = max(1, int(len(magnitude) * TOP_SHARE))
        scores.append(float(np.partition(magnitude, len(magnitude) - count)[-count:].mean()))
    return np.asarray(scores, dtype=np.float64)


def spot_apex(frames: Iterable[NDArray[np.uint8]], mask: NDArray[np.bool_], fps: float | None = None) -> ApexSpot:
    """Find the apex of one expression: the frame whose motion against the first frame is largest.

    Parameters
    ----------
    frames : aligned grey frames, at least one; they may come from a generator.
    mask : the face without the eyes.
    fps : sets the smoothing to 25 ms, at least 3 frames where there are enough; 5 frames if unknown.

    Returns
    -------
    ApexSpot

    Raises
    ------
    UsageError
        If there are no frames, or their shape is not the mask's.
    """
    raw = motion_scores(frames, mask)
    if len(raw) == 0:
        raise UsageError("an apex needs at least one frame, found none")
    width = 5 if fps is None else max(3, round(0.025 * fps))
    scores = smooth(raw, width) if len(raw) > 2 else raw
    apex = int(np.argmax(scores))
    before = scores[: apex + 1]
    threshold = before.min() + 0.2 * (scores[apex] - before.min())
    quiet = np.flatnonzero(before <= threshold)
    onset = int(quiet[-1]) if len(quiet) else apex
    return ApexSpot(apex=apex, onset=onset, indexes=np.arange(len(scores)), scores=scores)


def spot_clip(clip: Clip, landmarks: NDArray[np.float64], *, start: int = 0, stop: int | None = None) -> ApexSpot:
    """Spot the apex of a clip: align its face by the landmarks of one frame, then compare every frame with ``start``.

    Frames are read once, in order, and only their aligned faces are kept in memory, one at a time. Frames that cannot
    be decoded are passed over.

    Parameters
    ----------
    clip : the clip.
    landmarks : ``(68, 2)`` of its reference frame; see :func:`fleeting.faces.find_reference`.
    start, stop : frames to search, ``[start, stop)``; to the end by default.

    Raises
    ------
    ClipReadError
        If none of the frames can be read.
    """
    align = Alignment.from_landmarks(landmarks, height=SIDE, width=SIDE, margin=MARGIN)
    mask = face_mask(align.points(landmarks), (SIDE, SIDE))
    indexes: list[int] = []

    def aligned() -> Iterator[NDArray[np.uint8]]:
        for index, frame in read_each(clip.frames, range(start, len(clip.frames) if stop is None else stop)):
            if isinstance(frame, FrameReadError):
                continue
            indexes.append(index)
            yield align.apply(frame, grey=True)

    try:
        spot = spot_apex(aligned(), mask, clip.fps)
    except UsageError as exc:
        raise ClipReadError(f"{clip.key}: none of its frames from {start} on can be read; copy the clip again") from exc
    where = np.asarray(indexes, dtype=np.int64)
    return ApexSpot(int(where[spot.apex]), int(where[spot.onset]), where, spot.scores)
