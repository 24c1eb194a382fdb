"""The frames of a clip as a video file."""

from __future__ import annotations

import hashlib
import os
import stat
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fleeting.clips.frames import LEAST_RATE, MOST_RATE, IndexedFrames, file_stamp, look_at, position
from fleeting.errors import EmptyClipError, FrameReadError, NotAClipError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Image = NDArray[np.uint8]

__all__ = ["VIDEO_SUFFIXES", "VideoFile"]

VIDEO_SUFFIXES = (".mp4", ".mov", ".avi", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg", ".wmv")


class VideoFile(IndexedFrames):
    """The frames of a video file, decoded one at a time by OpenCV's FFmpeg.

    Reading in rising order is a single pass; going back reopens the file. Containers often promise more frames
    than can be decoded: the first complete pass finds the true number, and :attr:`truncated` says that it differed.

    Parameters
    ----------
    path : str or os.PathLike
        The file. Rotation metadata is applied.

    Raises
    ------
    NotAClipError
        If it does not exist, is a folder, or FFmpeg cannot open it.
    EmptyClipError
        If it is an empty file or not a single frame can be decoded.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        found = look_at(self.path, "a file of video")
        if not stat.S_ISREG(found.st_mode):
            kind = "a folder" if stat.S_ISDIR(found.st_mode) else "a pipe or device"
            raise NotAClipError(f"{self.path}: {kind}; expected a video file", self.path)
        if found.st_size == 0:
            raise EmptyClipError(f"{self.path}: an empty file; expected a video", self.path)
        self._capture: Any = None
        self._next = 0
        import cv2

        capture = self._open()
        fps = float(capture.get(cv2.CAP_PROP_FPS))
        self._fps = fps if LEAST_RATE <= fps <= MOST_RATE else None
        promised = float(capture.get(cv2.CAP_PROP_FRAME_COUNT))
        ok, frame = capture.read()
        if not ok or frame is None:
            capture.release()
            raise EmptyClipError(f"{self.path}: no frame can be decoded; the video is empty or damaged", self.path)
        self._size = (int(frame.shape[1]), int(frame.shape[0]))
        self._next = 1
        self.truncated = False
        # Streams and damaged files promise 0, or more frames than bytes: only counting tells.
        self._length = int(promised) if 1 <= promised <= found.st_size else self._count()

    def __repr__(self) -> str:
        return f"VideoFile({str(self.path)!r}, {len(self)} frames)"

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_capture": None, "_next": 0}

    def _open(self) -> Any:
        import cv2

        self.close()
        try:
            capture = cv2.VideoCapture(str(self.path), cv2.CAP_FFMPEG)
        except (UnicodeError, TypeError, SystemError, cv2.error) as exc:
            raise NotAClipError(f"{self.path}: OpenCV cannot open a file of this name; rename it", self.path) from exc
        if not capture.isOpened():
            raise NotAClipError(
                f"{self.path}: not a video that can be opened; expected one of {', '.join(VIDEO_SUFFIXES)} "
                "with a codec that FFmpeg knows, or a folder of frames",
                self.path,
            )
        self._capture, self._next = capture, 0
        return capture

    def close(self) -> None:
        """Release the decoder; reading again reopens the file."""
        if self._capture is not None:
            self._capture.release()
            self._capture = None

    def _count(self) -> int:
        capture = self._open()
        count = 0
        while capture.grab():
            count += 1
        self.close()
        return count

    def __len__(self) -> int:
        return self._length

    @property
    def fps(self) -> float | None:
        """Average frames per second as the container says; ``None`` if it says nothing that a camera can have."""
        return self._fps

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the decoded frames, in pixels."""
        return self._size

    def __getitem__(self, index: int) -> Image:
        index = position(index, len(self), self.path)
        for _, frame in self.read([index]):
            return frame
        raise FrameReadError(
            f"{self.path}: frame {index} cannot be decoded; the video ends after frame {len(self) - 1}",
            self.path,
        )

    def read(self, indexes: Iterable[int]) -> Iterator[tuple[int, Image]]:
        """Yield ``(index, frame)`` for each distinct index in rising order, in one pass over the file.

        A video that ends early yields what there is, with one warning, and is shorter from then on.
        """
        import cv2

        for index in sorted({position(i, len(self), self.path) for i in indexes}):
            if self._capture is None or self._next > index:
                self._open()
            # Seeking by index is inexact with B-frames and variable rates; stepping is exact and cheap enough.
            while self._next < index and self._capture.grab():
                self._next += 1
            ok, frame = self._capture.read() if self._next == index else (False, None)
            if not ok or frame is None:
                self._end_at(self._next)
                return
            self._next += 1
            yield index, np.asarray(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB), dtype=np.uint8)

    def _end_at(self, length: int) -> None:
        if length == 0:
            raise EmptyClipError(f"{self.path}: no frame can be decoded any more", self.path)
        warnings.warn(
            f"{self.path}: {length} frames can be decoded where the file promises {self._length}; "
            "the rest is damaged or missing",
            stacklevel=3,
        )
        self._length, self.truncated = length, True
        self.close()

    def stamp(self) -> str | None:
        """Stamp its files; see :func:`fleeting.clips.frames.file_stamp`."""
        return file_stamp([self.path])

    def digest(self) -> str:
        """Compute the BLAKE2 hash over the file's bytes.

        Raises
        ------
        FrameReadError
            If the file is gone, or cannot be read.
        """
        try:
            with self.path.open("rb") as file:
                state = hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16))
        except OSError as exc:
            raise FrameReadError(f"{self.path}: cannot be read ({exc.strerror or exc})", self.path) from exc
        return state.hexdigest()
