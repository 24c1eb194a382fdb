"""Where frames come from: a folder of images, a video file, or an array. All are lazy and hold one frame at a time."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import re
import time
import warnings
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np

from fleeting.clips.clip import Clip
from fleeting.errors import EmptyClipError, FrameReadError, NotAClipError, UsageError
from fleeting.parallel import available_cores

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Image = NDArray[np.uint8]

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp")
VIDEO_SUFFIXES = (".mp4", ".mov", ".avi", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg", ".wmv")

# Images decoded at a time, each by a thread of its own; and how far they may run ahead of who asks, in frames.
_MOST_THREADS = 8
_AHEAD = 2
# File systems count time in steps of up to two seconds.
_SETTLED_NS = 2_500_000_000

_LAST_INTEGER = re.compile(r"(\d+)(?!.*\d)")


@runtime_checkable
class FrameSource(Protocol):
    """A fixed number of RGB frames that are decoded when asked for."""

    @property
    def fps(self) -> float | None:
        """Frames a second, or ``None`` if the source does not know."""
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
        """A hash of the content, the same wherever the frames are moved."""
        ...


def _position(index: int, length: int, what: object) -> int:
    if not -length <= index < length:
        raise IndexError(f"frame {index} of {what}, which has {length} frames (0 to {length - 1})")
    return index + length if index < 0 else index


class _Frames:
    """What the three sources share, on top of ``__len__`` and ``__getitem__``."""

    def __len__(self) -> int:
        raise NotImplementedError

    def __getitem__(self, index: int) -> Image:
        raise NotImplementedError

    def __iter__(self) -> Iterator[Image]:
        for _, frame in self.read(range(len(self))):
            yield frame

    def read(self, indexes: Iterable[int]) -> Iterator[tuple[int, Image]]:
        """Yield ``(index, frame)`` for each distinct index in rising order."""
        for index in sorted({_position(i, len(self), self) for i in indexes}):
            yield index, self[index]

    def read_each(self, indexes: Iterable[int]) -> Iterator[tuple[int, Image | FrameReadError]]:
        """See :func:`read_each`."""
        return _one_by_one(self, indexes)


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
    return _one_by_one(frames, indexes) if own is None else own(indexes)


def _one_by_one(frames: FrameSource | _Frames, indexes: Iterable[int]) -> Iterator[tuple[int, Image | FrameReadError]]:
    for index in sorted(set(indexes)):
        yield index, _frame_or_error(frames, index)


def _frame_or_error(frames: FrameSource | _Frames, index: int) -> Image | FrameReadError:
    try:
        return frames[index]
    except FrameReadError as exc:
        return exc
    except IndexError as exc:  # a video that turned out shorter than it promised
        return FrameReadError(str(exc), getattr(frames, "path", None))


def _decoding_threads() -> int:
    """Threads that decode images in this process: none of their own in a worker."""
    return 1 if multiprocessing.parent_process() is not None else min(_MOST_THREADS, available_cores())


class FrameFolder(_Frames):
    """The frames of one clip as images in a folder (jpg, png or bmp).

    Frames are ordered by the *last* integer in the file name, so ``img46.jpg`` precedes ``img100.jpg`` and padded
    and unpadded numbers may be mixed. Other files are passed over. Every image is read only when it is asked for, or
    shortly before: see :func:`read_each`.

    Parameters
    ----------
    path : str or os.PathLike
        The folder.
    fps : float or None, optional
        Frames a second; a folder does not know them.

    Attributes
    ----------
    numbers : numpy.ndarray of int64
        int64 array, the number in each file name (``img46.jpg`` is 46); what annotations refer to.
    gaps : list of tuple of (int, int)
        List of ``(first, last)`` runs of numbers that are missing between the first frame and the last.

    Raises
    ------
    NotAClipError
        If ``path`` does not exist or is not a folder.
    EmptyClipError
        If it holds no image.
    """

    def __init__(self, path: str | os.PathLike[str], fps: float | None = None) -> None:
        self.path = Path(path)
        if not self.path.exists():
            raise NotAClipError(f"{self.path}: no such folder; expected a folder of frames", self.path)
        if not self.path.is_dir():
            raise NotAClipError(f"{self.path}: a file; expected a folder of frames", self.path)
        if fps is not None and not fps > 0:
            raise UsageError(f"{self.path}: frames per second must be positive, found {fps}")
        self._fps = fps
        found = [
            entry.name
            for entry in os.scandir(self.path)
            if entry.name.lower().endswith(IMAGE_SUFFIXES) and not entry.name.startswith(".") and entry.is_file()
        ]
        if not found:
            others = sum(1 for _ in os.scandir(self.path))
            raise EmptyClipError(
                f"{self.path}: no frames among its {others} entries; expected images "
                f"({', '.join(IMAGE_SUFFIXES)}) with a number in their names",
                self.path,
            )
        numbered = sorted((_number(name), name) for name in found)
        self.names: tuple[str, ...] = tuple(name for _, name in numbered)
        self.numbers: NDArray[np.int64] = np.array([number for number, _ in numbered], dtype=np.int64)

    def __repr__(self) -> str:
        return f"FrameFolder({str(self.path)!r}, {len(self)} frames)"

    def __len__(self) -> int:
        return len(self.names)

    @property
    def fps(self) -> float | None:
        """Frames a second as given, or ``None``."""
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
        """0-based index of the frame numbered ``number``; of the next one on disk if that frame is missing.

        A number past the last frame gives the last index, one before the first gives 0.
        """
        position = int(np.searchsorted(self.numbers, number))
        return min(position, len(self) - 1)

    def __getitem__(self, index: int) -> Image:
        return read_image(self.path / self.names[_position(index, len(self), self.path)])

    def read(self, indexes: Iterable[int]) -> Iterator[tuple[int, Image]]:
        """Yield ``(index, frame)`` for each distinct index in rising order; images are decoded a little ahead."""
        for index, frame in self.read_each([_position(i, len(self), self.path) for i in indexes]):
            if isinstance(frame, FrameReadError):
                raise frame
            yield index, frame

    def read_each(self, indexes: Iterable[int]) -> Iterator[tuple[int, Image | FrameReadError]]:
        """See :func:`fleeting.clips.read_each`."""
        wanted = sorted(set(indexes))
        threads = min(_decoding_threads(), len(wanted))
        if threads < 2:
            yield from _one_by_one(self, wanted)
            return
        pool = ThreadPoolExecutor(threads)
        ahead: deque[tuple[int, Future[Image | FrameReadError]]] = deque()
        try:
            for index in wanted:
                ahead.append((index, pool.submit(_frame_or_error, self, index)))
                if len(ahead) > _AHEAD * threads:
                    done, frame = ahead.popleft()
                    yield done, frame.result()
            while ahead:
                done, frame = ahead.popleft()
                yield done, frame.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)

    def stamp(self) -> str | None:
        """See :func:`file_stamp`."""
        return file_stamp([self.path / name for name in self.names])

    def digest(self) -> str:
        """BLAKE2 hash over the files' bytes in frame order; names and place do not count."""
        state = hashlib.blake2b(digest_size=16)
        for name in self.names:
            content = (self.path / name).read_bytes()
            state.update(len(content).to_bytes(8, "little"))
            state.update(content)
        return state.hexdigest()


def file_stamp(paths: Iterable[Path]) -> str | None:
    """What the file system says of some files, in order: place, size and times; other content has another stamp.

    ``None`` if a file is missing, or was changed so lately that a further change might leave no trace in its times.
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
    return state.hexdigest() if time.time_ns() - latest > _SETTLED_NS else None


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
    try:
        content = path.read_bytes()
    except OSError as exc:
        raise FrameReadError(f"{path}: cannot be read ({exc.strerror or exc})", path) from exc
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


class VideoFile(_Frames):
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
        if not self.path.exists():
            raise NotAClipError(f"{self.path}: no such file; expected a video", self.path)
        if self.path.is_dir():
            raise NotAClipError(f"{self.path}: a folder; expected a video file", self.path)
        if self.path.stat().st_size == 0:
            raise EmptyClipError(f"{self.path}: an empty file; expected a video", self.path)
        self._capture: Any = None
        self._next = 0
        import cv2

        capture = self._open()
        self._fps = float(capture.get(cv2.CAP_PROP_FPS)) or None
        if self._fps is not None and not (np.isfinite(self._fps) and self._fps > 0):
            self._fps = None
        promised = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
        ok, frame = capture.read()
        if not ok or frame is None:
            capture.release()
            raise EmptyClipError(f"{self.path}: no frame can be decoded; the video is empty or damaged", self.path)
        self._size = (int(frame.shape[1]), int(frame.shape[0]))
        self._next = 1
        self.truncated = False
        # Streams and damaged files promise 0 or nonsense: only counting tells.
        self._length = promised if promised > 0 else self._count()

    def __repr__(self) -> str:
        return f"VideoFile({str(self.path)!r}, {len(self)} frames)"

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_capture": None, "_next": 0}

    def _open(self) -> Any:
        import cv2

        self.close()
        capture = cv2.VideoCapture(str(self.path), cv2.CAP_FFMPEG)
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
        """Average frames per second as the container says, or ``None``."""
        return self._fps

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the decoded frames, in pixels."""
        return self._size

    def __getitem__(self, index: int) -> Image:
        index = _position(index, len(self), self.path)
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

        for index in sorted({_position(i, len(self), self.path) for i in indexes}):
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
        """See :func:`file_stamp`."""
        return file_stamp([self.path])

    def digest(self) -> str:
        """BLAKE2 hash over the file's bytes."""
        with self.path.open("rb") as file:
            state = hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16))
        return state.hexdigest()


class ArrayFrames(_Frames):
    """Frames that are already in memory.

    Parameters
    ----------
    frames : Image
        ``uint8`` array of shape ``(T, H, W, 3)`` RGB, or ``(T, H, W)`` grey.
    fps : float or None, optional
        Frames a second.
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
        """Frames a second as given, or ``None``."""
        return self._fps

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return int(self._frames.shape[2]), int(self._frames.shape[1])

    def __getitem__(self, index: int) -> Image:
        frame = self._frames[_position(index, len(self), "the array")]
        return np.repeat(frame[..., None], 3, axis=2) if frame.ndim == 2 else frame

    def digest(self) -> str:
        """BLAKE2 hash over shape and pixels."""
        state = hashlib.blake2b(repr(self._frames.shape).encode(), digest_size=16)
        state.update(np.ascontiguousarray(self._frames).tobytes())
        return state.hexdigest()


class FrameSlice(_Frames):
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
        """Frames a second of the source."""
        return self._source.fps

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self._source.size

    def __getitem__(self, index: int) -> Image:
        return self._source[self.start + _position(index, len(self), self)]

    def read_each(self, indexes: Iterable[int]) -> Iterator[tuple[int, Image | FrameReadError]]:
        """See :func:`fleeting.clips.read_each`."""
        wanted = sorted(set(indexes))
        inside = [i for i in wanted if 0 <= i < len(self)]
        for index, frame in read_each(self._source, [self.start + i for i in inside]):
            yield index - self.start, frame
        yield from _one_by_one(self, wanted[len(inside) :])

    def stamp(self) -> str | None:
        """See :func:`file_stamp`; ``None`` if the source has none."""
        whole = getattr(self._source, "stamp", lambda: None)()
        return None if whole is None else f"{whole}-{self.start}-{self.stop}"

    def digest(self) -> str:
        """BLAKE2 hash over the source's content and the stretch."""
        text = f"{self._source.digest()} {self.start} {self.stop}"
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def open_frames(path: str | os.PathLike[str], fps: float | None = None) -> FrameFolder | VideoFile:
    """Open a folder of frames or a video file, whichever ``path`` is."""
    return FrameFolder(path, fps=fps) if Path(path).is_dir() else VideoFile(path)


def open_clip(path: str | os.PathLike[str], fps: float | None = None) -> Clip:
    """A person's own recording as an unannotated :class:`Clip`.

    Parameters
    ----------
    path : str or os.PathLike
        A video file, or a folder of frames.
    fps : float or None, optional
        Frames a second; overrides what a video says, and is the only way to know it for a folder.

    Raises
    ------
    ClipReadError
        A subclass that says what is wrong with ``path``.
    """
    frames = open_frames(path, fps=fps)
    resolved = frames.path.resolve()
    return Clip(
        dataset="own",
        subject=resolved.parent.name or "unknown",
        name=resolved.stem or resolved.name or "clip",
        frames=frames,
        fps=fps if fps is not None else frames.fps,
    )
