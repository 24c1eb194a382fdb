"""The emotion of one event of a recording, by a trained network: only the event's own frames are read again."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fleeting.clips import Clip
from fleeting.errors import FleetingError, FrameReadError
from fleeting.faces import Box, FaceDetector, default_detector

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from fleeting.analysis.lane import Timeline
    from fleeting.analysis.stream import FrameReader
    from fleeting.training import TrainedModel

__all__ = ["EventRecogniser", "Recognised", "resolve_model"]

PACKAGED = "packaged"
NO_RECOGNISER = "No recogniser: events are given without emotions. Pass --model RUN_OR_MODEL."
# A face larger than this is reduced before a recipe sees it.
_FACE_SIDE = 320
_MARGIN = 0.6


@dataclass(frozen=True)
class Recognised:
    """Classes with their probabilities, what the recipe noted, and the sequence that the networks were shown."""

    classes: tuple[str, ...]
    probabilities: tuple[float, ...]
    notes: tuple[str, ...] = ()
    sequence: NDArray[np.uint8] | None = field(default=None, repr=False, compare=False)

    @property
    def label(self) -> str:
        """The most probable class."""
        return self.classes[int(np.argmax(self.probabilities))]


def resolve_model(model: Any = None) -> EventRecogniser | None:
    """The recogniser that was asked for, else the one in the package, else none.

    Parameters
    ----------
    model : object, optional
        A run folder, a model file or folder, loaded models, or ``None``.

    Raises
    ------
    ModelFileError
        If ``model`` cannot be read, or lacks its recipe.
    """
    from fleeting import analysis

    name = None if model is None else str(model) if isinstance(model, str | os.PathLike) else "in memory"
    if model is None:
        packaged = getattr(analysis, "default_model", None)
        if packaged is None:
            return None
        model, name = packaged(), PACKAGED
    return EventRecogniser(model, name or "")


class EventRecogniser:
    """Asks the networks of a run, all folds, or one model.

    Parameters
    ----------
    model : object
        See :func:`resolve_model`.
    name : str
        What it is called in ``analysis.json``.
    """

    def __init__(self, model: Any, name: str) -> None:
        from fleeting.analysis.predict import _models, _recipe

        self.models: Sequence[TrainedModel] = _models(model)
        self.recipe = _recipe(self.models)
        self.name = Path(name).name or name
        self.classes = tuple(str(c) for c in self.models[0].classes)
        self._known = _KnownFace()

    def describe(self) -> dict[str, Any]:
        """What ``analysis.json`` says of the weights, their limits among it."""
        first = self.models[0]
        facts = first.config.facts
        limits = []
        dead = sum(m.config.collapsed for m in self.models)
        if dead:
            limits.append(f"{dead} of {len(self.models)} networks collapsed in training and answer a constant.")
        if first.synthetic:
            limits.append("Trained on synthetic faces: a verdict on a real person is a demonstration only.")
        limits += facts.limits
        if self.name == PACKAGED:
            from fleeting.analysis.weights import about_weights

            return about_weights()["recogniser"] | {"recipe": self.recipe.name, "n_models": 1, "trained_fps": None}
        return {
            "name": self.name,
            "sha256": first.config.weights_sha256,
            "trained_on": ", ".join(facts.data),
            "network": first.spec.name,
            "recipe": self.recipe.name,
            "classes": list(self.classes),
            "n_models": len(self.models),
            "trained_fps": facts.fps,
            "limits": limits,
        }

    def warnings(self, fps: float) -> list[str]:
        """Why its verdicts may mean little at a frame rate."""
        trained = self.describe()["trained_fps"]
        timed = getattr(self.recipe, "interpolation", "none") == "tim" or self.recipe.frames == 1
        if trained and not timed and not 0.7 <= fps / trained <= 1.5:
            return [
                f"The recording has {fps:.0f} frames per second, the recogniser was trained at {trained:.0f}: it sees "
                "expressions at another speed than those that it knows."
            ]
        return []

    def recognise(
        self,
        reader: FrameReader,
        timeline: Timeline,
        fps: float,
        interval: tuple[int, int, int],
        matrix: NDArray[np.float64],
        points: NDArray[np.float64],
        last: int,
    ) -> Recognised:
        """The emotion of an event.

        Parameters
        ----------
        reader, timeline : FrameReader and Timeline
            Of the recording.
        fps : float
            Frames a second.
        interval : tuple of (int, int, int)
            Onset, apex and offset in frames of the recording.
        matrix, points : numpy.ndarray of float64
            From the frame to a 128-pixel crop, and 68 landmarks in the crop, at the apex.
        last : int
            Last frame that there is.

        Raises
        ------
        FleetingError
            If the event cannot be cut as the recipe wants it.
        """
        onset, apex, offset = interval
        pad = self.recipe.frames * getattr(self.recipe, "step", 1)
        first, last = max(0, onset - pad), min(last, offset + pad)
        inverse = np.linalg.inv(np.vstack([matrix, [0, 0, 1]]))
        shown = points @ inverse[:2, :2].T + inverse[:2, 2]
        frames = _Part(reader, timeline, first, last, shown, fps)
        clip = Clip(
            dataset="own",
            subject="unknown",
            name=f"frames-{onset}-{offset}",
            frames=frames,
            fps=fps,
            onset=onset - first,
            apex=apex - first,
            offset=offset - first,
        )
        self._known.show(frames.size, frames.landmarks)
        built = self.recipe.build(clip, self._known)
        probabilities = np.mean([m.predict_proba(built.frames[None])[0] for m in self.models], axis=0)
        if not np.isfinite(probabilities).all():
            raise FleetingError("the network answered with numbers that are not finite")
        notes = tuple(str(note) for note in built.info.get("notes", []))
        return Recognised(self.classes, tuple(float(p) for p in probabilities), notes, built.frames)

    def draw_explanation(self, found: Recognised, path: Path) -> None:
        """Draw what drove a verdict over the face: see :mod:`fleeting.analysis.explain`.

        Nothing is drawn for a model that is not shown frames of a face.
        """
        from fleeting.analysis.explain import draw_explanation, explain_sequence

        if found.sequence is not None and len(found.sequence) > 1:
            draw_explanation(explain_sequence(self.models, found.sequence), found.sequence, path)


class _Part:
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


class _KnownFace(FaceDetector):
    """Knows where the face is in an event's frames. The search for faces is not safe in two threads, landmarks are."""

    def __init__(self) -> None:
        super().__init__()
        self.__dict__["_predictor"] = default_detector()._predictor
        self._size: tuple[int, int] | None = None
        self._box: Box | None = None

    def show(self, size: tuple[int, int], points: NDArray[np.float64]) -> None:
        """The size of the frames to come, and landmarks in them."""
        from fleeting.faces.detector import _settled

        self._size = size
        low, high = points.min(0), points.max(0)
        rough = Box(*(round(float(v)) for v in (*low, *high)))
        self._box = _settled(rough, points)

    def detect(self, image: NDArray[np.uint8]) -> list[Box]:
        """The known face, in a frame of the known size."""
        if self._box is not None and (image.shape[1], image.shape[0]) == self._size:
            return [self._box]
        return super().detect(image)

    def largest(self, image: NDArray[np.uint8]) -> Box | None:
        """The known face, in a frame of the known size."""
        found = self.detect(image)
        return found[0] if found else None
