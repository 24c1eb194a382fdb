"""The head of an analysis: what was analyzed, how far, with what, and why the result may mean less than it seems to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from fleeting.experiments import machine, versions
from fleeting.faces.detector import LANDMARKS_LICENCE
from fleeting.records.analysis import (
    AnalysisCounts,
    AnalysisHead,
    AnalysisSettings,
    AnalysisSource,
    FollowedFace,
    LearnedPart,
)

if TYPE_CHECKING:
    from fleeting.analysis.events import AnalyzedEvent
    from fleeting.analysis.pipeline import Pipeline
    from fleeting.analysis.recogniser import Recogniser
    from fleeting.analysis.stream import Stream

__all__ = ["HeadWriter", "nobody"]

# Frames that show less than this many of the shortest micro-expression's frames can hardly show it.
_FRAMES_NEEDED = 4
_WEAK = 100.0  # frames per second below which a warning is due


@dataclass
class HeadWriter:
    """Describes an analysis at any moment.

    Parameters
    ----------
    stream : Stream
        The recording.
    settings : AnalysisSettings
        The choices.
    recogniser : Recogniser
        The networks that give verdicts.
    spotter : str
        Name of the spotter.
    """

    stream: Stream
    settings: AnalysisSettings
    recogniser: Recogniser
    spotter: str
    _versions: dict[str, Any] = field(default_factory=versions, repr=False)
    _machine: dict[str, Any] = field(default_factory=machine, repr=False)

    def describe(
        self,
        pipeline: Pipeline,
        events: Sequence[AnalyzedEvent],
        *,
        complete: bool,
        spent: float,
        dropped: int,
        failures: Sequence[str],
    ) -> AnalysisHead:
        """Describe an analysis.

        Parameters
        ----------
        pipeline : Pipeline
            The frames and faces so far.
        events : sequence of AnalyzedEvent
            The events so far.
        complete : bool
            If True, the recording has ended.
        spent : float
            Seconds that it took.
        dropped : int
            Frames that came faster than they could be measured.
        failures : sequence of str
            Sentences on what could not be written.
        """
        stream, done = self.stream, pipeline.done
        n_frames = done if complete or not stream.n_frames else stream.n_frames
        duration = done / pipeline.fps if complete else stream.duration
        if complete and done:
            duration = pipeline.seconds + 1 / pipeline.fps
        return AnalysisHead(
            status="complete" if complete else "partial",
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            frames_done=done,
            up_to_frame=done - 1,
            up_to_s=round(pipeline.seconds, 6),
            source=AnalysisSource(
                name=stream.name,
                fps=round(pipeline.fps, 6),
                n_frames=n_frames,
                width=stream.size[0],
                height=stream.size[1],
                duration_s=None if duration is None else round(duration, 6),
                rotation=stream.rotation,
                vfr=bool(stream.vfr),
                live=stream.live,
                reader=stream.reader,
                **stream.details,
            ),
            settings=self.settings,
            weights=self._weights(),
            faces=tuple(FollowedFace(face_id=n, frames=lane.seen) for n, lane in sorted(pipeline.lanes.items())),
            counts=AnalysisCounts(
                frames=done,
                frames_with_face=pipeline.with_face,
                events=len(events),
                micro=sum(event.kind == "micro" for event in events),
                macro=sum(event.kind == "macro" for event in events),
            ),
            warnings=tuple(self._warnings(pipeline, events, complete, dropped, failures)),
            seconds=round(spent, 3),
            frames_per_second=round(done / spent, 2) if spent > 0 else None,
            versions=self._versions,
            machine=self._machine,
        )

    def _weights(self) -> dict[str, LearnedPart]:
        return {
            "recogniser": LearnedPart(**self.recogniser.describe()),
            "spotter": LearnedPart(name=self.spotter),
            "landmarks": LearnedPart(name="dlib 68 points", trained_on="iBUG 300-W", limits=(LANDMARKS_LICENCE,)),
        }

    def _warnings(
        self,
        pipeline: Pipeline,
        events: Sequence[AnalyzedEvent],
        complete: bool,
        dropped: int,
        failures: Sequence[str],
    ) -> list[str]:
        found: list[str] = []
        fps, done = pipeline.fps, pipeline.done
        if fps < _WEAK:
            shortest = _FRAMES_NEEDED / fps
            found.append(
                f"{fps:.4g} frames per second: a frame lasts {1000 / fps:.0f} ms, so expressions shorter than "
                f"about {shortest:.2f} s cannot be seen. Micro-expressions last 0.04 to 0.5 s; record at 100 or more."
            )
        if self.stream.vfr:
            found.append(
                "The time between frames varies. Motion was measured frame by frame and put on an even grid of "
                f"{fps:.4g} per second by interpolation; times are those of the frames."
            )
        found += self.stream.notes
        if not pipeline.with_face and complete:
            found.append(nobody(self.stream, pipeline, self.settings.face) + ".")
        elif complete and done and pipeline.with_face < 0.5 * done:
            found.append(f"A face was found in {pipeline.with_face} of {done} frames; the rest was left out.")
        if dropped:
            found.append(f"{dropped} frames came faster than they could be measured and were dropped.")
        found += self.recogniser.warnings(fps)
        noted = [f"Event {event.number}: {note}" for event in events for note in event.notes]
        found += noted[:5] + [f"{len(noted) - 5} more notes on events."] * (len(noted) > 5)
        return list(dict.fromkeys([*found, *failures]))


def nobody(stream: Stream, pipeline: Pipeline, face: int | str) -> str:
    """Say that a recording shows no face, or not the one that was asked for."""
    seen = pipeline.tracker.seen
    if isinstance(face, int) and seen:
        return f"{stream.name}: there is no face {face}; {seen} were seen, 0 to {seen - 1}"
    return (
        f"{stream.name}: no face in {pipeline.done} frames; expected an upright, frontal face at least 40 pixels wide"
    )
