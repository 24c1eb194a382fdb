"""Frames that lie elsewhere already: in memory, or in a stretch of another source."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from fleeting.clips.frames import FrameSource, IndexedFrames, one_by_one, position, read_each
from fleeting.errors import EmptyClipError, FrameReadError, UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Image = NDArray[np.uint8]

__all__ = ["ArrayFrames", "FrameSlice"]


class ArrayFrames(IndexedFrames):
    """Frames that are already in memory.

    Parameters
    ----------
    frames : numpy.ndarray of uint8
        Pixels of shape ``(T, H, W, 3)`` RGB, or ``(T, H, W)`` grey.
    fps : float or None, optional
        Frames per second.
    """

    def __init__(self, frames: Image, fps: float | None = None) -> None:
        frames = np.asarray(frames)
        if frames.dtype != np.uint8 or frames.ndim not in (3, 4) or (frames.ndim == 4 and frames.shape[3] != 3):
            raise UsageError(
                f"frames are uint8 of shape (T, H, W, 3) or (T, H, W); found {frames.dtype} of shape {frames.shape}"
            )
        if len(frames) == 0:
            raise EmptyClipError("an array of zero frames; expected at least one")
        self._frames = frames
        self._fps = fps

    def __len__(self) -> int:
        return len(self._frames)

    @property
    def fps(self) -> float | None:
        """Frames per second as given, or ``None``."""
        return self._fps

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return int(self._frames.shape[2]), int(self._frames.shape[1])

    def __getitem__(self, index: int) -> Image:
        frame = self._frames[position(index, len(self), "the array")]
        return np.repeat(frame[..., None], 3, axis=2) if frame.ndim == 2 else frame

    def digest(self) -> str:
        """Compute the BLAKE2 hash over shape and pixels."""
        state = hashlib.blake2b(repr(self._frames.shape).encode(), digest_size=16)
        state.update(np.ascontiguousarray(self._frames).tobytes())
        return state.hexdigest()


class FrameSlice(IndexedFrames):
    """A stretch of another source, ``[start, stop)``; nothing is copied.

    Parameters
    ----------
    frames : FrameSource
        The source.
    start, stop : int
        0-based indexes into it.
    """

    def __init__(self, frames: FrameSource, start: int, stop: int) -> None:
        if not 0 <= start < stop <= len(frames):
            raise UsageError(
                f"a stretch of {len(frames)} frames lies within 0 to {len(frames)}; found {start} to {stop}"
            )
        self._source, self.start, self.stop = frames, start, stop

    def __repr__(self) -> str:
        return f"{self._source!r}[{self.start}:{self.stop}]"

    def __len__(self) -> int:
        return self.stop - self.start

    @property
    def fps(self) -> float | None:
        """Frames per second of the source."""
        return self._source.fps

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self._source.size

    def __getitem__(self, index: int) -> Image:
        return self._source[self.start + position(index, len(self), self)]

    def read_each(self, indexes: Iterable[int]) -> Iterator[tuple[int, Image | FrameReadError]]:
        """Yield each frame or its error; see :func:`fleeting.clips.read_each`."""
        wanted = sorted(set(indexes))
        inside = [i for i in wanted if 0 <= i < len(self)]
        for index, frame in read_each(self._source, [self.start + i for i in inside]):
            yield index - self.start, frame
        yield from one_by_one(self, wanted[len(inside) :])

    def stamp(self) -> str | None:
        """Stamp the source's files and the stretch; ``None`` if the source has no stamp."""
        whole = getattr(self._source, "stamp", lambda: None)()
        return None if whole is None else f"{whole}-{self.start}-{self.stop}"

    def digest(self) -> str:
        """Compute the BLAKE2 hash over the source's content and the stretch."""
        text = f"{self._source.digest()} {self.start} {self.stop}"
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
