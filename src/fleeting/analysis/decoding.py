"""Decoding a recording in a thread of its own, a few frames ahead of what looks at them."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator

from fleeting.analysis.stream import Stream, StreamFrame

__all__ = ["DecodeAhead"]

# Enough to bridge a look for the face, not more than this many bytes.
_AHEAD, _AHEAD_BYTES = 24, 48 << 20


class DecodeAhead:
    """Frames of a stream in order. Those of a camera that nobody takes in time are dropped.

    Parameters
    ----------
    stream : Stream
        The recording.
    start : int
        First frame.

    Attributes
    ----------
    dropped : int
        Frames that came too fast.
    """

    def __init__(self, stream: Stream, start: int) -> None:
        pixels = max(1, stream.size[0] * stream.size[1])
        self._frames: queue.Queue[StreamFrame | BaseException | None] = queue.Queue(
            max(2, min(_AHEAD, _AHEAD_BYTES // pixels))
        )
        self._stream, self._start, self._ended = stream, start, threading.Event()
        self.dropped = 0
        self._thread = threading.Thread(target=self._run, name="decoding", daemon=True)

    def __iter__(self) -> Iterator[StreamFrame]:
        self._thread.start()
        while True:
            item = self._frames.get()
            if item is None:
                return
            if isinstance(item, BaseException):
                raise item
            yield item

    def end(self) -> None:
        """Stop decoding, and wait for the thread."""
        self._ended.set()
        self._stream.stop()
        while self._thread.is_alive():
            try:
                self._frames.get(timeout=0.05)
            except queue.Empty:
                continue

    def _put(self, item: StreamFrame | BaseException | None) -> None:
        while not self._ended.is_set():
            try:
                self._frames.put(item, timeout=0.1)
                return
            except queue.Full:
                if self._stream.live and isinstance(item, StreamFrame):
                    self.dropped += 1
                    return

    def _run(self) -> None:
        import cv2

        cv2.setNumThreads(1)
        frames = self._stream.frames(self._start)
        try:
            for frame in frames:
                self._put(frame)
                if self._ended.is_set():
                    break
            self._put(None)
        except BaseException as exc:
            self._put(exc)
        finally:
            frames.close()  # type: ignore[attr-defined]
