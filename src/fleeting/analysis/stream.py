"""Frames of a recording in order, each with its time, one in memory at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Image = NDArray[np.uint8]

__all__ = ["UNEVEN", "FrameReader", "Stream", "StreamFrame"]

#: A step in time that differs by more of the usual one makes a frame rate variable.
UNEVEN = 0.2


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
        Function that decodes frame ``index`` at ``seconds``.
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
        Its name: a file name, a camera, an address.
    fps : float
        Frames per second; the usual rate where it varies.
    size : tuple of (int, int)
        Width and height as shown, after rotation.
    n_frames : int or None
        Number of frames that there should be; ``None`` if nobody knows.
    rotation : int
        Degrees clockwise by which the file says it is to be turned; the frames are turned already.
    vfr : bool
        Whether the time between frames varies. Known for certain when all have been read.
    live : bool
        Whether frames are gone once they have been read.
    reader : str
        The decoder: ``"av"``, ``"opencv"``, ``"images"`` or ``"memory"``.
    details : dict of str to object
        Further facts, such as codec and pixel format.
    notes : list of str
        Sentences on what went wrong while reading.
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
        """Give frames in order from number ``start`` on."""
        raise NotImplementedError

    def again(self) -> FrameReader:
        """Give a reader for frames that have passed."""
        raise NotImplementedError

    def colours(self, start: int = 0) -> Iterator[tuple[int, float, Callable[[], Image]]]:
        """Give frames in order: number, time, and a function that gives the picture as RGB."""
        raise NotImplementedError

    def stop(self) -> None:
        """End the frames of a camera or an address."""
        self.stopped = True

    @property
    def vfr(self) -> bool:
        """Tell whether the time between frames varies by more than a fifth, in more than one of a hundred."""
        return self._uneven > max(1, 0.01 * self._intervals)

    @property
    def duration(self) -> float | None:
        """Seconds, as far as they are known beforehand."""
        return None if self.n_frames is None else self.n_frames / self.fps

    def note_step(self, before: float | None, now: float) -> None:
        """Note the time from one frame to the next, in seconds."""
        if before is not None:
            self._intervals += 1
            self._uneven += abs((now - before) * self.fps - 1) > UNEVEN
