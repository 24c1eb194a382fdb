"""The recording with what was found drawn over it, in parts that survive a kill and are joined at the end."""

from __future__ import annotations

import os
import re
import threading
from collections import deque
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fleeting.errors import ClipReadError, FleetingError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from fleeting.analysis.stream import Stream

__all__ = ["AnnotatedVideo", "DrawnFace", "DrawnLabel", "join_parts"]

MOST_FPS = 60.0  # of a faster recording every n-th frame is shown
_MOST_SIDE = 1280
_PART_SECONDS = 20.0
_PANEL = 64
_COURSE_SECONDS = 6.0
_TICKS = 90_000
_NAME = re.compile(r"part_(\d{9})_(\d{9})\.mp4$")
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
        Where the parts go.
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
        """What is known of a face in a frame."""
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
        """What has to be known to go on after the last whole part."""
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

    def take(self, state: dict[str, Any]) -> None:
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
        """Whether frame ``index`` can be drawn; waits until that is known."""
        with self._change:
            while not self._dropped and index >= self._until and not self._ended:
                self._change.wait()
            self._at = index
            self._change.notify_all()
            return not self._dropped and (index < self._until or self._ended)

    def _write(self, start: int) -> None:
        part: _Part | None = None
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
                            part = _Part(self._folder, self._part_start, drawn.shape, self._stream.fps / self.every)
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

    def _close(self, part: _Part, last: int) -> None:
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


class _Part:
    """One part of the video, under another name until it is whole."""

    def __init__(self, folder: Path, first: int, shape: tuple[int, ...], fps: float) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._first = folder, first
        self._path = folder / f"writing_{first:09d}.mp4"
        self._writer = _writer(self._path, (shape[1], shape[0]), fps)
        self._shape = shape

    def write(self, image: NDArray[np.uint8], seconds: float) -> None:
        import cv2

        if image.shape != self._shape:  # a stream may change its size
            image = np.asarray(cv2.resize(image, (self._shape[1], self._shape[0])), np.uint8)
        self._writer.write(image, seconds)

    def close(self, last: int, whole: bool = True) -> None:
        self._writer.close()
        if whole:
            self._path.replace(self._folder / f"part_{self._first:09d}_{last:09d}.mp4")


class _AvWriter:
    """H.264, which browsers play, with the time of each frame."""

    def __init__(self, path: Path, size: tuple[int, int], fps: float) -> None:
        import av

        # In fragments, so that what is there can be played whenever writing ends.
        self._container: Any = av.open(
            str(path), "w", options={"movflags": "frag_keyframe+empty_moov+default_base_moof"}
        )
        options = {"preset": "ultrafast", "tune": "zerolatency", "crf": "24"}
        rate = Fraction(round(fps * 1000), 1000)
        self._video = self._container.add_stream("libx264", rate=rate, options=options)
        self._video.width, self._video.height, self._video.pix_fmt = *size, "yuv420p"
        self._video.codec_context.time_base = Fraction(1, _TICKS)
        self._video.codec_context.gop_size = max(1, round(2 * fps))
        self._last = -1

    def write(self, image: NDArray[np.uint8], seconds: float) -> None:
        import av

        frame = av.VideoFrame.from_ndarray(image, format="rgb24")
        frame.pts = self._last = max(self._last + 1, round(seconds * _TICKS))
        frame.time_base = Fraction(1, _TICKS)
        for packet in self._video.encode(frame):
            self._container.mux(packet)

    def close(self) -> None:
        for packet in self._video.encode():
            self._container.mux(packet)
        self._container.close()


class _OpenCvWriter:
    """MPEG-4 at an even rate."""

    def __init__(self, path: Path, size: tuple[int, int], fps: float) -> None:
        import cv2

        self._writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), fps, size)
        if not self._writer.isOpened():
            raise FleetingError(f"{path}: OpenCV cannot write this video; install PyAV: pip install 'fleeting[av]'")

    def write(self, image: NDArray[np.uint8], seconds: float) -> None:
        del seconds
        self._writer.write(np.ascontiguousarray(image[..., ::-1]))

    def close(self) -> None:
        self._writer.release()


def _writer(path: Path, size: tuple[int, int], fps: float) -> _AvWriter | _OpenCvWriter:
    try:
        import av
    except ImportError:
        return _OpenCvWriter(path, size, fps)
    if "libx264" not in av.codecs_available:
        return _OpenCvWriter(path, size, fps)
    return _AvWriter(path, size, fps)


def join_parts(folder: Path, out: Path, fps: float, seconds_of: Callable[[int], float] | None = None) -> Path | None:
    """Join the whole parts of a folder, and the one that was being written, to one video; ``None`` if there is none.

    Parameters
    ----------
    fps : float
        Of the recording, to place the parts.
    seconds_of : callable or None, optional
        Time of a frame, where the rate varies.
    """
    del seconds_of
    parts = sorted(path for path in folder.glob("*.mp4") if _NAME.search(path.name))
    covered = max((int(_NAME.search(p.name).group(2)) for p in parts), default=-1)  # type: ignore[union-attr]
    parts += [p for p in sorted(folder.glob("writing_*.mp4")) if int(p.stem[8:]) > covered]
    if not parts:
        return None
    temporary = folder / "joined.mp4"
    try:
        import av  # noqa: F401

        _join_av(parts, temporary)
    except ImportError:
        _join_opencv(parts, temporary, fps)
    os.replace(temporary, out)  # noqa: PTH105
    return out


def _join_av(parts: list[Path], out: Path) -> None:
    import av

    with av.open(str(out), "w", options={"movflags": "faststart"}) as made:
        video: Any = None
        begin = 0
        for path in parts:
            end = begin
            try:
                with av.open(str(path)) as part:
                    source = part.streams.video[0]
                    if video is None:
                        video = made.add_stream_from_template(source)
                        video.time_base = Fraction(1, _TICKS)
                    step = _TICKS // 30
                    before: int | None = None
                    for packet in part.demux(source):
                        if packet.pts is None or packet.time_base is None:
                            continue
                        at = round(float(packet.pts * packet.time_base) * _TICKS)
                        if before is not None and at > before:
                            step = at - before
                        before = at
                        packet.pts = packet.dts = begin + at
                        packet.time_base = Fraction(1, _TICKS)
                        packet.stream = video
                        made.mux(packet)
                        end = begin + at + step
            except av.error.FFmpegError:
                pass  # the part that was being written when the power went
            begin = end


def _join_opencv(parts: list[Path], out: Path, fps: float) -> None:
    import cv2

    writer: Any = None
    for path in parts:
        capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
        while True:
            ok, frame = capture.read()
            if not ok or frame is None:
                break
            if writer is None:
                rate = capture.get(cv2.CAP_PROP_FPS) or fps
                size = (frame.shape[1], frame.shape[0])
                writer = cv2.VideoWriter(str(out), cv2.VideoWriter.fourcc(*"mp4v"), rate, size)
            writer.write(frame)
        capture.release()
    if writer is not None:
        writer.release()
