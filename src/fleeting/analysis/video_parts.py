"""The annotated video on disk: parts that survive a kill, and one file made of them."""

from __future__ import annotations

import os
import re
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fleeting.errors import FleetingError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["VideoPart", "join_parts"]

_TICKS = 90_000
_NAME = re.compile(r"part_(\d{9})_(\d{9})\.mp4$")


class VideoPart:
    """One part of the video, under another name until it is whole.

    Parameters
    ----------
    folder : pathlib.Path
        The folder of the parts.
    first : int
        First frame of the recording in it.
    shape : tuple of int
        Shape of a picture, ``(H, W, 3)``.
    fps : float
        Frames per second.
    """

    def __init__(self, folder: Path, first: int, shape: tuple[int, ...], fps: float) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._first = folder, first
        self._path = folder / f"writing_{first:09d}.mp4"
        self._writer = _writer(self._path, (shape[1], shape[0]), fps)
        self._shape = shape

    def write(self, image: NDArray[np.uint8], seconds: float) -> None:
        """Write a picture, ``uint8`` RGB, that is shown ``seconds`` after the part's begin."""
        import cv2

        if image.shape != self._shape:  # a stream may change its size
            image = np.asarray(cv2.resize(image, (self._shape[1], self._shape[0])), np.uint8)
        self._writer.write(image, seconds)

    def close(self, last: int, whole: bool = True) -> None:
        """End the part with frame ``last``; it keeps its other name if it is not ``whole``."""
        self._writer.close()
        if whole:
            self._path.replace(self._folder / f"part_{self._first:09d}_{last:09d}.mp4")


class _AvWriter:
    """H.264, which browsers play, with the time of each frame."""

    def __init__(self, path: Path, size: tuple[int, int], fps: float) -> None:
        import av

        # In fragments, so that what is there can be played whenever writing ends.
        self._container: Any = av.open(
            str(path), "w", options={"movflags": "frag_keyframe+empty_moov+default_base_moof"}
        )
        options = {"preset": "ultrafast", "tune": "zerolatency", "crf": "24"}
        rate = Fraction(round(fps * 1000), 1000)
        self._video = self._container.add_stream("libx264", rate=rate, options=options)
        self._video.width, self._video.height, self._video.pix_fmt = *size, "yuv420p"
        self._video.codec_context.time_base = Fraction(1, _TICKS)
        self._video.codec_context.gop_size = max(1, round(2 * fps))
        self._last = -1

    def write(self, image: NDArray[np.uint8], seconds: float) -> None:
        import av

        frame = av.VideoFrame.from_ndarray(image, format="rgb24")
        frame.pts = self._last = max(self._last + 1, round(seconds * _TICKS))
        frame.time_base = Fraction(1, _TICKS)
        for packet in self._video.encode(frame):
            self._container.mux(packet)

    def close(self) -> None:
        for packet in self._video.encode():
            self._container.mux(packet)
        self._container.close()


class _OpenCvWriter:
    """MPEG-4 at an even rate."""

    def __init__(self, path: Path, size: tuple[int, int], fps: float) -> None:
        import cv2

        self._writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), fps, size)
        if not self._writer.isOpened():
            raise FleetingError(f"{path}: OpenCV cannot write this video; install PyAV: pip install 'fleeting[av]'")

    def write(self, image: NDArray[np.uint8], seconds: float) -> None:
        del seconds
        self._writer.write(np.ascontiguousarray(image[..., ::-1]))

    def close(self) -> None:
        self._writer.release()


def _writer(path: Path, size: tuple[int, int], fps: float) -> _AvWriter | _OpenCvWriter:
    try:
        import av
    except ImportError:
        return _OpenCvWriter(path, size, fps)
    if "libx264" not in av.codecs_available:
        return _OpenCvWriter(path, size, fps)
    return _AvWriter(path, size, fps)


def join_parts(folder: Path, out: Path, fps: float) -> Path | None:
    """Join the whole parts of a folder, and the one that was being written, to one video; ``None`` if there is none.

    Parameters
    ----------
    folder : pathlib.Path
        The folder of the parts.
    out : pathlib.Path
        The video.
    fps : float
        Frames per second of the parts, for those that do not say.
    """
    parts = sorted(path for path in folder.glob("*.mp4") if _NAME.search(path.name))
    covered = max((int(_NAME.search(p.name).group(2)) for p in parts), default=-1)  # type: ignore[union-attr]
    parts += [p for p in sorted(folder.glob("writing_*.mp4")) if int(p.stem[8:]) > covered]
    if not parts:
        return None
    temporary = folder / "joined.mp4"
    try:
        import av  # noqa: F401

        _join_av(parts, temporary)
    except ImportError:
        _join_opencv(parts, temporary, fps)
    os.replace(temporary, out)  # noqa: PTH105
    return out


def _join_av(parts: list[Path], out: Path) -> None:
    import av

    with av.open(str(out), "w", options={"movflags": "faststart"}) as made:
        video: Any = None
        begin = 0
        for path in parts:
            end = begin
            try:
                with av.open(str(path)) as part:
                    source = part.streams.video[0]
                    if video is None:
                        video = made.add_stream_from_template(source)
                        video.time_base = Fraction(1, _TICKS)
                    step = _TICKS // 30
                    before: int | None = None
                    for packet in part.demux(source):
                        if packet.pts is None or packet.time_base is None:
                            continue
                        at = round(float(packet.pts * packet.time_base) * _TICKS)
                        if before is not None and at > before:
                            step = at - before
                        before = at
                        packet.pts = packet.dts = begin + at
                        packet.time_base = Fraction(1, _TICKS)
                        packet.stream = video
                        made.mux(packet)
                        end = begin + at + step
            except av.error.FFmpegError:
                pass  # the part that was being written when the power went
            begin = end


def _join_opencv(parts: list[Path], out: Path, fps: float) -> None:
    import cv2

    writer: Any = None
    for path in parts:
        capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
        while True:
            ok, frame = capture.read()
            if not ok or frame is None:
                break
            if writer is None:
                rate = capture.get(cv2.CAP_PROP_FPS) or fps
                size = (frame.shape[1], frame.shape[0])
                writer = cv2.VideoWriter(str(out), cv2.VideoWriter.fourcc(*"mp4v"), rate, size)
            writer.write(frame)
        capture.release()
    if writer is not None:
        writer.release()
