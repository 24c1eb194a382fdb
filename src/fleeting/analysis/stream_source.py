"""Frames of a folder of images, or of any other frame source."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fleeting.analysis.stream import FrameReader, Stream, StreamFrame
from fleeting.clips import FrameSource, read_each
from fleeting.errors import FrameReadError, UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Image = NDArray[np.uint8]

__all__ = ["SourceStream"]


class SourceStream(Stream):
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
        """Give frames in order from number ``start`` on."""
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
        """Give frames in order: number, time, and a function that gives the picture as RGB."""
        for index in range(start, len(self._source)):
            yield index, index / self.fps, lambda index=index: self._picture(index)  # type: ignore[misc]

    def _picture(self, index: int) -> Image:
        try:
            return self._source[index]
        except IndexError as exc:
            raise FrameReadError(str(exc)) from exc

    def again(self) -> FrameReader:
        """Give a reader for frames that have passed."""
        return FrameReader(lambda index, _: self._picture(index))
