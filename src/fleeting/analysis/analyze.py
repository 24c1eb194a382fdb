"""A recording of any length to its expressions, in one pass: faces, motion, intervals, apex, emotion.

Three threads share the work: one decodes, one follows faces and measures, one draws; a fourth looks at events again as
they become certain. What is found depends on the frames alone, so a run that was stopped and resumed finds the same.
"""

from __future__ import annotations

import hashlib
import os
import queue
import shutil
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fleeting._version import __version__
from fleeting.analysis.annotate import AnnotatedVideo, DrawnFace, DrawnLabel, join_parts
from fleeting.analysis.events import AnalyzedEvent, FramesFile, write_events
from fleeting.analysis.lane import Lane, Measured, Timeline
from fleeting.analysis.recognise import NO_RECOGNISER, EventRecogniser, resolve_model
from fleeting.analysis.snapshot import read_snapshot, restore, state_of, write_snapshot
from fleeting.analysis.stream import Stream, StreamFrame, is_live, open_stream
from fleeting.analysis.strips import draw_strips, event_moments
from fleeting.analysis.track import FaceTracker, face_choice
from fleeting.errors import FleetingError, NoFaceError, UsageError
from fleeting.experiments import machine, versions
from fleeting.faces import FaceDetector
from fleeting.faces.detector import LANDMARKS_LICENCE
from fleeting.files import write_json
from fleeting.spotting import FaceCrop

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from fleeting.clips import FrameSource

__all__ = ["Analysis", "AnalysisObserver", "analyze"]

FORMAT = 1
SNAPSHOT = "resume.npz"
PARTS = "annotated_parts"
# Frames decoded ahead: enough to bridge a look for the face, not more than this many bytes.
_AHEAD, _AHEAD_BYTES = 24, 48 << 20
_FLUSH_SECONDS, _SNAPSHOT_SECONDS = 1.0, 20.0
#: Frames that show less than this many of the shortest micro-expression's frames can hardly show it.
_FRAMES_NEEDED = 4
_WEAK = 100.0  # frames per second below which a warning is due
# Seconds that the spotter waits for what follows; of a live picture people want to hear soon.
_WAIT, _LIVE_WAIT = 8.0, 3.0
_MOST_LABELS = 200


class AnalysisObserver:
    """Hears of an analysis as it goes on; every method may be left as it is.

    Attributes
    ----------
    stopping : bool
        Set it, from a signal's handler or another thread, to stop after the frame at hand.
    """

    stopping: bool = False

    def begin(self, stream: Stream, resumed_at: int) -> None:
        """The recording is open."""

    def frame(self, frame: StreamFrame, faces: dict[int, FaceCrop | None], measured: list[Measured]) -> None:
        """A frame was measured; ``measured`` are rows that became known with it."""

    def event(self, event: AnalyzedEvent) -> None:
        """An expression became certain, and its emotion known."""

    def stage(self, sentence: str) -> None:
        """What is done after the last frame."""


@dataclass(frozen=True)
class Analysis:
    """What came of an analysis; the folder holds all of it.

    Attributes
    ----------
    path : pathlib.Path
        The folder.
    events : tuple of AnalyzedEvent
        Expressions in the order in which they became certain.
    head : dict of str to object
        What ``analysis.json`` holds.
    """

    path: Path
    events: tuple[AnalyzedEvent, ...] = field(repr=False)
    head: dict[str, Any] = field(repr=False)

    @property
    def complete(self) -> bool:
        """Whether the whole recording was analyzed."""
        return bool(self.head["status"] == "complete")


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
        File of a learned spotter, or ``"learned"`` for that of the package; by default motion and an adaptive
        threshold.
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
        ``"av"`` or ``"opencv"``; see :func:`~fleeting.analysis.stream.open_stream`.

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
    out = Path(out)
    stream = open_stream(source, fps=fps, backend=backend)
    choices = {
        "source": _fingerprint(source, stream),
        "face": face_choice(face),
        "fps": fps,
        "spotter": None if spotter is None else Path(spotter).name,
        "model": model if model is None else str(model) if isinstance(model, str | os.PathLike) else "in memory",
        "video": video,
        "explain": explain,
        "seconds": seconds,
    }
    kept = _claim(out, choices, resume, stream.live)
    if kept == "complete":
        return _finished(out)
    job = _Job(source, stream, out, choices, resolve_model(model), spotter, observer or AnalysisObserver())
    return job.run(read_snapshot(out / SNAPSHOT) if kept == "partial" else None, detector, backend)


def _fingerprint(source: Any, stream: Stream) -> str:
    """Tells recordings apart: the name and the size are enough to notice a mistake."""
    path = getattr(stream, "path", None)
    size = path.stat().st_size if isinstance(path, Path) else stream.n_frames
    text = f"{stream.name} {size} {stream.size} {stream.n_frames}"
    return hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=8).hexdigest()


def _claim(out: Path, choices: dict[str, Any], resume: bool, live: bool) -> str:
    """``"new"``, ``"partial"`` or ``"complete"``: what the folder holds of this analysis."""
    import json

    head = out / "analysis.json"
    if not head.is_file():
        if resume:
            raise UsageError(f"{out}: no analysis to go on with; leave --resume out to begin one")
        if out.is_file() or (out.is_dir() and any(out.iterdir())):
            raise UsageError(f"{out}: holds other files; expected a new or empty folder. Choose another --out")
        return "new"
    if not resume:
        raise UsageError(f"{out}: holds an analysis; pass --resume to go on with it, or choose another --out")
    if live:
        raise UsageError("what a camera or a stream showed is gone and cannot be resumed; choose another --out")
    try:
        found = json.loads(head.read_text(encoding="utf-8"))
        old = found["settings"]
    except (OSError, ValueError, KeyError) as exc:
        raise FleetingError(f"{head}: cannot be read ({exc}); analyze the recording into another folder") from exc
    differing = sorted(name for name in choices if old.get(name) != choices[name])
    if differing:
        shown = "; ".join(f"{name}: {old.get(name)!r} there, {choices[name]!r} now" for name in differing)
        raise UsageError(
            f"{out}: holds another analysis ({shown}). Ask for the same to resume it, or choose another --out"
        )
    if found.get("status") == "complete":
        return "complete"
    return "partial" if (out / SNAPSHOT).is_file() else "begun"


def _finished(out: Path) -> Analysis:
    import json

    import pandas as pd

    head = json.loads((out / "analysis.json").read_text(encoding="utf-8"))
    events = []
    table = pd.read_csv(out / "events.csv", keep_default_na=False)
    for row in table.to_dict("records"):
        chances = {str(k)[2:]: float(v) for k, v in row.items() if str(k).startswith("p_") and v != ""}
        fields = {k: row[k] for k in ("face_id", "onset", "apex", "offset", "onset_s", "apex_s", "offset_s", "kind")}
        fields |= {k: row[k] for k in ("confidence", "strength_px", "region", "action_units", "emotion")}
        events.append(AnalyzedEvent(int(row["event"]), **fields, probabilities=chances))
    return Analysis(out, tuple(events), head)


class _Ahead:
    """Decodes in a thread of its own, a few frames ahead. Frames of a camera that nobody takes in time are dropped."""

    def __init__(self, stream: Stream, start: int) -> None:
        pixels = max(1, stream.size[0] * stream.size[1])
        self._frames: queue.Queue[StreamFrame | BaseException | None] = queue.Queue(
            max(2, min(_AHEAD, _AHEAD_BYTES // pixels))
        )
        self._stream, self._start, self._ended = stream, start, threading.Event()
        self.dropped = 0
        self._thread = threading.Thread(target=self._run, name="decoding", daemon=True)

    def __iter__(self) -> Iterator[StreamFrame]:
        self._thread.start()
        while True:
            item = self._frames.get()
            if item is None:
                return
            if isinstance(item, BaseException):
                raise item
            yield item

    def end(self) -> None:
        self._ended.set()
        self._stream.stop()
        while self._thread.is_alive():
            try:
                self._frames.get(timeout=0.05)
            except queue.Empty:
                continue

    def _put(self, item: StreamFrame | BaseException | None) -> None:
        while not self._ended.is_set():
            try:
                self._frames.put(item, timeout=0.1)
                return
            except queue.Full:
                if self._stream.live and isinstance(item, StreamFrame):
                    self.dropped += 1
                    return

    def _run(self) -> None:
        import cv2

        cv2.setNumThreads(1)
        frames = self._stream.frames(self._start)
        try:
            for frame in frames:
                self._put(frame)
                if self._ended.is_set():
                    break
            self._put(None)
        except BaseException as exc:
            self._put(exc)
        finally:
            frames.close()  # type: ignore[attr-defined]


class _Job:
    """One analysis."""

    def __init__(
        self,
        source: Any,
        stream: Stream,
        out: Path,
        choices: dict[str, Any],
        recogniser: EventRecogniser | None,
        spotter: str | os.PathLike[str] | None,
        observer: AnalysisObserver,
    ) -> None:
        self.source, self.stream, self.out, self.choices = source, stream, out, choices
        self.recogniser, self.observer = recogniser, observer
        self.find: Callable[..., Any] | None = None
        self.spotter_name = "main-direction flow with an adaptive threshold"
        if spotter is not None:
            self.find = _learned(spotter)
            self.spotter_name = Path(spotter).name
        self.fps = stream.fps
        self.wait = _LIVE_WAIT if stream.live else _WAIT
        # An event is told at most two waits after its end, and hardly one lasts longer than another.
        self.lag = round(3.2 * self.wait * self.fps)
        self.timeline = Timeline(self.fps)
        self.lanes: dict[int, Lane] = {}
        self.events: list[AnalyzedEvent] = []
        self.labels: list[DrawnLabel] = []
        self.done = 0  # frames
        self.with_face = 0
        self.last_seconds = 0.0
        self.spent = 0.0  # seconds of earlier runs
        self.failures: list[str] = []
        self.lock = threading.Lock()
        self.begun = time.monotonic()
        self.dropped = 0
        self.whole = True
        self.drawn: dict[int, tuple[Any, Any, NDArray[np.float32]]] = {}

    # The course of things.

    def run(self, snapshot: dict[str, Any] | None, detector: FaceDetector | None, backend: str | None) -> Analysis:
        import cv2

        threads = cv2.getNumThreads()
        # One stripe per frame: what is measured must not depend on the number of cores, and small pictures gain nothing.
        cv2.setNumThreads(1)
        self.out.mkdir(parents=True, exist_ok=True)
        self.tracker = FaceTracker(self.fps, self.choices["face"], detector)
        self.video: AnnotatedVideo | None = None
        self.frames_file = FramesFile(self.out / "frames.csv", None if snapshot is None else snapshot["bytes"])
        self.looker = _Looker(self)
        if self.choices["video"]:
            again = (
                self.stream if self.stream.live else open_stream(self.source, fps=self.choices["fps"], backend=backend)
            )
            start = 0 if snapshot is None or snapshot["video"] is None else snapshot["video"]["start"]
            if snapshot is None:
                shutil.rmtree(self.out / PARTS, ignore_errors=True)
            patience = self.lag + round(20 * self.fps)
            self.video = AnnotatedVideo(again, self.out / PARTS, lambda: self.labels, start, patience)
        if snapshot is not None:
            self._take(snapshot)
        self._write_head("partial")
        self._write_events()
        self.observer.begin(self.stream, self.done)
        if self.video is not None:
            self.video.begin()
        self.looker.begin()
        ahead = _Ahead(self.stream, self.done)
        try:
            self._read(ahead)
            self._close()
        except KeyboardInterrupt:
            ahead.end()
            self._stop_short()
            raise
        except BaseException:
            ahead.end()
            self._stop_short()
            raise
        finally:
            cv2.setNumThreads(threads)
            self.frames_file.close()
        self.dropped = ahead.dropped
        head = self._write_head("complete")
        (self.out / SNAPSHOT).unlink(missing_ok=True)
        shutil.rmtree(self.out / PARTS, ignore_errors=True)
        if not self.with_face:
            raise NoFaceError(self._nobody())
        return Analysis(self.out, tuple(self.events), head)

    def _read(self, ahead: _Ahead) -> None:
        flushed = saved = time.monotonic()
        limit = self.choices["seconds"]
        try:
            for frame in ahead:
                if limit is not None and frame.seconds >= limit:
                    ahead.end()
                    break
                self._one(frame)
                if self.observer.stopping:
                    raise KeyboardInterrupt
                if self.done % 16 == 0:
                    now = time.monotonic()
                    if now - flushed > _FLUSH_SECONDS:
                        flushed = now
                        self.dropped = ahead.dropped
                        self.frames_file.flush()
                        self._write_head("partial")
                    if now - saved > _SNAPSHOT_SECONDS and not self.stream.live:
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
        self.whole = False
        self.timeline.push(frame.number, frame.seconds)
        faces = self.tracker.push(frame.grey)
        known: list[Measured] = []
        seen = False
        for number, crop in faces.items():
            lane = self._lane(number)
            measured, spotted = lane.push(frame.number, frame.seconds, crop)
            seen |= crop is not None
            if lane.drifted:
                self.tracker.look_again(number)
            self._tell(lane, measured, spotted)
            known += measured
        self.done, self.last_seconds = frame.number + 1, frame.seconds
        self.with_face += seen
        self.whole = True
        if self.video is not None:
            self.video.allow(self.done - self.lag)
        self.observer.frame(frame, faces, known)

    def _lane(self, number: int) -> Lane:
        if number not in self.lanes:
            self.lanes[number] = Lane(number, self.fps, self.find, self.wait)
        return self.lanes[number]

    def _tell(self, lane: Lane, measured: list[Measured], spotted: list[Any]) -> None:
        for one in measured:
            self.frames_file.add(lane.number, one)
            if self.video is not None:
                self.video.push(one.frame, DrawnFace(lane.number, one.score, self._points(lane, one)))
        for event in spotted:
            made = AnalyzedEvent.of(len(self.events) + 1, lane.number, event, self.timeline, self.fps)
            with self.lock:
                self.events.append(made)
            self.labels = [*self.labels[-_MOST_LABELS:], _label(made)]
            place = lane.place(made.apex) or lane.place(made.onset)
            self.looker.push(made, place, self.done)

    def _points(self, lane: Lane, one: Measured) -> NDArray[np.float32] | None:
        place = lane.place(one.frame) if one.row.valid else None
        if place is None:
            return None
        matrix, points = place
        # They stay as they are from look to look, for dozens of frames, which may share them.
        before = self.drawn.get(lane.number)
        if before is not None and before[0] is matrix and before[1] is points:
            return before[2]
        flat = np.linalg.inv(matrix[:, :2])
        made = np.asarray((points - matrix[:, 2]) @ flat.T, np.float32)
        self.drawn[lane.number] = matrix, points, made
        return made

    def _close(self) -> None:
        self.whole = False
        for lane in self.lanes.values():
            self._tell(lane, *lane.finish())
        self.frames_file.flush()
        self.observer.stage("looking at the last events again")
        self.looker.end()
        self._write_events()
        if self.video is not None:
            self.observer.stage("writing the rest of annotated.mp4")
            self.video.allow(self.done)
            self.video.end()
            self._join()

    def _stop_short(self) -> None:
        """Leave behind what can be left, whatever happened."""
        self.looker.end(whole=False)
        if self.video is not None:
            self.video.end(whole=False)
        try:
            # In the middle of a frame there is no state to go on from; the last one that was saved is.
            if self.whole and not self.stream.live:
                self.save()
            self._write_events()
            if self.video is not None:
                self._join()
            self._write_head("partial")
        except (FleetingError, OSError):
            pass  # the disk may be what failed

    def _join(self) -> None:
        assert self.video is not None
        if self.video.failed is not None:
            self.failures.append(self.video.failed)
        try:
            join_parts(self.out / PARTS, self.out / "annotated.mp4", self.fps / self.video.every)
        except Exception as exc:  # the video is not what an analysis stands or falls with
            self.failures.append(f"The parts of the annotated video could not be joined: {type(exc).__name__}: {exc}")

    # What is kept to go on.

    def save(self) -> None:
        """Write the state, with which an analysis goes on as if it had not been stopped."""
        size = self.frames_file.flush()
        with self.lock:
            events = [event.to_dict() for event in self.events]
        tracker = state_of(self.tracker, ("detector", "places", "followers"))
        lanes = []
        for lane in self.lanes.values():
            state = state_of(lane, ("meter", "clock", "spotter", "course", "find"))
            state["meter"] = state_of(lane.meter, ("_flow",))
            state["clock"], state["course"] = state_of(lane.clock), state_of(lane.course)
            state["spotter"] = state_of(lane.spotter, ("settings", "_find"))
            lanes.append(state)
        content = {
            "version": __version__,
            "done": self.done,
            "with_face": self.with_face,
            "last_seconds": self.last_seconds,
            "bytes": size,
            "spent": self._seconds(),
            "events": events,
            "looked_at": sorted(self.looker.finished),
            "timeline": state_of(self.timeline),
            "tracker": tracker,
            "places": [state_of(place, ("finder",)) for place in self.tracker.places],
            "followers": [state_of(follower, ("detector",)) for follower in self.tracker.followers],
            "lanes": lanes,
            "video": None if self.video is None else self.video.state(),
        }
        write_snapshot(self.out / SNAPSHOT, content)

    def _take(self, snapshot: dict[str, Any]) -> None:
        if snapshot["version"] != __version__:
            raise UsageError(
                f"{self.out}: was begun by version {snapshot['version']}, this is {__version__}; choose another --out"
            )
        self.done, self.with_face = snapshot["done"], snapshot["with_face"]
        self.last_seconds, self.spent = snapshot["last_seconds"], snapshot["spent"]
        restore(self.timeline, snapshot["timeline"])
        while self.tracker.seen < len(snapshot["places"]):
            self.tracker.add()
        restore(self.tracker, snapshot["tracker"])
        for place, state in zip(self.tracker.places, snapshot["places"], strict=True):
            restore(place, state)
        for follower, state in zip(self.tracker.followers, snapshot["followers"], strict=True):
            restore(follower, state)
        for state in snapshot["lanes"]:
            lane = self._lane(state["number"])
            for name in ("meter", "clock", "course", "spotter"):
                restore(getattr(lane, name), state.pop(name))
            restore(lane, state)
        self.events = [AnalyzedEvent(**event) for event in snapshot["events"]]
        self.labels = [_label(event) for event in self.events[-_MOST_LABELS:]]
        self.looker.finished = set(snapshot["looked_at"])
        for event in self.events:
            if event.number not in self.looker.finished:
                lane = self._lane(event.face_id)
                self.looker.push(event, lane.place(event.apex) or lane.place(event.onset), self.done)
        if self.video is not None and snapshot["video"] is not None:
            self.video.take(snapshot["video"])

    # What is written.

    def _seconds(self) -> float:
        return self.spent + time.monotonic() - self.begun

    def _write_events(self) -> None:
        with self.lock:
            events = list(self.events)
        write_events(self.out / "events.csv", events, () if self.recogniser is None else self.recogniser.classes)

    def _nobody(self) -> str:
        if isinstance(self.choices["face"], int) and self.tracker.seen:
            return (
                f"{self.stream.name}: there is no face {self.choices['face']}; {self.tracker.seen} were seen, "
                f"0 to {self.tracker.seen - 1}"
            )
        return (
            f"{self.stream.name}: no face in {self.done} frames; expected an upright, frontal face at least 40 pixels "
            "wide"
        )

    def warnings(self, status: str) -> list[str]:
        """Why the result may mean less than it seems to, in plain sentences."""
        found: list[str] = []
        if self.fps < _WEAK:
            shortest = _FRAMES_NEEDED / self.fps
            found.append(
                f"{self.fps:.4g} frames per second: a frame lasts {1000 / self.fps:.0f} ms, so expressions shorter than "
                f"about {shortest:.2f} s cannot be seen. Micro-expressions last 0.04 to 0.5 s; record at 100 or more."
            )
        if self.stream.vfr:
            found.append(
                "The time between frames varies. Motion was measured frame by frame and put on an even grid of "
                f"{self.fps:.4g} a second by interpolation; times are those of the frames."
            )
        found += self.stream.notes
        if not self.with_face and status == "complete":
            found.append(self._nobody() + ".")
        elif status == "complete" and self.done and self.with_face < 0.5 * self.done:
            found.append(f"A face was found in {self.with_face} of {self.done} frames; the rest was left out.")
        if self.dropped:
            found.append(f"{self.dropped} frames came faster than they could be measured and were dropped.")
        if self.recogniser is None:
            found.append(NO_RECOGNISER)
        else:
            found += self.recogniser.warnings(self.fps)
        noted = [f"Event {event.number}: {note}" for event in list(self.events) for note in event.notes]
        found += noted[:5] + [f"{len(noted) - 5} more notes on events."] * (len(noted) > 5)
        return list(dict.fromkeys([*found, *self.failures]))

    def _write_head(self, status: str) -> dict[str, Any]:
        spent = self._seconds()
        stream = self.stream
        with self.lock:
            events = list(self.events)
        frames = self.done if status == "complete" or not stream.n_frames else stream.n_frames
        duration = self.done / self.fps if status == "complete" else stream.duration
        if status == "complete" and self.done:
            duration = self.last_seconds + 1 / self.fps
        head = {
            "format": FORMAT,
            "kind": "analysis",
            "status": status,
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "frames_done": self.done,
            "up_to_frame": self.done - 1,
            "up_to_s": round(self.last_seconds, 6),
            "source": {
                "name": stream.name,
                "fps": round(self.fps, 6),
                "n_frames": frames,
                "width": stream.size[0],
                "height": stream.size[1],
                "duration_s": None if duration is None else round(duration, 6),
                "rotation": stream.rotation,
                "vfr": bool(stream.vfr),
                "live": stream.live,
                "reader": stream.reader,
                **stream.details,
            },
            "settings": self.choices,
            "weights": self._weights(),
            "faces": [{"face_id": n, "frames": lane.seen} for n, lane in sorted(self.lanes.items())],
            "counts": {
                "frames": self.done,
                "frames_with_face": self.with_face,
                "events": len(events),
                "micro": sum(event.kind == "micro" for event in events),
                "macro": sum(event.kind == "macro" for event in events),
            },
            "warnings": self.warnings(status),
            "seconds": round(spent, 3),
            "frames_per_second": round(self.done / spent, 2) if spent > 0 else None,
            "versions": self._versions(),
            "machine": self._machine(),
        }
        write_json(self.out / "analysis.json", head)
        return head

    def _weights(self) -> dict[str, Any]:
        return {
            "recogniser": None if self.recogniser is None else self.recogniser.describe(),
            "spotter": {"name": self.spotter_name},
            "landmarks": {"name": "dlib 68 points", "trained_on": "iBUG 300-W", "limits": [LANDMARKS_LICENCE]},
        }

    def _versions(self) -> dict[str, str]:
        if not hasattr(self, "_found_versions"):
            self._found_versions, self._found_machine = versions(), machine()
        return self._found_versions

    def _machine(self) -> dict[str, str | int]:
        self._versions()
        return self._found_machine


def _learned(spotter: str | os.PathLike[str]) -> Callable[..., Any]:
    from fleeting.analysis.interval_learning import load_spotter

    if str(spotter) != "learned":
        return load_spotter(spotter).spot
    from fleeting.analysis.weights import default_spotter

    packaged = default_spotter()
    if packaged is None:
        raise UsageError("no learned spotter ships with this version; give the file of one, or leave --spotter out")
    return packaged.spot


def _label(event: AnalyzedEvent) -> DrawnLabel:
    return DrawnLabel(event.face_id, event.onset, event.offset, event.kind, event.title)


class _Looker:
    """Looks at events again as they become certain: film strips and emotion, in a thread of its own."""

    def __init__(self, job: _Job) -> None:
        self._job = job
        self._todo: queue.Queue[tuple[AnalyzedEvent, Any, int] | None] = queue.Queue()
        self._thread = threading.Thread(target=self._run, name="events", daemon=True)
        self._dropped = False
        self.finished: set[int] = set()

    def begin(self) -> None:
        self._thread.start()

    def push(self, event: AnalyzedEvent, place: Any, done: int) -> None:
        self._todo.put((event, place, done))

    def end(self, whole: bool = True) -> None:
        self._dropped = not whole
        self._todo.put(None)
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        reader = self._job.stream.again()
        while True:
            item = self._todo.get()
            if item is None or self._dropped:
                break
            event, place, done = item
            try:
                self._look(reader, event, place, done)
            except Exception as exc:  # one event must not end an hour's work
                event.notes.append(f"could not be looked at again ({type(exc).__name__}: {exc})")
            self.finished.add(event.number)
            job = self._job
            job.labels = [_label(event) if _same(label, event) else label for label in job.labels]
            if self._todo.empty():
                job._write_events()
            job.observer.event(event)
        reader.close()

    def _look(self, reader: Any, event: AnalyzedEvent, place: Any, done: int) -> None:
        if place is None:
            event.notes.append("where the face was is no longer known")
            return
        job = self._job
        matrix, points = place
        interval = event.onset, event.apex, event.offset
        if job.recogniser is not None:
            found = job.recogniser.recognise(reader, job.timeline, job.fps, interval, matrix, points, done - 1)
            event.emotion = found.label
            event.probabilities = {
                name: round(p, 6) for name, p in zip(found.classes, found.probabilities, strict=True)
            }
            event.notes += found.notes
        strips = job.out / "strips"
        draw_strips(event_moments(reader, job.timeline, *interval, matrix), event.apex, strips, event.number)
        if job.recogniser is not None and job.choices["explain"]:
            job.recogniser.draw_explanation(found, strips / f"event_{event.number:04d}_explain.png")


def _same(label: DrawnLabel, event: AnalyzedEvent) -> bool:
    return (label.face, label.onset, label.offset) == (event.face_id, event.onset, event.offset)


def live_source(source: object) -> bool:
    """Whether a source has no end of its own."""
    return is_live(source)
