"""The recording with what was found drawn over it, in parts that survive a kill and are joined at the end."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fleeting.analysis.video_parts import VideoPart
from fleeting.errors import ClipReadError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from fleeting.analysis.lane import Lane, Measured
    from fleeting.analysis.stream import Stream

__all__ = ["AnnotatedVideo", "DrawnFace", "DrawnLabel", "PointsInFrame"]

MOST_FPS = 60.0  # of a faster recording every n-th frame is shown
_MOST_SIDE = 1280
_PART_SECONDS = 20.0
_PANEL = 64
_COURSE_SECONDS = 6.0
# RGB
_BOX, _DOT, _MICRO, _MACRO = (120, 200, 255), (190, 225, 255), (255, 70, 70), (255, 190, 60)


class DrawnFace(NamedTuple):
    """A face in a frame: its number, score, and where it is: box (4) and 68 landmarks in the frame; ``None`` if away."""

    face: int
    score: float
    points: NDArray[np.float32] | None


class DrawnLabel(NamedTuple):
    """An event to be named while it lasts."""

    face: int
    onset: int
    offset: int
    kind: str
    text: str


class AnnotatedVideo:
    """Draws and writes frames behind the analysis, as soon as nothing more can be found in them.

    Parameters
    ----------
    stream : Stream
        Opened once more, for this.
    folder : pathlib.Path
        Folder of the parts.
    labels : callable
        Gives the events found so far.
    start : int, optional
        First frame to write.
    """

    def __init__(
        self, stream: Stream, folder: Path, labels: Callable[[], list[DrawnLabel]], start: int = 0, patience: int = 4000
    ) -> None:
        self._stream, self._folder, self._labels = stream, folder, labels
        self.every = max(1, int(np.ceil(stream.fps / MOST_FPS - 1e-6)))
        self._pending: dict[int, list[DrawnFace]] = {}
        #: of the part that is being written, which would have to be written again
        self._kept: dict[int, list[DrawnFace]] = {}
        self._part_start = start
        self._until = start  # frames before this can be drawn
        self._at = start
        self._patience = patience
        self._change = threading.Condition()
        self._ended = self._dropped = False
        self.failed: str | None = None
        self._history: deque[tuple[float, float]] = deque()
        self._thread = threading.Thread(target=self._run, args=(start,), name="annotated video", daemon=True)

    def begin(self) -> None:
        """Start writing."""
        self._thread.start()

    def push(self, frame: int, face: DrawnFace) -> None:
        """Tell where a face is in a frame."""
        with self._change:
            self._pending.setdefault(frame, []).append(face)

    def allow(self, until: int) -> None:
        """Frames before ``until`` can be drawn; waits for a writer that lags far behind."""
        with self._change:
            if until > self._until:
                self._until = until
                self._change.notify_all()
            while self.failed is None and self._thread.is_alive() and until - self._at > self._patience:
                self._change.wait(0.5)

    def state(self) -> dict[str, Any]:
        """Give what has to be known to go on after the last whole part."""
        with self._change:
            records = {**self._kept, **self._pending}
            flat = [(frame, face) for frame, faces in records.items() for face in faces]
            there = [face.points is not None for _, face in flat]
            points = [face.points for _, face in flat if face.points is not None]
            return {
                "start": self._part_start,
                "who": np.array([[frame, face.face] for frame, face in flat], np.int64).reshape(-1, 2),
                "score": np.array([face.score for _, face in flat], np.float32),
                "there": np.array(there, bool),
                "points": np.stack(points) if points else np.zeros((0, 68, 2), np.float32),
            }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a state; before :meth:`begin`."""
        points = iter(state["points"])
        for (frame, number), score, there in zip(state["who"], state["score"], state["there"], strict=True):
            face = DrawnFace(int(number), float(score), next(points) if there else None)
            self._pending.setdefault(int(frame), []).append(face)

    def end(self, whole: bool = True) -> None:
        """Write what is left, if ``whole``, and wait for it."""
        with self._change:
            self._ended, self._dropped = True, not whole
            self._change.notify_all()
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self, start: int) -> None:
        try:
            self._write(start)
        except Exception as exc:  # the analysis goes on without its video
            self.failed = f"The annotated video could not be written: {type(exc).__name__}: {exc}"
        finally:
            with self._change:
                self._change.notify_all()

    def _wait_for(self, index: int) -> bool:
        """Tell whether frame ``index`` can be drawn; waits until that is known."""
        with self._change:
            while not self._dropped and index >= self._until and not self._ended:
                self._change.wait()
            self._at = index
            self._change.notify_all()
            return not self._dropped and (index < self._until or self._ended)

    def _write(self, start: int) -> None:
        part: VideoPart | None = None
        began = 0.0
        index = start
        last = -1
        frames = self._stream.colours(start)
        try:
            while True:
                if not self._wait_for(index):
                    break
                found = next(frames, None)
                if found is None:
                    break
                index, seconds, picture = found
                with self._change:
                    faces = self._pending.pop(index, [])
                    if faces:
                        self._kept[index] = faces
                if index % self.every == 0:
                    try:
                        image = picture()
                    except ClipReadError:
                        image = None
                    if image is not None:
                        drawn = self._drawn(image, index, seconds, faces)
                        if part is not None and seconds - began >= _PART_SECONDS:
                            self._close(part, last)
                            part = None
                        if part is None:
                            began = seconds
                            part = VideoPart(self._folder, self._part_start, drawn.shape, self._stream.fps / self.every)
                        part.write(drawn, seconds - began)
                last = index
                index += 1
        finally:
            if part is not None:
                if self._dropped:
                    # Frames may be missing from it, so a resumed run writes it again.
                    part.close(last, whole=False)
                else:
                    self._close(part, last)

    def _close(self, part: VideoPart, last: int) -> None:
        part.close(last)
        with self._change:
            self._part_start = last + 1
            self._kept = {frame: faces for frame, faces in self._kept.items() if frame > last}

    def _drawn(self, image: NDArray[np.uint8], index: int, seconds: float, faces: list[DrawnFace]) -> Any:
        import cv2

        height, width = image.shape[:2]
        scale = min(1.0, _MOST_SIDE / max(height, width))
        width, height = (max(2, round(n * scale) // 2 * 2) for n in (width, height))
        canvas: Any = np.zeros((height + _PANEL, width, 3), np.uint8)
        resized = image if image.shape[:2] == (height, width) else cv2.resize(image, (width, height), interpolation=3)
        canvas[:height] = resized
        by = np.array([width / image.shape[1], height / image.shape[0]])
        labels = [label for label in self._labels() if label.onset <= index <= label.offset]
        for face in faces:
            if face.points is None:
                continue
            points = face.points * by
            low, high = points.min(0), points.max(0)
            mine = [label for label in labels if label.face == face.face]
            colour = _colour(mine[0].kind) if mine else _BOX
            corner = (int(low[0]), int(low[1])), (int(high[0]), int(high[1]))
            cv2.rectangle(canvas, *corner, colour, 2 if mine else 1, cv2.LINE_AA)
            for x, y in points:
                cv2.circle(canvas, (int(x), int(y)), 1, _DOT, -1)
            for row, label in enumerate(mine):
                at = (max(0, corner[0][0]), max(14, corner[0][1] - 6 - 18 * row))
                cv2.putText(canvas, label.text, at, cv2.FONT_HERSHEY_SIMPLEX, 0.55, colour, 1, cv2.LINE_AA)
        self._draw_course(canvas, height, seconds, faces, labels)
        return canvas

    def _draw_course(
        self, canvas: Any, top: int, seconds: float, faces: list[DrawnFace], labels: list[DrawnLabel]
    ) -> None:
        import cv2

        self._history.append((seconds, max((face.score for face in faces), default=0.0)))
        while self._history[0][0] < seconds - _COURSE_SECONDS:
            self._history.popleft()
        times, scores = np.array(self._history).T
        width = canvas.shape[1]
        x = width - 1 - (seconds - times) / _COURSE_SECONDS * width
        y = top + _PANEL - 3 - np.clip(scores / max(1.0, float(scores.max())), 0, 1) * (_PANEL - 22)
        course = np.stack([x, y], 1).round().astype(np.int32)
        colour = _colour(labels[0].kind) if labels else _BOX
        cv2.polylines(canvas, [course], False, colour, 1, cv2.LINE_AA)
        cv2.putText(
            canvas, f"{seconds:8.3f} s", (4, top + 14), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (210,) * 3, 1, cv2.LINE_AA
        )


def _colour(kind: str) -> tuple[int, int, int]:
    return _MICRO if kind == "micro" else _MACRO


class PointsInFrame:
    """Landmarks of a face in pixels of the frame. They stay for dozens of frames, from look to look, which share them."""

    def __init__(self) -> None:
        self._kept: dict[int, tuple[Any, Any, NDArray[np.float32]]] = {}

    def of(self, lane: Lane, one: Measured) -> NDArray[np.float32] | None:
        """Give the 68 landmarks ``(68, 2)`` of a face in a frame; ``None`` where it is not known."""
        place = lane.place(one.frame) if one.row.valid else None
        if place is None:
            return None
        matrix, points = place
        before = self._kept.get(lane.number)
        if before is not None and before[0] is matrix and before[1] is points:
            return before[2]
        flat = np.linalg.inv(matrix[:, :2])
        made = np.asarray((points - matrix[:, 2]) @ flat.T, np.float32)
        self._kept[lane.number] = matrix, points, made
        return made
