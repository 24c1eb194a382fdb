"""Telling the faces of a recording apart: found now and then, each followed as :class:`FaceFollower` does."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from fleeting.analysis.stretch import overlap
from fleeting.errors import UsageError
from fleeting.faces import Box, FaceDetector, default_detector
from fleeting.spotting import FaceCrop, FaceFollower, Resumable

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["FaceTracker", "face_choice"]

# Searching more pixels than this finds faces too small to measure.
_SEARCH_SIDE = 960
_SCAN_SECONDS = 0.4
# Below this overlap from look to look it is somebody else, or a jump that nothing can be measured over.
_SAME = 0.3
_MOST_FACES = 12
# Grey levels; below this there is nothing to be seen.
_LEAST_CONTRAST = 2.0
# After so many looks in vain only every fourth is made.
_PATIENCE = 24


def face_choice(face: str | int) -> str | int:
    """``"largest"``, ``"all"`` or a face's number, from what a user wrote.

    Raises
    ------
    UsageError
        For anything else.
    """
    text = str(face).strip().lower()
    if text in ("largest", "all"):
        return text
    if text.isdecimal() and int(text) < _MOST_FACES:
        return int(text)
    raise UsageError(f"--face: found {face!r}; expected largest, all, or a number from 0 to {_MOST_FACES - 1}")


@dataclass
class FacePlace(Resumable):
    """The place where a face was last, and the detector that its follower asks; it answers with this face alone."""

    made_anew = ("finder",)

    finder: Any = field(repr=False)
    number: int
    box: Box | None = None
    last: Box | None = None  # where it was before it was lost
    jumped: bool = False
    misses: int = 0

    def largest(self, frame: NDArray[np.uint8]) -> Box | None:
        """Give this face in a frame."""
        self.misses += 1
        if self.misses > _PATIENCE and self.misses % 4:
            return None
        found: Box | None = self.finder.find(self, frame)
        self.jumped = found is not None and self.box is not None and overlap(found, self.box) < _SAME
        if found is not None:
            self.misses, self.last = 0, found
        self.box = found
        return found

    def landmarks(self, frame: NDArray[np.uint8], box: Box) -> NDArray[np.float64] | None:
        """Its 68 points."""
        return self.finder.detector.landmarks(frame, box)  # type: ignore[no-any-return]


class FaceTracker(Resumable):
    """Cuts faces out of frame after frame and tells them apart by their places.

    Parameters
    ----------
    fps : float
        Frames per second.
    face : str or int, optional
        ``"largest"``: the largest face, and on with it while it is there. A number: that face; 0 is the largest of
        those in the first frame that shows any, then by size, then in the order in which they come. ``"all"``.
    detector : FaceDetector or None, optional
        Finds faces; by default that of the process.

    Attributes
    ----------
    seen : int
        Faces that were told apart so far.
    """

    made_anew = ("detector", "places", "followers")

    def __init__(self, fps: float, face: str | int = "largest", detector: FaceDetector | None = None) -> None:
        self.fps, self.face = fps, face_choice(face)
        self.detector = detector or default_detector()
        self.places: list[FacePlace] = []
        self.followers: list[FaceFollower] = []
        self._every = max(1, round(_SCAN_SECONDS * fps))
        self._wait = 0
        self._boxes: list[Box] | None = None  # of the frame at hand
        if self.face == "largest":
            self.add()

    def add(self, box: Box | None = None) -> int:
        """A further face; returns its number."""
        place = FacePlace(self, len(self.places), box, box)
        self.places.append(place)
        self.followers.append(FaceFollower(self.fps, place))  # type: ignore[arg-type]
        return place.number

    def state(self) -> dict[str, Any]:
        """Give what has to be known to go on with the same faces."""
        return {
            **super().state(),
            "places": [place.state() for place in self.places],
            "followers": [follower.state() for follower in self.followers],
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a state; see :meth:`fleeting.spotting.Resumable.restore`."""
        own = dict(state)
        places, followers = own.pop("places"), own.pop("followers")
        while self.seen < len(places):
            self.add()
        super().restore(own)
        for place, kept in zip(self.places, places, strict=True):
            place.restore(kept)
        for follower, kept in zip(self.followers, followers, strict=True):
            follower.restore(kept)

    @property
    def seen(self) -> int:
        """Faces that were told apart so far."""
        return len(self.places)

    def look_again(self, number: int) -> None:
        """A face has moved: look for it in the next frame."""
        self.followers[number].look_again()

    def push(self, frame: NDArray[np.uint8] | None) -> dict[int, FaceCrop | None]:
        """Crops of the faces that are followed, by number; ``None`` for a face that is not there."""
        self._boxes = None
        wanted = self._scan(frame)
        crops: dict[int, FaceCrop | None] = {}
        for number in wanted:
            crop = None if frame is None else self.followers[number].push(frame)
            place = self.places[number]
            if crop is not None and float(crop.image[::4, ::4].std()) < _LEAST_CONTRAST:
                # A black frame, between two looks.
                crop = None
                self.followers[number].look_again()
            # Another face, or the same after a leap: what follows is not compared with what was.
            crops[number] = None if place.jumped else crop
            place.jumped = False
        return crops

    def _scan(self, frame: NDArray[np.uint8] | None) -> list[int]:
        """Faces to be followed, after a look for new ones if it is time."""
        if self.face == "largest":
            return [0]
        self._wait -= 1
        if frame is not None and self._wait < 0:
            self._wait = self._every - 1
            for box in self._all(frame):
                known = [p for p in self.places if p.box is not None and overlap(p.box, box) >= _SAME]
                if known:
                    continue
                # Somebody who was away is back, as far as the place tells.
                lost = [p for p in self.places if p.box is None and p.last is not None]
                back = min(lost, key=lambda p: _apart(p.last, box), default=None)
                if back is not None and (_apart(back.last, box) < 1.5 or len(self.places) >= _MOST_FACES):
                    back.box = box
                    self.followers[back.number].look_again()
                elif len(self.places) < _MOST_FACES:
                    self.add(box)
        if self.face == "all":
            return [place.number for place in self.places]
        assert isinstance(self.face, int)
        return [self.face] if self.face < len(self.places) else []

    def find(self, place: FacePlace, frame: NDArray[np.uint8]) -> Box | None:
        """The box of one face in a frame."""
        if self.face == "largest":
            box = self._largest(frame)
            if box is None or place.box is None or overlap(box, place.box) >= _SAME:
                return box
            # A larger face has come in, or the detector took fright: the one that was followed has precedence.
            near = max(self._all(frame), key=lambda other: overlap(other, place.box), default=None)  # type: ignore[arg-type]
            return near if near is not None and overlap(near, place.box) >= _SAME else box
        if place.box is None:
            return None
        others = [p.box for p in self.places if p is not place and p.box is not None]
        boxes = [box for box in self._all(frame) if all(overlap(box, o) <= overlap(box, place.box) for o in others)]
        found = max(boxes, key=lambda box: overlap(box, place.box), default=None)  # type: ignore[arg-type]
        return found if found is not None and overlap(found, place.box) >= _SAME else None

    def _all(self, frame: NDArray[np.uint8]) -> list[Box]:
        if self._boxes is None:
            small, by = _reduced(frame)
            self._boxes = [_grown(box, by) for box in self.detector.detect(small)]
        return self._boxes

    def _largest(self, frame: NDArray[np.uint8]) -> Box | None:
        small, by = _reduced(frame)
        box = self.detector.largest(small)
        return None if box is None else _grown(box, by)


def _reduced(frame: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], float]:
    import cv2

    by = max(frame.shape[:2]) / _SEARCH_SIDE
    if by <= 1:
        return frame, 1.0
    size = (max(1, round(frame.shape[1] / by)), max(1, round(frame.shape[0] / by)))
    return np.asarray(cv2.resize(frame, size, interpolation=cv2.INTER_AREA), np.uint8), by


def _apart(a: Box | None, b: Box) -> float:
    """Distance of two boxes' middles in widths of a face."""
    if a is None:
        return np.inf
    x, y = (a.left + a.right - b.left - b.right) / 2, (a.top + a.bottom - b.top - b.bottom) / 2
    return float(np.hypot(x, y)) / max(1, a.right - a.left + 1)


def _grown(box: Box, by: float) -> Box:
    return box if by == 1 else Box(*(round(value * by) for value in box))
