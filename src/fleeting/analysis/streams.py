"""Opening a recording: a file, a folder, a camera, an address, or frames in memory.

PyAV (``pip install "fleeting[av]"``) gives each frame the time that the file gives it; without it OpenCV's is taken.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fleeting.analysis.stream import Stream
from fleeting.analysis.stream_av import AvStream
from fleeting.analysis.stream_camera import CameraStream
from fleeting.analysis.stream_opencv import OpenCvStream
from fleeting.analysis.stream_source import SourceStream
from fleeting.clips import IMAGE_SUFFIXES, FrameFolder, FrameSource
from fleeting.errors import EmptyClipError, NotAClipError, UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Image = NDArray[np.uint8]

__all__ = ["is_live", "open_stream"]

_URLS = ("file://", "rtsp://", "rtsps://", "rtmp://", "http://", "https://", "udp://", "tcp://", "mms://")


def is_live(source: object) -> bool:
    """Tell whether a source is a camera's number or the address of a stream."""
    text = str(source)
    return isinstance(source, int) or text.isdecimal() or text.lower().startswith(_URLS)


def open_stream(
    source: str | os.PathLike[str] | int | FrameSource, *, fps: float | None = None, backend: str | None = None
) -> Stream:
    """Open a video file, a folder of frames, a camera by its number, an address, or frames in memory.

    Parameters
    ----------
    source : str or os.PathLike or int or FrameSource
        The recording.
    fps : float or None, optional
        Frames per second, for a folder, or to overrule what a file says; times then follow from it alone.
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
        return CameraStream(str(source), fps)
    if not isinstance(source, str | os.PathLike | int):
        return SourceStream(source, fps, "memory")
    path = Path(str(source))
    if not path.exists():
        raise NotAClipError(f"{path}: no such file or folder; expected a video, a folder of frames or a camera", path)
    if path.is_dir():
        return SourceStream(FrameFolder(path, fps=fps), fps, "images")
    if path.stat().st_size == 0:
        raise EmptyClipError(f"{path}: an empty file; expected a video", path)
    if path.suffix.lower() in IMAGE_SUFFIXES:
        raise NotAClipError(f"{path}: one picture; expected a video or a folder of frames", path)
    if backend is None:
        backend = "av" if _has_av() else "opencv"
    return AvStream(path, fps) if backend == "av" else OpenCvStream(path, fps)


def _has_av() -> bool:
    try:
        import av  # noqa: F401
    except ImportError:
        return False
    return True
