"""Frames of a video file by PyAV: exact times, any pixel format, and places are found by time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fleeting.analysis.stream import UNEVEN, FrameReader, Stream, StreamFrame
from fleeting.clips import VIDEO_SUFFIXES
from fleeting.errors import EmptyClipError, FrameReadError, NotAClipError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Image = NDArray[np.uint8]

__all__ = ["AvStream"]

# Formats whose first plane is the brightness, a byte per pixel.
_LUMA_FIRST = ("yuv420p", "yuvj420p", "yuv422p", "yuvj422p", "yuv444p", "yuvj444p", "nv12", "nv21", "gray")
# Reading on costs less than finding a key frame as long as this many frames are to be passed over.
_SKIP = 200


class AvStream(Stream):
    """A file by PyAV: exact times, any pixel format, and places are found by time."""

    reader = "av"

    def __init__(self, path: Path, fps: float | None) -> None:
        super().__init__()
        self.path, self.name, self._given = path, path.name, fps
        with self._open() as container:
            video = container.streams.video[0]
            average = float(video.average_rate or video.guessed_rate or 0)
            self.n_frames = int(video.frames) or None
            times = []
            for packet in container.demux(video):
                if packet.pts is not None and packet.time_base is not None:
                    times.append(float(packet.pts * packet.time_base))
                if len(times) >= 300:
                    break
            seconds = float(video.duration * video.time_base) if video.duration and video.time_base else 0.0
            if not seconds and container.duration:
                seconds = container.duration / 1_000_000
        steps = np.diff(np.sort(np.array(times)))
        steps = steps[steps > 1e-6]
        usual = 1 / float(np.median(steps)) if len(steps) else 0.0
        uneven = len(steps) > 0 and float(np.mean(np.abs(steps * usual - 1) > UNEVEN)) > 0.01
        rate = usual if uneven or not 0 < average < 10_000 else average
        self.fps = float(fps or rate or 25.0)
        if not (fps or rate):
            self.notes.append("The file does not say how many frames per second it has; 25 are assumed. Pass --fps.")
        if self.n_frames is None and seconds:
            self.n_frames = max(1, round(seconds * self.fps))
        first = next(self._decoded(), None)
        if first is None:
            raise EmptyClipError(f"{path}: no frame can be decoded; the video is empty or damaged", path)
        frame = first[1]
        self.rotation = -int(getattr(frame, "rotation", 0) or 0) % 360
        width, height = frame.width, frame.height
        self.size = (height, width) if self.rotation in (90, 270) else (width, height)
        self._origin = first[0] if first[0] is not None else 0.0
        with self._open() as container:
            codec = container.streams.video[0].codec_context.name
        self.details = {"codec": codec, "pixel_format": frame.format.name}

    def _open(self) -> Any:
        import av

        try:
            container = av.open(str(self.path))
        except (av.error.FFmpegError, OSError, ValueError) as exc:
            raise NotAClipError(
                f"{self.path}: not a video that can be opened ({exc}); expected one of {', '.join(VIDEO_SUFFIXES)}",
                self.path,
            ) from exc
        if not container.streams.video:
            container.close()
            raise NotAClipError(f"{self.path}: a file without a picture; expected a video", self.path)
        container.streams.video[0].thread_type = "AUTO"
        return container

    def _decoded(self, seconds: float | None = None) -> Iterator[tuple[float | None, Any]]:
        """Frames with their times from the key frame before ``seconds`` on; what cannot be decoded is passed over."""
        import av

        with self._open() as container:
            video = container.streams.video[0]
            if seconds is not None and video.time_base is not None:
                at = int((seconds + self._origin) / video.time_base)
                container.seek(max(0, at), stream=video, backward=True)
            packets = container.demux(video)
            while True:
                try:
                    packet = next(packets)
                except StopIteration:
                    return
                except (av.error.FFmpegError, OSError):
                    return
                try:
                    frames = packet.decode()
                except (av.error.FFmpegError, OSError, ValueError):
                    continue
                for frame in frames:
                    yield (None if frame.pts is None else float(frame.pts * frame.time_base)), frame

    def _timed_frames(self, start: int) -> Iterator[tuple[int, float, Any]]:
        before: float | None = None
        index = -1
        for index, (pts, frame) in enumerate(self._decoded()):
            known = self._given is None and pts is not None
            seconds = pts - self._origin if known and pts is not None else index / self.fps
            if before is not None and seconds <= before:
                seconds = before + 0.5 / self.fps  # times that do not rise are no times
            before = seconds
            if index >= start:
                yield index, seconds, frame

    def frames(self, start: int = 0) -> Iterator[StreamFrame]:
        """Give frames in order from number ``start`` on."""
        before: float | None = None
        count = start
        for index, seconds, frame in self._timed_frames(start):
            self.note_step(before, seconds)
            before, count = seconds, index + 1
            yield StreamFrame(index, seconds, _turned(_luma(frame), self.rotation))
        if self.n_frames is not None and count < 0.98 * self.n_frames - 2:
            self.notes.append(
                f"{count} frames can be decoded where the file promises {self.n_frames}; the rest is damaged or missing."
            )

    def colours(self, start: int = 0) -> Iterator[tuple[int, float, Callable[[], Image]]]:
        """Give frames in order: number, time, and a function that gives the picture as RGB."""
        for index, seconds, frame in self._timed_frames(start):
            yield index, seconds, lambda frame=frame: self._picture(frame)  # type: ignore[misc]

    def _picture(self, frame: Any) -> Image:
        return _turned(np.asarray(frame.to_ndarray(format="rgb24"), np.uint8), self.rotation)

    def again(self) -> FrameReader:
        """Give a reader for frames that have passed."""
        # Without times of its own a frame can only be found by counting.
        counted = self._given is not None
        state: dict[str, Any] = {"frames": None, "next": None}

        def restart(index: int, seconds: float) -> None:
            if counted:
                state["frames"], state["next"] = self._timed_frames(0), 0
            else:
                state["frames"], state["next"] = self._decoded(seconds), None

        def frame_at(index: int, seconds: float) -> Image:
            upcoming = state["next"]
            if upcoming is None or not upcoming <= index < upcoming + _SKIP:
                restart(index, seconds)
            for item in state["frames"]:
                if counted:
                    here, _, frame = item
                elif state["next"] is None:
                    pts, frame = item
                    if pts is None or pts - self._origin < seconds - 0.25 / self.fps:
                        continue
                    here = index
                else:
                    here, frame = state["next"], item[1]
                state["next"] = here + 1
                if here == index:
                    return self._picture(frame)
            state["next"] = None
            raise FrameReadError(f"{self.path}: frame {index} cannot be decoded", self.path)

        return FrameReader(frame_at)


def _luma(frame: Any) -> Image:
    if frame.format.name not in _LUMA_FIRST:
        frame = frame.reformat(format="gray")
    plane = frame.planes[0]
    rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
    return np.ascontiguousarray(rows[: frame.height, : frame.width])


def _turned(image: Image, rotation: int) -> Image:
    turns = (rotation // 90) % 4
    return np.ascontiguousarray(np.rot90(image, -turns)) if turns else image
