"""Film strips of an event: the face from onset over apex to offset, as it was and with its motion magnified."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from fleeting.errors import ClipReadError
from fleeting.files import write_atomic
from fleeting.motion import MICRO_BAND, magnify_motion

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from fleeting.analysis.stream import FrameReader
    from fleeting.analysis.timeline import Timeline

__all__ = ["Moments", "draw_strips", "event_moments"]

SIDE = 160
PICTURES = 7
ALPHA = 8.0
_MOST = 48  # frames magnified; of a longer event every n-th is taken
_CAPTION = 22
_RED, _GREY, _PAPER = (178, 24, 43), (90, 90, 90), (255, 255, 255)


@dataclass(frozen=True)
class Moments:
    """Aligned faces of an event.

    Attributes
    ----------
    frames, seconds : tuple of int and tuple of float
        Frame and time of each picture.
    faces : numpy.ndarray of uint8
        ``(N, 160, 160, 3)`` RGB, all by the transform of the apex.
    """

    frames: tuple[int, ...]
    seconds: tuple[float, ...]
    faces: NDArray[np.uint8]


def event_moments(
    reader: FrameReader, timeline: Timeline, onset: int, apex: int, offset: int, matrix: NDArray[np.float64]
) -> Moments:
    """Read an event again: evenly spaced frames from onset to offset, the apex among them.

    Parameters
    ----------
    matrix : numpy.ndarray of float64
        ``(2, 3)`` from the frame to a crop of 128 pixels.
    """
    import cv2

    step = max(1, -(-(offset - onset + 1) // _MOST))
    # Counted from the apex, so that it is among them.
    wanted = [*range(apex, onset - 1, -step)][::-1] + [*range(apex + step, offset + 1, step)]
    larger = matrix * (SIDE / 128)
    by = 1 / max(float(np.sqrt(abs(np.linalg.det(larger[:, :2])))), 1e-6)
    frames, seconds, faces = [], [], []
    for index in wanted:
        try:
            image = reader.frame(index, timeline.seconds_of(index))
        except ClipReadError:
            continue
        flat = larger
        if by >= 2:
            # Sampling a face that is much larger than its crop would alias.
            small = cv2.resize(image, None, fx=1 / int(by), fy=1 / int(by), interpolation=cv2.INTER_AREA)
            image, flat = small, np.hstack([larger[:, :2] * int(by), larger[:, 2:]])
        crop = cv2.warpAffine(image, flat, (SIDE, SIDE), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        frames.append(index)
        seconds.append(timeline.seconds_of(index))
        faces.append(np.asarray(crop, np.uint8))
    if not frames:
        raise ClipReadError("none of the event's frames can be read again")
    return Moments(tuple(frames), tuple(seconds), np.stack(faces))


def draw_strips(moments: Moments, apex: int, folder: Path, number: int) -> list[Path]:
    """Write ``event_0001.png`` and ``event_0001_magnified.png``; returns their paths."""
    import cv2

    at = int(np.argmin(np.abs(np.array(moments.frames) - apex)))
    last = len(moments.frames) - 1
    shown = sorted(
        {round(k) for k in np.linspace(0, at, PICTURES // 2 + 1)}
        | {round(k) for k in np.linspace(at, last, PICTURES // 2 + 1)}
    )
    written = [_write(folder / f"event_{number:04d}.png", moments, moments.faces, shown, at)]
    span = moments.seconds[-1] - moments.seconds[0]
    if len(moments.frames) >= 4 and span > 0:
        fps = last / span
        grey = np.stack([np.asarray(cv2.cvtColor(face, cv2.COLOR_RGB2GRAY), np.uint8) for face in moments.faces])
        # A shorter stretch than the band's slowest wave still moves: half a wave of its own length is let in.
        band = (min(MICRO_BAND[0], fps / (2 * len(grey)) * 0.99), min(MICRO_BAND[1], fps / 2))
        moved = magnify_motion(grey, fps, alpha=ALPHA, band=band)
        pictures = np.repeat(moved[..., None], 3, axis=3)
        written.append(_write(folder / f"event_{number:04d}_magnified.png", moments, pictures, shown, at))
    return written


def _write(path: Path, moments: Moments, faces: NDArray[np.uint8], shown: list[int], apex: int) -> Path:
    import cv2

    gap = 4
    width = len(shown) * (SIDE + gap) - gap
    strip: Any = np.full((SIDE + _CAPTION, width, 3), _PAPER, np.uint8)
    for column, k in enumerate(shown):
        left = column * (SIDE + gap)
        strip[_CAPTION:, left : left + SIDE] = faces[k]
        colour = _RED if k == apex else _GREY
        if k == apex:
            cv2.rectangle(strip, (left, _CAPTION), (left + SIDE - 1, _CAPTION + SIDE - 1), _RED, 2)
        text = f"{moments.seconds[k]:.3f} s{' apex' if k == apex else ''}"
        cv2.putText(strip, text, (left + 3, 15), cv2.FONT_HERSHEY_SIMPLEX, 0.42, colour, 1, cv2.LINE_AA)
    packed = cv2.imencode(".png", strip[..., ::-1])[1]
    return write_atomic(path, lambda file: file.write(packed.tobytes()))
