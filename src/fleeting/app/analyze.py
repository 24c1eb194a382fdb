"""The verb ``analyze``: a person's own recording to events, tables, pictures and a page."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from fleeting.app.options import Flag, FramesPerSecond, OutputOptions
from fleeting.app.screen import Screen
from fleeting.errors import FleetingError, NoFaceError
from fleeting.parallel import ENDING_SIGNALS, Ended

if TYPE_CHECKING:
    from fleeting.analysis.analyze import Analysis


def analyze(
    recording: str,
    *,
    out: Path,
    model: Path | None = None,
    face: str = "largest",
    fps: FramesPerSecond = None,
    spotter: str | None = None,
    seconds: float | None = None,
    explain: Annotated[bool, Parameter(negative="--no-explain")] = True,
    video: Annotated[bool, Parameter(negative="--no-video")] = True,
    resume: Flag = False,
    live: Flag = False,
    output: OutputOptions = OutputOptions(),
) -> None:
    """Find the expressions in a recording of any length: when, where on the face, how strong, and which.

    Writes events.csv, frames.csv, strips/, annotated.mp4, analysis.json and report.html while it reads. Stopped at any
    moment, what was found is kept, and the same command with --resume goes on.

    Example: fleeting analyze video.mp4 --out analysis
    Example: fleeting analyze 0 --live --out session

    Parameters
    ----------
    recording : str
        Video file, folder of frames, folder of videos, camera number, or address of a stream.
    out : pathlib.Path
        Folder to write; of a folder of videos a folder for each.
    model : pathlib.Path or None, optional
        A run folder (all its folds are asked), a model folder or file; the shipped one if not given.
    face : str, optional
        The face to follow: largest, all, or a number (0 is the largest of those that come first).
    fps : float or None, optional
        Frames per second, for a folder or to overrule the video, as of a slow-motion file.
    spotter : str or None, optional
        Name of a spotter of intervals, or file of a learned one (default: motion, which is an adaptive threshold).
    seconds : float or None, optional
        Stop after so many seconds of the recording.
    explain : bool, optional
        Draw which places and frames drove each emotion.
    video : bool, optional
        Write annotated.mp4.
    resume : bool, optional
        Go on where the same analysis was stopped.
    live : bool, optional
        Show the running result in a window, or in the terminal where there is none.
    """
    screen = output.screen()
    return_memory()
    found: list[dict[str, Any]] = []
    todo = _recordings(recording, out)
    options: dict[str, Any] = {"model": model, "spotter": spotter, "face": face, "fps": fps, "seconds": seconds}
    options |= {"video": video, "explain": explain}
    several = len(todo) > 1 or todo[0][1] != out
    with _stoppable() as stopper:
        for source, folder in todo:
            try:
                # Of a folder of videos some may be done and some not begun.
                go_on = resume and (not several or (folder / "analysis.json").is_file())
                found.append(_one(screen, source, folder, options, go_on, live, stopper))
            except FleetingError as exc:
                if not several:
                    raise
                screen.warn(f"{source}: {exc}")
                found.append({"recording": source, "out": str(folder), "error": str(exc)})
    screen.dump({"recordings": found} if several else found[0])
    failed = sum("error" in item for item in found)
    if failed:
        raise FleetingError(f"{failed} of {len(found)} recordings could not be analyzed; the reasons are above")


def _recordings(recording: str, out: Path) -> list[tuple[str, Path]]:
    """What to analyze and where to; the videos of a folder that holds no pictures one by one."""
    from fleeting.clips import IMAGE_SUFFIXES, VIDEO_SUFFIXES

    folder = Path(recording)
    if not folder.is_dir():
        return [(recording, out)]
    inside = [item for item in sorted(folder.iterdir()) if item.is_file()]
    videos = [item for item in inside if item.suffix.lower() in VIDEO_SUFFIXES]
    if not videos or any(item.suffix.lower() in IMAGE_SUFFIXES for item in inside):
        return [(recording, out)]
    names = [item.stem for item in videos]
    unique = len(set(names)) == len(names)
    return [(str(item), out / (item.stem if unique else item.name)) for item in videos]


def _one(
    screen: Screen,
    source: str,
    folder: Path,
    options: dict[str, Any],
    resume: bool,
    live: bool,
    stopper: _Stopper,
) -> dict[str, Any]:
    from fleeting.analysis.analyze import analyze as run_analysis
    from fleeting.reports import render_analysis

    problem: FleetingError | None = None
    analysis: Analysis | None = None
    page: Path | None = None
    with screen.bar() as bars:
        observer = stopper.observer = _observer(screen, bars, live)
        try:
            analysis = run_analysis(source, folder, resume=resume, observer=observer, **options)
        except NoFaceError as exc:
            problem = exc
        except KeyboardInterrupt:
            # What was found so far deserves its page.
            if (folder / "analysis.json").is_file():
                page = render_analysis(folder)
                screen.say(f"Stopped. What was found: {page}; the same command with --resume goes on")
            if stopper.number is not None:
                raise Ended(stopper.number) from None
            raise
        finally:
            observer.close()
    page = render_analysis(folder)
    if analysis is None:
        assert problem is not None
        raise problem
    return _tell(screen, source, analysis, page)


# Fields of analysis.json that are printed with --json.
_TOLD = ("status", "source", "counts", "warnings", "seconds", "frames_per_second")


def _tell(screen: Screen, source: str, analysis: Analysis, page: Path) -> dict[str, Any]:
    head = analysis.head
    for sentence in head.warnings:
        screen.warn(sentence)
    counts = head.counts
    length = head.source.duration_s or 0.0
    screen.show(
        f"{head.source.name}: {counts.micro} micro- and {counts.macro} macro-expressions in {length:.1f} s "
        f"({counts.frames} frames, {head.frames_per_second or 0:.0f} per second)"
    )
    for event in sorted(analysis.events, key=lambda e: (e.onset_s, e.number)):
        screen.show(f"  {_line(event)}")
    screen.show(f"Report: {page}")
    return {
        "recording": source,
        "out": str(analysis.path),
        "report": str(page),
        "events": [event.to_dict() for event in analysis.events],
        **{name: value for name, value in head.to_json().items() if name in _TOLD},
    }


def _line(event: Any) -> str:
    verdict = (
        f", {event.emotion} {event.probabilities[event.emotion]:.0%}" if event.emotion in event.probabilities else ""
    )
    who = f" face {event.face_id}" if event.face_id else ""
    return (
        f"{event.onset_s:9.3f} to {event.offset_s:9.3f} s  {event.kind}{who}  {event.strength_px:.2f} px at "
        f"{event.region or 'the face'} ({event.action_units or 'no area'}){verdict}"
    )


def return_memory() -> None:
    """Have large arrays given back to the system when they are done with: 100 MB less over hours, where glibc is.

    Left to itself it raises the size from which it does so with every such array, and keeps holes between small ones.
    """
    import ctypes
    import sys

    if sys.platform != "linux":
        return
    mmap_threshold, arena_max = -3, -8  # malloc.h
    try:
        library = ctypes.CDLL(None)
        library.mallopt(mmap_threshold, 4 << 20)
        library.mallopt(arena_max, 2)
    except (OSError, AttributeError):
        pass  # another C library


class _Stopper:
    """Ctrl-C and a polite kill let the frame at hand be finished, from where a run can go on; a second one does not."""

    def __init__(self) -> None:
        self.observer: Any = None
        self.number: int | None = None

    def __call__(self, number: int, frame: object) -> None:
        self.number = number
        if self.observer is None or not self.observer.reading or self.observer.stopping:
            raise Ended(number)
        self.observer.stopping = True


@contextmanager
def _stoppable() -> Iterator[_Stopper]:
    stopper = _Stopper()
    if threading.current_thread() is not threading.main_thread():
        yield stopper
        return
    # What is ignored, as `nohup` has it, stays ignored.
    wanted = [number for number in ENDING_SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, stopper) for number in (signal.SIGINT, *wanted)}
    try:
        yield stopper
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _observer(screen: Screen, bars: Any, live: bool) -> Any:
    """What is shown while it goes on; made here so that the verb's help needs no heavy import."""
    from fleeting.analysis.analyze import AnalysisObserver

    class Watcher(AnalysisObserver):
        def __init__(self) -> None:
            self.stream: Any = None
            self.window = _Window() if live else None
            self.told = 0.0
            self.events = 0
            self.score = 0.0
            self.recent: list[Any] = []
            self.reading = False

        def begin(self, stream: Any, resumed_at: int) -> None:
            self.stream, self.reading = stream, True
            if resumed_at:
                screen.say(f"Going on at frame {resumed_at}")
            self.step = bars.step("frames")

        def frame(self, frame: Any, faces: Any, measured: Any) -> None:
            if measured:
                self.score = measured[-1].score
            total = self.stream.n_frames
            if total and frame.number % 16 == 0:
                self.step(min(frame.number + 1, total), total)
            if not live:
                return
            now = time.monotonic()
            if now - self.told < (0.04 if self.window is not None and self.window.works else 1.0):
                return
            self.told = now
            there = any(crop is not None for crop in faces.values())
            if self.window is not None and self.window.works:
                if not self.window.show(frame, faces, self.recent, self.score):
                    raise KeyboardInterrupt
                if self.window.works:
                    return
            screen.say(
                f"{frame.seconds:9.2f} s  {'face' if there else 'no face'}  motion {self.score:.2f} px  "
                f"{self.events} events so far"
            )

        def event(self, event: Any) -> None:
            self.events += 1
            self.recent = [*self.recent[-3:], event]
            if live:
                screen.say(f"event {event.number}: {_line(event).strip()}")

        def stage(self, sentence: str) -> None:
            self.reading = False
            screen.say(sentence[0].upper() + sentence[1:])

        def close(self) -> None:
            if self.window is not None:
                self.window.close()

    return Watcher()


class _Window:
    """An OpenCV window; headless builds of OpenCV and machines without a screen have none."""

    TITLE = "fleeting (q ends)"

    def __init__(self) -> None:
        import cv2

        self.works = True
        try:
            cv2.namedWindow(self.TITLE, cv2.WINDOW_NORMAL)
        except cv2.error:
            self.works = False

    def show(self, frame: Any, faces: Any, events: Any, score: float) -> bool:
        """Draw a frame; ``False`` when the user wants to end."""
        import cv2
        import numpy as np

        if frame.grey is None:
            return True
        picture = cv2.cvtColor(frame.grey, cv2.COLOR_GRAY2BGR)
        for crop in faces.values():
            if crop is not None:
                flat = np.linalg.inv(crop.matrix[:, :2])
                for x, y in (crop.points - crop.matrix[:, 2]) @ flat.T:
                    cv2.circle(picture, (int(x), int(y)), 1, (255, 225, 190), -1)
        lines = [f"{frame.seconds:.2f} s  motion {score:.2f} px", *(_line(event).strip() for event in events)]
        for row, text in enumerate(lines):
            cv2.putText(
                picture, text, (6, 18 + 18 * row), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (80, 200, 255), 1, cv2.LINE_AA
            )
        try:
            cv2.imshow(self.TITLE, picture)
            return (cv2.waitKey(1) & 0xFF) not in (ord("q"), 27)
        except cv2.error:
            self.works = False
            return True

    def close(self) -> None:
        """Close it."""
        import cv2

        if self.works:
            cv2.destroyWindow(self.TITLE)
