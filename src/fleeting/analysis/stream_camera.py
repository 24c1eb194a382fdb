"""Frames of a camera or an address, which are gone once they were read."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from fleeting.analysis.stream import FrameReader, Stream, StreamFrame
from fleeting.errors import ClipReadError, FrameReadError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Image = NDArray[np.uint8]

__all__ = ["CameraStream"]

_MOST_CAMERAS = 1000
_RING_BYTES = 160 << 20


class CameraStream(Stream):
    """A camera or an address. The last half minute is kept, compressed, to be looked at again."""

    reader = "opencv"
    live = True

    def __init__(self, source: str, fps: float | None) -> None:
        super().__init__()
        import cv2

        number = source.isdecimal()
        if number and (len(source) > 6 or int(source) > _MOST_CAMERAS):
            raise ClipReadError(f"camera {source[:20]}: no machine has so many; expected a camera's number from 0 on")
        self.name = f"camera {source}" if number else _without_password(source)
        self._capture = cv2.VideoCapture(int(source)) if number else cv2.VideoCapture(source)
        frames = []
        if self._capture.isOpened():
            started = time.monotonic()
            for _ in range(8):
                ok, frame = self._capture.read()
                if not ok or frame is None:
                    break
                frames.append(time.monotonic() - started)
        if not frames:
            self._capture.release()
            what = f"camera {source} cannot be opened" if number else f"{self.name} cannot be opened"
            raise ClipReadError(
                f"{what}; is it connected, and used by nothing else? Expected a camera's number from 0 on"
            )
        stated = float(self._capture.get(cv2.CAP_PROP_FPS))
        measured = 1 / max(float(np.median(np.diff(frames))), 1e-3) if len(frames) > 3 else 30.0
        trusted = np.isfinite(stated) and 1 < stated < 1000
        self.fps = float(fps or (stated if trusted else measured))
        self.size = (int(frame.shape[1]), int(frame.shape[0]))
        self._ring: deque[tuple[int, float, NDArray[np.uint8]]] = deque()
        self._ring_bytes = 0

    def frames(self, start: int = 0) -> Iterator[StreamFrame]:
        """Give frames in order from number ``start`` on."""
        import cv2

        begun, index, before = time.monotonic(), start, None
        try:
            while not self.stopped:
                ok, frame = self._capture.read()
                if not ok or frame is None:
                    self.notes.append(f"The stream ended after frame {index - 1}.")
                    return
                seconds = time.monotonic() - begun
                self.note_step(before, seconds)
                before = seconds
                _, packed = cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, 92])
                self._ring.append((index, seconds, np.asarray(packed, np.uint8)))
                self._ring_bytes += packed.nbytes
                while self._ring_bytes > _RING_BYTES or seconds - self._ring[0][1] > 45:
                    self._ring_bytes -= self._ring.popleft()[2].nbytes
                grey = frame if frame.ndim == 2 else cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY)
                yield StreamFrame(index, seconds, np.asarray(grey, np.uint8))
                index += 1
        finally:
            self._capture.release()

    def again(self) -> FrameReader:
        """Give a reader for frames that have passed."""
        return FrameReader(lambda index, _: self._kept(index))

    def _kept(self, index: int) -> Image:
        import cv2

        for here, _, packed in list(self._ring):
            if here == index:
                return np.asarray(cv2.cvtColor(cv2.imdecode(packed, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB), np.uint8)
        raise FrameReadError(f"{self.name}: frame {index} is no longer kept")

    def colours(self, start: int = 0) -> Iterator[tuple[int, float, Callable[[], Image]]]:
        """Give frames in order: number, time, and a function that gives the picture as RGB."""
        at = start
        while True:
            kept = {index: seconds for index, seconds, _ in list(self._ring)}
            if at in kept:
                yield at, kept[at], lambda index=at: self._kept(index)  # type: ignore[misc]
                at += 1
            elif kept and at < min(kept):
                at = min(kept)
            else:
                return


def _without_password(address: str) -> str:
    head, _, rest = address.partition("://")
    return f"{head}://{rest.rpartition('@')[2]}" if "@" in rest else address
