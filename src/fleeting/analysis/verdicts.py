"""Looking at events again as they become certain: film strips and the recogniser's answer, in a thread of its own."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fleeting.analysis.strips import draw_strips, event_moments
from fleeting.clips import Clip
from fleeting.errors import FrameReadError
from fleeting.faces import Box, FaceDetector, default_detector
from fleeting.faces.detector import settled_box

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from fleeting.analysis.events import AnalyzedEvent, EventLog
    from fleeting.analysis.recogniser import Recognised, Recogniser
    from fleeting.analysis.stream import FrameReader
    from fleeting.analysis.timeline import Timeline

    #: Matrix ``(2, 3)`` from frame to crop, and 68 landmarks in the crop.
    Place = tuple[NDArray[np.float64], NDArray[np.float64]]

__all__ = ["VerdictWorker", "event_clip"]

# A face larger than this is reduced before a recipe sees it.
_FACE_SIDE = 320
_MARGIN = 0.6


class VerdictWorker:
    """Gives each event its strips and its verdict while the recording is read on.

    Parameters
    ----------
    log : EventLog
        The events, which get their verdicts.
    reader : callable
        Opens the recording once more, for single frames.
    timeline : Timeline
        Times of its frames.
    fps : float
        Frames per second.
    recogniser : Recogniser
        The networks that are asked.
    strips : pathlib.Path
        The folder of the pictures.
    explain : bool
        If True, what drove each verdict is drawn.
    told : callable
        Called with each event that has its verdict, and with True if no other one waits.

    Attributes
    ----------
    finished : set of int
        Numbers of the events that were looked at.
    """

    def __init__(
        self,
        log: EventLog,
        reader: Callable[[], FrameReader],
        timeline: Timeline,
        fps: float,
        recogniser: Recogniser,
        strips: Path,
        *,
        explain: bool,
        told: Callable[[AnalyzedEvent, bool], None],
    ) -> None:
        self._log, self._open, self._timeline, self._fps = log, reader, timeline, fps
        self._recogniser, self._strips, self._explain, self._told = recogniser, strips, explain, told
        self._detector = KnownFaceDetector()
        self._todo: queue.Queue[tuple[AnalyzedEvent, Place | None, int] | None] = queue.Queue()
        self._thread = threading.Thread(target=self._run, name="events", daemon=True)
        self._dropped = False
        self.finished: set[int] = set()

    def begin(self) -> None:
        """Start looking."""
        self._thread.start()

    def push(self, event: AnalyzedEvent, place: Place | None, last: int) -> None:
        """Have an event looked at.

        Parameters
        ----------
        event : AnalyzedEvent
            The event.
        place : tuple or None
            The place of its face at the apex; ``None`` if it is no longer known.
        last : int
            Last frame that there is so far.
        """
        self._todo.put((event, place, last))

    def end(self, whole: bool = True) -> None:
        """Look at what is left, if ``whole``, and wait for it."""
        self._dropped = not whole
        self._todo.put(None)
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        reader = self._open()
        while True:
            item = self._todo.get()
            if item is None or self._dropped:
                break
            event, place, last = item
            try:
                event = self._look(reader, event, place, last)
            except Exception as exc:  # one event must not end an hour's work
                event = self._noted(event, f"could not be looked at again ({type(exc).__name__}: {exc})")
            self.finished.add(event.number)
            self._told(event, self._todo.empty())
        reader.close()

    def _noted(self, event: AnalyzedEvent, *notes: str) -> AnalyzedEvent:
        return self._log.judge(event.number, notes=[*self._log.events()[event.number - 1].notes, *notes])

    def _look(self, reader: FrameReader, event: AnalyzedEvent, place: Place | None, last: int) -> AnalyzedEvent:
        if place is None:
            return self._noted(event, "where the face was is no longer known")
        found = self._recognised(reader, event, place, last)
        probabilities = {name: round(p, 6) for name, p in zip(found.classes, found.probabilities, strict=True)}
        event = self._log.judge(event.number, emotion=found.label, probabilities=probabilities)
        event = self._noted(event, *found.notes)
        moments = event_moments(reader, self._timeline, event.onset, event.apex, event.offset, place[0])
        draw_strips(moments, event.apex, self._strips, event.number)
        if self._explain:
            self._recogniser.draw_explanation(found, self._strips / f"event_{event.number:04d}_explain.png")
        return event

    def _recognised(self, reader: FrameReader, event: AnalyzedEvent, place: Place, last: int) -> Recognised:
        recipe = self._recogniser.recipe
        pad = recipe.frames * getattr(recipe, "step", 1)
        clip, landmarks, size = event_clip(reader, self._timeline, self._fps, event, place, pad, last)
        self._detector.show(size, landmarks)
        return self._recogniser.recognise(clip, self._detector)


def event_clip(
    reader: FrameReader,
    timeline: Timeline,
    fps: float,
    event: AnalyzedEvent,
    place: Place,
    pad: int,
    last: int,
) -> tuple[Clip, NDArray[np.float64], tuple[int, int]]:
    """Cut an event out of its recording, in time and to its face.

    Parameters
    ----------
    reader : FrameReader
        Reads the frames again.
    timeline : Timeline
        Times of the frames.
    fps : float
        Frames per second.
    event : AnalyzedEvent
        The event.
    place : tuple
        Matrix ``(2, 3)`` from the frame to a 128-pixel crop, and 68 landmarks in the crop, at the apex.
    pad : int
        Frames before the onset and after the offset.
    last : int
        Last frame that there is.

    Returns
    -------
    tuple of (Clip, numpy.ndarray of float64, tuple of (int, int))
        The clip, the landmarks ``(68, 2)`` in its frames, and the width and height of these.
    """
    matrix, points = place
    first, stop = max(0, event.onset - pad), min(last, event.offset + pad)
    inverse = np.linalg.inv(np.vstack([matrix, [0, 0, 1]]))
    shown = points @ inverse[:2, :2].T + inverse[:2, 2]
    frames = _EventFrames(reader, timeline, first, stop, shown, fps)
    clip = Clip(
        dataset="own",
        subject="unknown",
        name=f"frames-{event.onset}-{event.offset}",
        frames=frames,
        fps=fps,
        onset=event.onset - first,
        apex=event.apex - first,
        offset=event.offset - first,
    )
    return clip, frames.landmarks, frames.size


class _EventFrames:
    """Frames ``[first, last]`` cut to the face and its surroundings; a frame source that reads again."""

    def __init__(
        self, reader: FrameReader, timeline: Timeline, first: int, last: int, points: NDArray[np.float64], fps: float
    ) -> None:
        self._reader, self._timeline, self._first, self._n = reader, timeline, first, last - first + 1
        self.fps: float | None = fps
        image = self._whole(0)
        height, width = image.shape[:2]
        low, high = points.min(0), points.max(0)
        side = float((high - low).max())
        grown = [low - _MARGIN * side, high + _MARGIN * side]
        left, top = (int(v) for v in np.clip(np.floor(grown[0]), 0, [width - 2, height - 2]))
        right, bottom = (int(v) for v in np.clip(np.ceil(grown[1]), [left + 2, top + 2], [width, height]))
        self._cut = slice(top, bottom), slice(left, right)
        self._scale = min(1.0, _FACE_SIDE / max(side, 1.0))
        self.size = max(1, round((right - left) * self._scale)), max(1, round((bottom - top) * self._scale))
        self.landmarks = (points - [left, top] + 0.5) * self._scale - 0.5

    def _whole(self, index: int) -> NDArray[np.uint8]:
        at = self._first + index
        return self._reader.frame(at, self._timeline.seconds_of(at))

    def __len__(self) -> int:
        return self._n

    def __getitem__(self, index: int) -> NDArray[np.uint8]:
        import cv2

        if not -self._n <= index < self._n:
            raise IndexError(f"frame {index} of {self._n}")
        part = self._whole(index % self._n)[self._cut]
        if self._scale < 1:
            part = np.asarray(cv2.resize(part, self.size, interpolation=cv2.INTER_AREA), np.uint8)
        return np.ascontiguousarray(part)

    def __iter__(self) -> Iterator[NDArray[np.uint8]]:
        return (frame for _, frame in self.read(range(self._n)))

    def read(self, indexes: Iterable[int]) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        for index in sorted({i % self._n for i in indexes}):
            yield index, self[index]

    def digest(self) -> str:
        raise FrameReadError("frames of a recording that is being read have no digest")


class KnownFaceDetector(FaceDetector):
    """Knows where the face is in an event's frames. The search for faces is not safe in two threads, landmarks are."""

    def __init__(self) -> None:
        super().__init__()
        self.share_predictor(default_detector())
        self._size: tuple[int, int] | None = None
        self._box: Box | None = None

    def show(self, size: tuple[int, int], points: NDArray[np.float64]) -> None:
        """Tell the size of the frames to come, and the landmarks in them."""
        self._size = size
        low, high = points.min(0), points.max(0)
        rough = Box(*(round(float(v)) for v in (*low, *high)))
        self._box = settled_box(rough, points)

    def detect(self, image: NDArray[np.uint8]) -> list[Box]:
        """Give the known face, in a frame of the known size."""
        if self._box is not None and (image.shape[1], image.shape[0]) == self._size:
            return [self._box]
        return super().detect(image)

    def largest(self, image: NDArray[np.uint8]) -> Box | None:
        """Give the known face, in a frame of the known size."""
        found = self.detect(image)
        return found[0] if found else None
