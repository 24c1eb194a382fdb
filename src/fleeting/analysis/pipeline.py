"""Frames to faces to motion: the part of an analysis that every frame passes, and that decides what is found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fleeting.analysis.lane import Lane, Measured
from fleeting.analysis.timeline import Timeline
from fleeting.analysis.track import FaceTracker

if TYPE_CHECKING:
    from fleeting.analysis.stream import StreamFrame
    from fleeting.faces import FaceDetector
    from fleeting.spotting import FaceCrop, SpottedEvent

__all__ = ["FaceNews", "Pipeline"]


@dataclass(frozen=True)
class FaceNews:
    """The news of one face that a frame brought.

    Attributes
    ----------
    lane : Lane
        The face.
    measured : list of Measured
        Frames that are measured now.
    spotted : list of SpottedEvent
        Expressions that are certain now, by numbers of the even grid.
    """

    lane: Lane
    measured: list[Measured]
    spotted: list[SpottedEvent]


class Pipeline:
    """Follow the faces of a recording and measure their motion, frame by frame.

    Parameters
    ----------
    fps : float
        Frames per second.
    face : str or int
        The face that is followed; see :class:`~fleeting.analysis.track.FaceTracker`.
    detector : FaceDetector or None, optional
        Finds faces; by default that of the process.
    find : callable or None, optional
        Spots the expressions of a table in another way than :func:`~fleeting.spotting.spot_intervals`.
    wait : float, optional
        Seconds that the spotter waits for what follows.

    Attributes
    ----------
    done : int
        Frames that are through.
    with_face : int
        Frames of these that show a face.
    seconds : float
        Time of the last one.
    whole : bool
        If False, a frame is in the middle of it, and there is no state to go on from.
    """

    def __init__(
        self,
        fps: float,
        face: str | int,
        detector: FaceDetector | None = None,
        *,
        find: Callable[..., Any] | None = None,
        wait: float = 8.0,
    ) -> None:
        self.fps, self.wait = fps, wait
        self._find = find
        self.timeline = Timeline(fps)
        self.tracker = FaceTracker(fps, face, detector)
        self.lanes: dict[int, Lane] = {}
        self.done = 0
        self.with_face = 0
        self.seconds = 0.0
        self.whole = True

    def push(self, frame: StreamFrame) -> tuple[dict[int, FaceCrop | None], list[FaceNews]]:
        """Take the next frame.

        Returns
        -------
        tuple of (dict of int to FaceCrop or None, list of FaceNews)
            The crop of each face that is followed, and what became known of each. :meth:`passed` has to follow when
            that has been taken over.
        """
        self.whole = False
        self.timeline.push(frame.number, frame.seconds)
        faces = self.tracker.push(frame.grey)
        news = []
        for number, crop in faces.items():
            lane = self.lane(number)
            news.append(FaceNews(lane, *lane.push(frame.number, frame.seconds, crop)))
            if lane.drifted:
                self.tracker.look_again(number)
        return faces, news

    def passed(self, frame: StreamFrame, faces: dict[int, FaceCrop | None]) -> None:
        """Count a frame as done."""
        self.done, self.seconds = frame.number + 1, frame.seconds
        self.with_face += any(crop is not None for crop in faces.values())
        self.whole = True

    def finish(self) -> list[FaceNews]:
        """Give what was waiting for further frames."""
        self.whole = False
        return [FaceNews(lane, *lane.finish()) for lane in self.lanes.values()]

    def lane(self, number: int) -> Lane:
        """Give the face of a number; a new one is begun."""
        if number not in self.lanes:
            self.lanes[number] = Lane(number, self.fps, self._find, self.wait)
        return self.lanes[number]

    def state(self) -> dict[str, Any]:
        """Give what has to be known to go on with the next frame."""
        return {
            "done": self.done,
            "with_face": self.with_face,
            "seconds": self.seconds,
            "timeline": self.timeline.state(),
            "tracker": self.tracker.state(),
            "lanes": [lane.state() for lane in self.lanes.values()],
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a state."""
        self.done, self.with_face, self.seconds = state["done"], state["with_face"], state["seconds"]
        self.timeline.restore(state["timeline"])
        self.tracker.restore(state["tracker"])
        for kept in state["lanes"]:
            self.lane(kept["number"]).restore(kept)
