"""The frames of a clip as images in a folder."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import re
import stat
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fleeting.clips.frames import (
    IndexedFrames,
    check_rate,
    file_stamp,
    frame_or_error,
    look_at,
    one_by_one,
    position,
    read_content,
)
from fleeting.errors import EmptyClipError, FrameReadError, NotAClipError
from fleeting.parallel import available_cores

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Image = NDArray[np.uint8]

__all__ = ["IMAGE_SUFFIXES", "FrameFolder", "read_image"]

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp")

# Images decoded at a time, each by a thread of its own; and how far they may run ahead of who asks, in frames.
_MOST_THREADS = 8
_AHEAD = 2

_LAST_INTEGER = re.compile(r"(\d+)(?!.*\d)")
_MOST = 2**62


def decoding_threads() -> int:
    """Count the threads that decode images in this process: none of their own in a worker."""
    return 1 if multiprocessing.parent_process() is not None else min(_MOST_THREADS, available_cores())


class FrameFolder(IndexedFrames):
    """The frames of one clip as images in a folder (jpg, png or bmp).

    Frames are ordered by the *last* integer in the file name, so ``img46.jpg`` precedes ``img100.jpg`` and padded
    and unpadded numbers may be mixed. Other files are passed over. Every image is read only when it is asked for, or
    shortly before: see :func:`read_each`.

    Parameters
    ----------
    path : str or os.PathLike
        The folder.
    fps : float or None, optional
        Frames per second; a folder does not know them.

    Attributes
    ----------
    numbers : numpy.ndarray of int64
        Number in each file name (``img46.jpg`` is 46), to which annotations refer; -1 without one.
    gaps : list of tuple of (int, int)
        Runs of numbers that are missing between the first frame and the last, as ``(first, last)``.

    Raises
    ------
    NotAClipError
        If ``path`` does not exist, is not a folder, or cannot be listed.
    EmptyClipError
        If it holds no image.
    UsageError
        If ``fps`` is not positive, or beyond every camera.
    """

    def __init__(self, path: str | os.PathLike[str], fps: float | None = None) -> None:
        self.path = Path(path)
        if not stat.S_ISDIR(look_at(self.path, "a folder of frames").st_mode):
            raise NotAClipError(f"{self.path}: a file; expected a folder of frames", self.path)
        check_rate(fps, self.path)
        self._fps = fps
        try:
            with os.scandir(self.path) as entries:
                listed = list(entries)
        except OSError as exc:
            raise NotAClipError(f"{self.path}: cannot be listed ({exc.strerror or exc})", self.path) from exc
        found = [
            entry.name
            for entry in listed
            if entry.name.lower().endswith(IMAGE_SUFFIXES) and not entry.name.startswith(".") and _is_file(entry)
        ]
        if not found:
            raise EmptyClipError(
                f"{self.path}: no frames among its {len(listed)} entries; expected images "
                f"({', '.join(IMAGE_SUFFIXES)}) with a number in their names",
                self.path,
            )
        numbered = sorted((_number(name), name) for name in found)
        self.names: tuple[str, ...] = tuple(name for _, name in numbered)
        # A name may hold more digits than 64 bits do; its place in the order is right, and its gap shows.
        self.numbers: NDArray[np.int64] = np.array([min(number, _MOST) for number, _ in numbered], dtype=np.int64)

    def __repr__(self) -> str:
        return f"FrameFolder({str(self.path)!r}, {len(self)} frames)"

    def __len__(self) -> int:
        return len(self.names)

    @property
    def fps(self) -> float | None:
        """Frames per second as given, or ``None``."""
        return self._fps

    @cached_property
    def size(self) -> tuple[int, int]:
        """Width and height of the first readable frame, in pixels."""
        error: FrameReadError | None = None
        for index in range(len(self)):
            try:
                height, width = self[index].shape[:2]
            except FrameReadError as exc:
                error = error or exc
                continue
            return width, height
        assert error is not None
        raise error

    @property
    def gaps(self) -> list[tuple[int, int]]:
        """Runs of frame numbers that are missing, as ``(first, last)``."""
        steps = np.flatnonzero(np.diff(self.numbers) > 1)
        return [(int(self.numbers[i]) + 1, int(self.numbers[i + 1]) - 1) for i in steps]

    def index_of(self, number: int) -> int:
        """Find the 0-based index of the frame numbered ``number``; of the next one on disk if that frame is missing.

        A number past the last frame gives the last index, one before the first gives 0.
        """
        return min(int(np.searchsorted(self.numbers, number)), len(self) - 1)

    def __getitem__(self, index: int) -> Image:
        return read_image(self.path / self.names[position(index, len(self), self.path)])

    def read(self, indexes: Iterable[int]) -> Iterator[tuple[int, Image]]:
        """Yield ``(index, frame)`` for each distinct index in rising order; images are decoded a little ahead."""
        for index, frame in self.read_each([position(i, len(self), self.path) for i in indexes]):
            if isinstance(frame, FrameReadError):
                raise frame
            yield index, frame

    def read_each(self, indexes: Iterable[int]) -> Iterator[tuple[int, Image | FrameReadError]]:
        """Yield each frame or its error; see :func:`fleeting.clips.read_each`."""
        wanted = sorted(set(indexes))
        threads = min(decoding_threads(), len(wanted))
        if threads < 2:
            yield from one_by_one(self, wanted)
            return
        pool = ThreadPoolExecutor(threads)
        ahead: deque[tuple[int, Future[Image | FrameReadError]]] = deque()
        try:
            for index in wanted:
                ahead.append((index, pool.submit(frame_or_error, self, index)))
                if len(ahead) > _AHEAD * threads:
                    done, frame = ahead.popleft()
                    yield done, frame.result()
            while ahead:
                done, frame = ahead.popleft()
                yield done, frame.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)

    def stamp(self) -> str | None:
        """Stamp its files; see :func:`fleeting.clips.frames.file_stamp`."""
        return file_stamp([self.path / name for name in self.names])

    def digest(self) -> str:
        """Compute the BLAKE2 hash over the files' bytes in frame order; names and place do not count.

        Raises
        ------
        FrameReadError
            If a file is gone, or cannot be read.
        """
        state = hashlib.blake2b(digest_size=16)
        for name in self.names:
            content = read_content(self.path / name, "")
            state.update(len(content).to_bytes(8, "little"))
            state.update(content)
        return state.hexdigest()


def _is_file(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_file()
    except OSError:
        # A link to itself.
        return False


def _number(name: str) -> int:
    match = _LAST_INTEGER.search(Path(name).stem)
    return int(match.group(1)) if match else -1


def read_image(path: str | os.PathLike[str]) -> Image:
    """Decode one image file to RGB ``uint8`` of shape ``(H, W, 3)``; grey, 16-bit and alpha are converted.

    Raises
    ------
    FrameReadError
        If the file is missing, empty, truncated beyond decoding, or not an image.
    """
    import cv2

    path = Path(path)
    content = read_content(path, "")
    if not content:
        raise FrameReadError(f"{path}: an empty file; expected an image. Copy the clip again", path)
    if path.suffix.lower() in (".jpg", ".jpeg") and b"\xff\xd9" not in content[-1024:]:
        # The decoder fills what is missing with grey and says nothing.
        raise FrameReadError(f"{path}: a truncated JPEG (no end marker). Copy the clip again", path)
    try:
        # From memory rather than by name: OpenCV cannot open non-ASCII paths on Windows.
        image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error as exc:
        raise FrameReadError(f"{path}: cannot be decoded as an image ({exc.err})", path) from exc
    if image is None:
        raise FrameReadError(f"{path}: not an image, or truncated. Copy the clip again", path)
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), dtype=np.uint8)
