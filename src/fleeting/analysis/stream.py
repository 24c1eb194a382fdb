"""Frames of a recording in order, each with its time, one in memory at a time: files, folders, cameras and streams.

PyAV (``pip install "fleeting[av]"``) gives each frame the time that the file gives it; without it OpenCV's is taken.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fleeting.clips import IMAGE_SUFFIXES, VIDEO_SUFFIXES, FrameFolder, FrameSource, read_each
from fleeting.errors import ClipReadError, EmptyClipError, FrameReadError, NotAClipError, UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Image = NDArray[np.uint8]

__all__ = ["FrameReader", "Stream", "StreamFrame", "is_live", "open_stream"]

_URLS = ("file://", "rtsp://", "rtsps://", "rtmp://", "http://", "https://", "udp://", "tcp://", "mms://")
# Formats whose first plane is the brightness, a byte per pixel.
_LUMA_FIRST = ("yuv420p", "yuvj420p", "yuv422p", "yuvj422p", "yuv444p", "yuvj444p", "nv12", "nv21", "gray")
# Reading on costs less than finding a key frame as long as this many frames are to be passed over.
_SKIP = 200
_UNEVEN = 0.2  # an interval that differs by more of the usual one makes a frame rate variable
_RING_BYTES = 160 << 20


class StreamFrame(NamedTuple):
    """A frame: its 0-based number, its time in seconds, and its picture in grey; ``None`` if it cannot be decoded."""

    number: int
    seconds: float
    grey: Image | None


class FrameReader:
    """Single frames of a stream in colour, in any order; rising order is cheapest.

    Parameters
    ----------
    frame_at : callable
        What decodes frame ``index`` at ``seconds``.
    """

    def __init__(self, frame_at: Callable[[int, float], Image], close: Callable[[], None] = lambda: None) -> None:
        self._frame_at, self.close = frame_at, close

    def frame(self, index: int, seconds: float) -> Image:
        """Frame ``index``, whose time is ``seconds``, as ``uint8`` RGB ``(H, W, 3)``.

        Raises
        ------
        FrameReadError
            If it cannot be decoded (any more).
        """
        return self._frame_at(index, seconds)


class Stream:
    """A recording, or what comes from a camera.

    Attributes
    ----------
    name : str
        What it is called: a file name, a camera, an address.
    fps : float
        Frames a second; the usual rate where it varies.
    size : tuple of (int, int)
        Width and height as shown, after rotation.
    n_frames : int or None
        How many there should be; ``None`` if nobody knows.
    rotation : int
        Degrees clockwise by which the file says it is to be turned; the frames are turned already.
    vfr : bool
        Whether the time between frames varies. Known for certain when all have been read.
    live : bool
        Whether frames are gone once they have been read.
    reader : str
        What decodes: ``"av"``, ``"opencv"``, ``"images"`` or ``"memory"``.
    details : dict of str to object
        Further facts, such as codec and pixel format.
    notes : list of str
        What went wrong while reading, in plain sentences.
    """

    name: str = ""
    fps: float = 25.0
    size: tuple[int, int] = (0, 0)
    n_frames: int | None = None
    rotation: int = 0
    live: bool = False
    reader: str = ""

    def __init__(self) -> None:
        self.details: dict[str, Any] = {}
        self.notes: list[str] = []
        self._intervals = 0
        self._uneven = 0
        self.stopped = False

    def frames(self, start: int = 0) -> Iterator[StreamFrame]:
        """Frames in order from number ``start`` on."""
        raise NotImplementedError

    def again(self) -> FrameReader:
        """A reader for frames that have passed."""
        raise NotImplementedError

    def colours(self, start: int = 0) -> Iterator[tuple[int, float, Callable[[], Image]]]:
        """Frames in order: number, time, and a function that gives the picture as RGB."""
        raise NotImplementedError

    def stop(self) -> None:
        """End the frames of a camera or an address."""
        self.stopped = True

    @property
    def vfr(self) -> bool:
        """Whether the time between frames varies by more than a fifth, in more than one of a hundred."""
        return self._uneven > max(1, 0.01 * self._intervals)

    @property
    def duration(self) -> float | None:
        """Seconds, as far as they are known beforehand."""
        return None if self.n_frames is None else self.n_frames / self.fps

    def _timed(self, before: float | None, now: float) -> None:
        if before is not None:
            self._intervals += 1
            self._uneven += abs((now - before) * self.fps - 1) > _UNEVEN


def is_live(source: object) -> bool:
    """Whether a source is a camera's number or the address of a stream."""
    text = str(source)
    return isinstance(source, int) or text.isdecimal() or text.lower().startswith(_URLS)


def open_stream(
    source: str | os.PathLike[str] | int | FrameSource, *, fps: float | None = None, backend: str | None = None
) -> Stream:
    """Open a video file, a folder of frames, a camera by its number, an address, or frames in memory.

    Parameters
    ----------
    source : str or os.PathLike or int or FrameSource
        What to read.
    fps : float or None, optional
        Frames a second, for a folder, or to overrule what a file says; times then follow from it alone.
    backend : str or None, optional
        ``"av"`` or ``"opencv"``; PyAV if it is installed by default.

    Raises
    ------
    ClipReadError
        If there is nothing that can be read.
    UsageError
        If the frame rate of a folder is not given.
    """
    if fps is not None and not 0 < fps <= 100_000:
        raise UsageError(f"frames per second must be positive, found {fps}")
    if is_live(source):
        return _CameraStream(str(source), fps)
    if not isinstance(source, str | os.PathLike | int):
        return _SourceStream(source, fps, "memory")
    path = Path(str(source))
    if not path.exists():
        raise NotAClipError(f"{path}: no such file or folder; expected a video, a folder of frames or a camera", path)
    if path.is_dir():
        return _SourceStream(FrameFolder(path, fps=fps), fps, "images")
    if path.stat().st_size == 0:
        raise EmptyClipError(f"{path}: an empty file; expected a video", path)
    if path.suffix.lower() in IMAGE_SUFFIXES:
        raise NotAClipError(f"{path}: one picture; expected a video or a folder of frames", path)
    if backend is None:
        backend = "av" if _has_av() else "opencv"
    return _AvStream(path, fps) if backend == "av" else _OpenCvStream(path, fps)


def _has_av() -> bool:
    try:
        import av  # noqa: F401
    except ImportError:
        return False
    return True


class _SourceStream(Stream):
    """Images of a folder, or any other frame source."""

    def __init__(self, source: FrameSource, fps: float | None, reader: str) -> None:
        super().__init__()
        rate = fps or source.fps
        if rate is None:
            raise UsageError(
                "a folder of frames has no frame rate, without which nothing has a duration; give it with --fps"
            )
        self._source = source
        self.name = Path(getattr(source, "path", "frames")).name
        self.fps, self.size, self.n_frames, self.reader = float(rate), source.size, len(source), reader
        gaps = getattr(source, "gaps", [])
        if gaps:
            self.notes.append(
                f"{sum(last - first + 1 for first, last in gaps)} numbers are missing among the images, the first "
                f"{gaps[0][0]}: time jumps there."
            )

    def frames(self, start: int = 0) -> Iterator[StreamFrame]:
        import cv2

        grey = getattr(self._source, "grey", None)
        if grey is not None:
            for index in range(start, len(self._source)):
                yield StreamFrame(index, index / self.fps, grey(index))
            return
        bad = 0
        for index, frame in read_each(self._source, range(start, len(self._source))):
            if isinstance(frame, FrameReadError):
                bad += 1
                yield StreamFrame(index, index / self.fps, None)
                continue
            yield StreamFrame(index, index / self.fps, np.asarray(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), np.uint8))
        if bad:
            self.notes.append(f"{bad} frames cannot be read; they count as frames without a face.")

    def colours(self, start: int = 0) -> Iterator[tuple[int, float, Callable[[], Image]]]:
        for index in range(start, len(self._source)):
            yield index, index / self.fps, lambda index=index: self._picture(index)  # type: ignore[misc]

    def _picture(self, index: int) -> Image:
        try:
            return self._source[index]
        except IndexError as exc:
            raise FrameReadError(str(exc)) from exc

    def again(self) -> FrameReader:
        return FrameReader(lambda index, _: self._picture(index))


class _AvStream(Stream):
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
        uneven = len(steps) > 0 and float(np.mean(np.abs(steps * usual - 1) > _UNEVEN)) > 0.01
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
        before: float | None = None
        count = start
        for index, seconds, frame in self._timed_frames(start):
            self._timed(before, seconds)
            before, count = seconds, index + 1
            yield StreamFrame(index, seconds, _turned(_luma(frame), self.rotation))
        if self.n_frames is not None and count < 0.98 * self.n_frames - 2:
            self.notes.append(
                f"{count} frames can be decoded where the file promises {self.n_frames}; the rest is damaged or missing."
            )

    def colours(self, start: int = 0) -> Iterator[tuple[int, float, Callable[[], Image]]]:
        for index, seconds, frame in self._timed_frames(start):
            yield index, seconds, lambda frame=frame: self._picture(frame)  # type: ignore[misc]

    def _picture(self, frame: Any) -> Image:
        return _turned(np.asarray(frame.to_ndarray(format="rgb24"), np.uint8), self.rotation)

    def again(self) -> FrameReader:
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


class _OpenCvStream(Stream):
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
        import cv2

        before: float | None = None
        count = start
        for index, seconds, capture in self._read(start):
            ok, frame = capture.retrieve()
            self._timed(before, seconds)
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
        for index, seconds, capture in self._read(start):
            yield index, seconds, lambda capture=capture: _retrieved(capture)  # type: ignore[misc]

    def again(self) -> FrameReader:
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


class _CameraStream(Stream):
    """A camera or an address. The last half minute is kept, compressed, to be looked at again."""

    reader = "opencv"
    live = True

    def __init__(self, source: str, fps: float | None) -> None:
        super().__init__()
        import cv2

        number = source.isdecimal()
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
        import cv2

        begun, index, before = time.monotonic(), start, None
        try:
            while not self.stopped:
                ok, frame = self._capture.read()
                if not ok or frame is None:
                    self.notes.append(f"The stream ended after frame {index - 1}.")
                    return
                seconds = time.monotonic() - begun
                self._timed(before, seconds)
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
        return FrameReader(lambda index, _: self._kept(index))

    def _kept(self, index: int) -> Image:
        import cv2

        for here, _, packed in list(self._ring):
            if here == index:
                return np.asarray(cv2.cvtColor(cv2.imdecode(packed, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB), np.uint8)
        raise FrameReadError(f"{self.name}: frame {index} is no longer kept")

    def colours(self, start: int = 0) -> Iterator[tuple[int, float, Callable[[], Image]]]:
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
