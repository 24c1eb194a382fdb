"""Frames of a video file by OpenCV, for where PyAV is not installed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fleeting.analysis.stream import FrameReader, Stream, StreamFrame
from fleeting.clips import VIDEO_SUFFIXES
from fleeting.errors import EmptyClipError, FrameReadError, NotAClipError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Image = NDArray[np.uint8]

__all__ = ["OpenCvStream"]


class OpenCvStream(Stream):
    """A file by OpenCV."""

    reader = "opencv"

    def __init__(self, path: Path, fps: float | None) -> None:
        super().__init__()
        import cv2

        self.path, self.name, self._given = path, path.name, fps
        capture = self._open()
        rate = float(capture.get(cv2.CAP_PROP_FPS))
        rate = rate if np.isfinite(rate) and 0 < rate < 10_000 else 0.0
        self.rotation = int(capture.get(cv2.CAP_PROP_ORIENTATION_META)) % 360
        promised = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
        ok, frame = capture.read()
        capture.release()
        if not ok or frame is None:
            raise EmptyClipError(f"{path}: no frame can be decoded; the video is empty or damaged", path)
        self.fps = float(fps or rate or 25.0)
        if not (fps or rate):
            self.notes.append("The file does not say how many frames per second it has; 25 are assumed. Pass --fps.")
        self.n_frames = promised if promised > 0 else None
        self.size = (int(frame.shape[1]), int(frame.shape[0]))

    def _open(self) -> Any:
        import cv2

        capture = cv2.VideoCapture(str(self.path), cv2.CAP_FFMPEG)
        if not capture.isOpened():
            raise NotAClipError(
                f"{self.path}: not a video that can be opened; expected one of {', '.join(VIDEO_SUFFIXES)} with a codec "
                "that FFmpeg knows, or a folder of frames",
                self.path,
            )
        return capture

    def _read(self, start: int) -> Iterator[tuple[int, float, Any]]:
        """Number, time, and the capture that has this frame ready."""
        import cv2

        capture = self._open()
        before: float | None = None
        index, zero = 0, 0.0
        try:
            while capture.grab():
                # Some readers give 0 for every frame.
                stated = float(capture.get(cv2.CAP_PROP_POS_MSEC)) / 1000
                if index == 0:
                    zero = stated
                seconds = stated - zero
                useless = index == 1 and seconds <= 0
                if useless or self._given is not None:
                    self._given = self._given or self.fps
                    seconds = index / self.fps
                if before is not None and seconds <= before:
                    seconds = before + 0.5 / self.fps
                before = seconds
                if index >= start:
                    yield index, seconds, capture
                index += 1
        finally:
            capture.release()

    def frames(self, start: int = 0) -> Iterator[StreamFrame]:
        """Give frames in order from number ``start`` on."""
        import cv2

        before: float | None = None
        count = start
        for index, seconds, capture in self._read(start):
            ok, frame = capture.retrieve()
            self.note_step(before, seconds)
            before, count = seconds, index + 1
            grey = None
            if ok and frame is not None:
                grey = np.asarray(frame if frame.ndim == 2 else cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY), np.uint8)
            yield StreamFrame(index, seconds, grey)
        if self.n_frames is not None and count < 0.98 * self.n_frames - 2:
            self.notes.append(
                f"{count} frames can be decoded where the file promises {self.n_frames}; the rest is damaged or missing."
            )

    def colours(self, start: int = 0) -> Iterator[tuple[int, float, Callable[[], Image]]]:
        """Give frames in order: number, time, and a function that gives the picture as RGB."""
        for index, seconds, capture in self._read(start):
            yield index, seconds, lambda capture=capture: _retrieved(capture)  # type: ignore[misc]

    def again(self) -> FrameReader:
        """Give a reader for frames that have passed."""
        state: dict[str, Any] = {"frames": None, "next": 0}

        def frame_at(index: int, seconds: float) -> Image:
            if state["frames"] is None or index < state["next"]:
                state["frames"], state["next"] = self._read(0), 0
            for here, _, capture in state["frames"]:
                state["next"] = here + 1
                if here == index:
                    return _retrieved(capture)
            raise FrameReadError(f"{self.path}: frame {index} cannot be decoded", self.path)

        return FrameReader(frame_at)


def _retrieved(capture: Any) -> Image:
    import cv2

    ok, frame = capture.retrieve()
    if not ok or frame is None:
        raise FrameReadError("a frame cannot be decoded")
    return np.asarray(cv2.cvtColor(frame, cv2.COLOR_GRAY2RGB if frame.ndim == 2 else cv2.COLOR_BGR2RGB), np.uint8)
