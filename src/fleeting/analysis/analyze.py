"""A recording of any length to its expressions, in one pass: faces, motion, intervals, apex, emotion.

Three threads share the work: one decodes, one follows faces and measures, one draws; a fourth looks at events again as
they become certain. What is found depends on the frames alone, so a run that was stopped and resumed finds the same.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fleeting._version import __version__
from fleeting.analysis.annotate import AnnotatedVideo, DrawnFace, PointsInFrame
from fleeting.analysis.decoding import DecodeAhead
from fleeting.analysis.events import AnalyzedEvent, EventLog
from fleeting.analysis.folder import ResultFolder
from fleeting.analysis.head import HeadWriter, nobody
from fleeting.analysis.interval_learning import load_spotter
from fleeting.analysis.lane import Lane, Measured
from fleeting.analysis.pipeline import FaceNews, Pipeline
from fleeting.analysis.recogniser import Recogniser
from fleeting.analysis.stream import Stream, StreamFrame
from fleeting.analysis.streams import open_stream
from fleeting.analysis.track import face_choice
from fleeting.analysis.verdicts import VerdictWorker
from fleeting.analysis.video_parts import join_parts
from fleeting.errors import FleetingError, NoFaceError, UsageError
from fleeting.records import work_alone
from fleeting.records.analysis import AnalysisHead, AnalysisSettings
from fleeting.spotting import FaceCrop, SpottedEvent, find_interval_spotter

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from fleeting.clips import FrameSource
    from fleeting.faces import FaceDetector

__all__ = ["Analysis", "AnalysisObserver", "analyze"]

#: Seconds between two writings of what was found, and of the state from which an analysis goes on.
FLUSH_SECONDS, SNAPSHOT_SECONDS = 1.0, 20.0
# Seconds that the spotter waits for what follows; of a live picture people want to hear soon.
_WAIT, _LIVE_WAIT = 8.0, 3.0


class AnalysisObserver:
    """Hears of an analysis as it goes on; every method may be left as it is.

    Attributes
    ----------
    stopping : bool
        Set it, from a signal's handler or another thread, to stop after the frame at hand.
    """

    stopping: bool = False

    def begin(self, stream: Stream, resumed_at: int) -> None:
        """Called when the recording is open."""

    def frame(self, frame: StreamFrame, faces: dict[int, FaceCrop | None], measured: list[Measured]) -> None:
        """Called when a frame was measured; ``measured`` are rows that became known with it."""

    def event(self, event: AnalyzedEvent) -> None:
        """Called when an expression became certain, and its emotion known."""

    def stage(self, sentence: str) -> None:
        """Called with what is done after the last frame."""


@dataclass(frozen=True)
class Analysis:
    """The result of an analysis; the folder holds all of it.

    Attributes
    ----------
    path : pathlib.Path
        The folder.
    events : tuple of AnalyzedEvent
        Expressions in the order in which they became certain.
    head : AnalysisHead
        The content of ``analysis.json``.
    """

    path: Path
    events: tuple[AnalyzedEvent, ...] = field(repr=False)
    head: AnalysisHead = field(repr=False)

    @property
    def complete(self) -> bool:
        """Tell whether the whole recording was analyzed."""
        return self.head.complete


def analyze(
    source: str | os.PathLike[str] | int | FrameSource,
    out: str | os.PathLike[str],
    *,
    model: Any = None,
    spotter: str | os.PathLike[str] | None = None,
    face: str | int = "largest",
    fps: float | None = None,
    seconds: float | None = None,
    video: bool = True,
    explain: bool = True,
    resume: bool = False,
    observer: AnalysisObserver | None = None,
    detector: FaceDetector | None = None,
    backend: str | None = None,
) -> Analysis:
    """Find the expressions of a recording, and write them into a folder while it is read.

    Parameters
    ----------
    source : str or os.PathLike or int or FrameSource
        Video file, folder of frames, camera number, address of a stream, or frames in memory.
    out : str or os.PathLike
        Folder for ``analysis.json``, ``events.csv``, ``frames.csv``, ``strips/`` and ``annotated.mp4``.
    model : object, optional
        Names the emotion of each event: a run, a model, loaded models; that of the package if there is one.
    spotter : str or os.PathLike or None, optional
        Name of a spotter (:func:`fleeting.spotting.list_interval_spotters`), or file of a learned one; by default motion and
        an adaptive threshold.
    face : str or int, optional
        ``"largest"``, a face's number, or ``"all"``; see :class:`~fleeting.analysis.track.FaceTracker`.
    fps : float or None, optional
        Overrules what the recording says; times then follow from it alone.
    seconds : float or None, optional
        Stop after so much of the recording; for cameras.
    video : bool, optional
        Write ``annotated.mp4``.
    explain : bool, optional
        Draw which places and frames drove each emotion.
    resume : bool, optional
        Go on where an analysis of the same recording into the same folder was stopped.
    observer : AnalysisObserver or None, optional
        Hears of what goes on.
    detector : FaceDetector or None, optional
        Finds faces; by default that of the process.
    backend : str or None, optional
        ``"av"`` or ``"opencv"``; see :func:`~fleeting.analysis.streams.open_stream`.

    Raises
    ------
    ClipReadError
        If the recording cannot be read at all. One that breaks off is analyzed as far as it goes.
    NoFaceError
        If no face was found; the files are written.
    UsageError
        If the folder holds another analysis, or there is nothing to resume.
    KeyboardInterrupt
        When stopped; what was found is on disk, and ``resume=True`` goes on.
    """
    folder = ResultFolder(out)
    stream = open_stream(source, fps=fps, backend=backend)
    settings = AnalysisSettings(
        source=_fingerprint(source, stream),
        face=face_choice(face),
        fps=fps,
        spotter=None if spotter is None else Path(spotter).name,
        model=model if model is None else str(model) if isinstance(model, str | os.PathLike) else "in memory",
        video=video,
        explain=explain,
        seconds=seconds,
    )

    def again() -> Stream:
        return stream if stream.live else open_stream(source, fps=fps, backend=backend)

    held = folder.claim(settings, resume=resume, live=stream.live)
    with work_alone(folder.path) as waited:
        if waited:
            held = folder.claim(settings, resume=resume, live=stream.live)
        if held == "complete":
            head, events = folder.read()
            return Analysis(folder.path, events, head)
        hears = observer or AnalysisObserver()
        run = _Run(stream, folder, settings, Recogniser(model), hears, detector, spotter=spotter, open_again=again)
        return run.run(folder.read_snapshot() if held == "partial" else None)


def _fingerprint(source: Any, stream: Stream) -> str:
    """Tells recordings apart: the name and the size are enough to notice a mistake."""
    path = getattr(stream, "path", None)
    size = path.stat().st_size if isinstance(path, Path) else stream.n_frames
    text = f"{stream.name} {size} {stream.size} {stream.n_frames}"
    return hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=8).hexdigest()


def _finder(spotter: str | os.PathLike[str]) -> Callable[..., list[SpottedEvent]]:
    if Path(spotter).suffix == ".safetensors" or Path(spotter).exists():
        return load_spotter(spotter).spot
    return find_interval_spotter(str(spotter)).spot


class _Run:
    """One analysis: what its parts are, and in which order they have their say."""

    def __init__(
        self,
        stream: Stream,
        folder: ResultFolder,
        settings: AnalysisSettings,
        recogniser: Recogniser,
        observer: AnalysisObserver,
        detector: FaceDetector | None,
        *,
        spotter: str | os.PathLike[str] | None,
        open_again: Callable[[], Stream],
    ) -> None:
        self.stream, self.folder, self.settings, self.observer = stream, folder, settings, observer
        self.classes = recogniser.classes
        name = "main-direction flow with an adaptive threshold" if spotter is None else Path(spotter).name
        self.head = HeadWriter(stream, settings, recogniser, name)
        self.pipeline = Pipeline(
            stream.fps,
            settings.face,
            detector,
            find=None if spotter is None else _finder(spotter),
            wait=_LIVE_WAIT if stream.live else _WAIT,
        )
        # An event is told at most two waits after its end, and hardly one lasts longer than another.
        self.lag = round(3.2 * self.pipeline.wait * stream.fps)
        self.log = EventLog()
        self.verdicts = VerdictWorker(
            self.log,
            stream.again,
            self.pipeline.timeline,
            stream.fps,
            recogniser,
            folder.strips,
            explain=settings.explain,
            told=self._judged,
        )
        self._open_again = open_again
        self.video: AnnotatedVideo | None = None
        self.points = PointsInFrame()
        self.clock = _Stopwatch()
        self.failures: list[str] = []
        self.dropped = 0

    # The course of things.

    def run(self, snapshot: dict[str, Any] | None) -> Analysis:
        import cv2

        threads = cv2.getNumThreads()
        # One stripe per frame: what is measured must not depend on the number of cores, and small pictures gain nothing.
        cv2.setNumThreads(1)
        self.frames = self.folder.frames_file(None if snapshot is None else snapshot["bytes"])
        try:
            self._prepare(snapshot)
            ahead = DecodeAhead(self.stream, self.pipeline.done)
            try:
                self._read(ahead)
                self._close()
            except BaseException:
                ahead.end()
                self._stop_short()
                raise
        finally:
            cv2.setNumThreads(threads)
            self.frames.close()
        self.dropped = ahead.dropped
        head = self._write_head(complete=True)
        self.folder.clear_unfinished()
        if not self.pipeline.with_face:
            raise NoFaceError(nobody(self.stream, self.pipeline, self.settings.face))
        return Analysis(self.folder.path, self.log.events(), head)

    def _prepare(self, snapshot: dict[str, Any] | None) -> None:
        kept = None if snapshot is None else snapshot["video"]
        if self.settings.video:
            if snapshot is None:
                shutil.rmtree(self.folder.parts, ignore_errors=True)
            patience = self.lag + round(20 * self.stream.fps)
            start = 0 if kept is None else kept["start"]
            self.video = AnnotatedVideo(self._open_again(), self.folder.parts, self.log.labels, start, patience)
        if snapshot is not None:
            self.restore(snapshot)
        self._write_head(complete=False)
        self._write_events()
        self.observer.begin(self.stream, self.pipeline.done)
        if self.video is not None:
            self.video.begin()
        self.verdicts.begin()

    def _read(self, ahead: DecodeAhead) -> None:
        flushed = saved = time.monotonic()
        limit = self.settings.seconds
        try:
            for frame in ahead:
                if limit is not None and frame.seconds >= limit:
                    ahead.end()
                    break
                self._one(frame)
                if self.observer.stopping:
                    raise KeyboardInterrupt
                if self.pipeline.done % 16 == 0:
                    now = time.monotonic()
                    if now - flushed > FLUSH_SECONDS:
                        flushed = now
                        self.dropped = ahead.dropped
                        self.frames.flush()
                        self._write_head(complete=False)
                    if now - saved > SNAPSHOT_SECONDS and not self.stream.live:
                        self.save()
                        saved = time.monotonic()
        except KeyboardInterrupt:
            if not self.stream.live:
                raise
            # A camera has no end but this.
            ahead.end()
        if not self.stream.live:
            self.save()

    def _one(self, frame: StreamFrame) -> None:
        faces, news = self.pipeline.push(frame)
        for one in news:
            self._tell(one, frame.number)
        self.pipeline.passed(frame, faces)
        if self.video is not None:
            self.video.allow(self.pipeline.done - self.lag)
        self.observer.frame(frame, faces, [measured for one in news for measured in one.measured])

    def _tell(self, news: FaceNews, last: int) -> None:
        lane = news.lane
        for one in news.measured:
            self.frames.add(lane.number, one)
            if self.video is not None:
                self.video.push(one.frame, DrawnFace(lane.number, one.score, self.points.of(lane, one)))
        for spotted in news.spotted:
            event = self.log.add(spotted, lane.number, self.pipeline.timeline, self.stream.fps)
            self.verdicts.push(event, _place(lane, event), last)

    def _judged(self, event: AnalyzedEvent, last: bool) -> None:
        if last:
            self._write_events()
        self.observer.event(event)

    def _close(self) -> None:
        for news in self.pipeline.finish():
            self._tell(news, self.pipeline.done - 1)
        self.frames.flush()
        self.observer.stage("looking at the last events again")
        self.verdicts.end()
        self._write_events()
        if self.video is not None:
            self.observer.stage("writing the rest of annotated.mp4")
            self.video.allow(self.pipeline.done)
            self.video.end()
            self._join()

    def _stop_short(self) -> None:
        """Leave behind what can be left, whatever happened."""
        self.verdicts.end(whole=False)
        if self.video is not None:
            self.video.end(whole=False)
        try:
            # In the middle of a frame there is no state to go on from; the last one that was saved is.
            if self.pipeline.whole and not self.stream.live:
                self.save()
            self._write_events()
            if self.video is not None:
                self._join()
            self._write_head(complete=False)
        except (FleetingError, OSError):
            pass  # the disk may be what failed

    def _join(self) -> None:
        assert self.video is not None
        if self.video.failed is not None:
            self.failures.append(self.video.failed)
        try:
            join_parts(self.folder.parts, self.folder.path / "annotated.mp4", self.stream.fps / self.video.every)
        except Exception as exc:  # the video is not what an analysis stands or falls with
            self.failures.append(f"The parts of the annotated video could not be joined: {type(exc).__name__}: {exc}")

    # What is kept to go on.

    def save(self) -> None:
        """Write the state, with which an analysis goes on as if it had not been stopped."""
        size = self.frames.flush()
        self.folder.write_snapshot(
            {
                "version": __version__,
                "bytes": size,
                "spent": self.clock.seconds(),
                "pipeline": self.pipeline.state(),
                "events": self.log.state(),
                "looked_at": sorted(self.verdicts.finished),
                "video": None if self.video is None else self.video.state(),
            }
        )

    def restore(self, snapshot: dict[str, Any]) -> None:
        """Go on from a state."""
        if snapshot.get("version") != __version__ or "pipeline" not in snapshot:
            raise UsageError(
                f"{self.folder.path}: was begun by version {snapshot.get('version')}, this is {__version__}; choose another "
                "--out"
            )
        self.clock.before = snapshot["spent"]
        self.pipeline.restore(snapshot["pipeline"])
        self.log.restore(snapshot["events"])
        self.verdicts.finished = set(snapshot["looked_at"])
        for event in self.log.events():
            if event.number not in self.verdicts.finished:
                self.verdicts.push(event, _place(self.pipeline.lane(event.face_id), event), self.pipeline.done - 1)
        if self.video is not None and snapshot["video"] is not None:
            self.video.restore(snapshot["video"])

    # What is written.

    def _write_events(self) -> None:
        self.folder.write_events(self.log.events(), self.classes)

    def _write_head(self, *, complete: bool) -> AnalysisHead:
        head = self.head.describe(
            self.pipeline,
            self.log.events(),
            complete=complete,
            spent=self.clock.seconds(),
            dropped=self.dropped,
            failures=self.failures,
        )
        self.folder.write_head(head)
        return head


class _Stopwatch:
    """Seconds of this run and of earlier ones."""

    def __init__(self) -> None:
        self.before = 0.0
        self._begun = time.monotonic()

    def seconds(self) -> float:
        return self.before + time.monotonic() - self._begun


def _place(lane: Lane, event: AnalyzedEvent) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    return lane.place(event.apex) or lane.place(event.onset)
