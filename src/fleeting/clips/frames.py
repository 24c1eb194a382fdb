"""A source of frames: the contract that all keep, and what they share. Sources are lazy and hold one frame at a time."""

from __future__ import annotations

import hashlib
import math
import os
import stat
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np

from fleeting.errors import FrameReadError, NotAClipError, UsageError
from fleeting.records import RecordError, read_regular

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Image = NDArray[np.uint8]

__all__ = ["FrameSource", "IndexedFrames", "check_rate", "file_stamp", "read_each"]

# File systems count time in steps of up to two seconds.
SETTLED_NS = 2_500_000_000
# Frames per second of any camera that films faces; beyond them a rate is a slip, or a number of another kind.
LEAST_RATE, MOST_RATE = 0.001, 1_000_000.0


@runtime_checkable
class FrameSource(Protocol):
    """A fixed number of RGB frames that are decoded when asked for."""

    @property
    def fps(self) -> float | None:
        """Frames per second, or ``None`` if the source does not know."""
        ...

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        ...

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Image:
        """Frame ``index`` as ``uint8`` of shape ``(H, W, 3)``, RGB; negative indexes count from the end."""
        ...

    def __iter__(self) -> Iterator[Image]: ...

    def read(self, indexes: Iterable[int]) -> Iterator[tuple[int, Image]]:
        """Yield ``(index, frame)`` for each distinct index in rising order, one frame in memory at a time."""
        ...

    def digest(self) -> str:
        """Compute a hash of the content, the same wherever the frames are moved."""
        ...


def position(index: int, length: int, what: object) -> int:
    """Give the index of a frame from the beginning; negative ones count from the end."""
    if not -length <= index < length:
        raise IndexError(f"frame {index} of {what}, which has {length} frames (0 to {length - 1})")
    return index + length if index < 0 else index


class IndexedFrames:
    """Base of sources that give a frame by its index: a subclass writes ``__len__`` and ``__getitem__``."""

    def __len__(self) -> int:
        raise NotImplementedError

    def __getitem__(self, index: int) -> Image:
        raise NotImplementedError

    def __iter__(self) -> Iterator[Image]:
        for _, frame in self.read(range(len(self))):
            yield frame

    def read(self, indexes: Iterable[int]) -> Iterator[tuple[int, Image]]:
        """Yield ``(index, frame)`` for each distinct index in rising order."""
        for index in sorted({position(i, len(self), self) for i in indexes}):
            yield index, self[index]

    def read_each(self, indexes: Iterable[int]) -> Iterator[tuple[int, Image | FrameReadError]]:
        """Yield each frame or its error; see :func:`read_each`."""
        return one_by_one(self, indexes)


def read_each(frames: FrameSource, indexes: Iterable[int]) -> Iterator[tuple[int, Image | FrameReadError]]:
    """Yield ``(index, frame)`` for each distinct index in rising order; a frame that cannot be read gives its error.

    The images of a folder are decoded ahead by a few threads, unless this is one of several processes that share the
    cores out already (:func:`fleeting.parallel.map_jobs`). A video is decoded in one pass.

    Parameters
    ----------
    frames : FrameSource
        Any source.
    indexes : iterable of int
        0-based; one past the end counts as a frame that cannot be read.
    """
    own = getattr(frames, "read_each", None)
    return one_by_one(frames, indexes) if own is None else own(indexes)


def one_by_one(
    frames: FrameSource | IndexedFrames, indexes: Iterable[int]
) -> Iterator[tuple[int, Image | FrameReadError]]:
    """Yield ``(index, frame or its error)`` for each distinct index in rising order, one after another."""
    for index in sorted(set(indexes)):
        yield index, frame_or_error(frames, index)


def frame_or_error(frames: FrameSource | IndexedFrames, index: int) -> Image | FrameReadError:
    """Give a frame, or why it cannot be read."""
    try:
        return frames[index]
    except FrameReadError as exc:
        return exc
    except IndexError as exc:  # a video that turned out shorter than it promised
        return FrameReadError(str(exc), getattr(frames, "path", None))


def file_stamp(paths: Iterable[Path]) -> str | None:
    """Sum up place, size and times of some files, in order; other content has another stamp.

    Parameters
    ----------
    paths : iterable of pathlib.Path
        The files.

    Returns
    -------
    str or None
        32 hex digits; ``None`` if a file is missing, or was changed so lately that a further change might leave no trace
        in its times.
    """
    state = hashlib.blake2b(digest_size=16)
    latest = 0
    try:
        for path in paths:
            found = path.stat()
            facts = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
            latest = max(latest, found.st_mtime_ns, found.st_ctime_ns)
            state.update(f"{path.absolute()} {facts}\n".encode(errors="surrogatepass"))
    except OSError:
        return None
    return state.hexdigest() if time.time_ns() - latest > SETTLED_NS else None


def check_rate(fps: float | None, whose: object) -> None:
    """See that a number of frames per second is one that a camera can have.

    Parameters
    ----------
    fps : float or None
        Frames per second, or ``None`` if nobody knows.
    whose : object
        Name of the clip or file, for the message.

    Raises
    ------
    UsageError
        If it is not positive, not finite, or beyond every camera.
    """
    if fps is None:
        return
    if not fps > 0:
        raise UsageError(f"{whose}: frames per second must be positive, found {fps}")
    if not LEAST_RATE <= fps <= MOST_RATE or not math.isfinite(fps):
        raise UsageError(f"{whose}: {fps:g} frames per second; expected {LEAST_RATE:g} to {MOST_RATE:,.0f}")


def is_folder(path: Path) -> bool:
    """Tell whether a path is a folder; no, if it cannot be looked at."""
    mode = _mode(path)
    return isinstance(mode, int) and stat.S_ISDIR(mode)


def is_file(path: Path) -> bool:
    """Tell whether a path is a file, and no pipe; no, if it cannot be looked at."""
    mode = _mode(path)
    return isinstance(mode, int) and stat.S_ISREG(mode)


def look_at(path: Path, expected: str) -> os.stat_result:
    """Look at what a clip is to be read from.

    Parameters
    ----------
    path : pathlib.Path
        A file or folder.
    expected : str
        Noun with its article, for the message.

    Raises
    ------
    NotAClipError
        If there is no such thing, or it may not be looked at.
    """
    try:
        return path.stat()
    except FileNotFoundError as exc:
        kind = expected.removeprefix("a ").partition(" of")[0]
        raise NotAClipError(f"{path}: no such {kind}; expected {expected}", path) from exc
    except (OSError, ValueError) as exc:
        # ValueError: a null character in the name.
        reason = getattr(exc, "strerror", None) or exc
        raise NotAClipError(f"{path}: cannot be looked at ({reason}); expected {expected}", path) from exc


def _mode(path: Path) -> int | None:
    # The tests of pathlib raise where a folder may not be entered or a name is too long.
    try:
        return path.stat().st_mode
    except (OSError, ValueError):
        return None


def read_content(path: Path, remedy: str) -> bytes:
    """Read the file of a frame.

    Raises
    ------
    FrameReadError
        If it is missing, no regular file, or cannot be read.
    """
    try:
        return read_regular(path)
    except RecordError as exc:
        raise FrameReadError(f"{path}: {exc.found}{remedy}", path) from exc
