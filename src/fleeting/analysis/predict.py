"""A verdict on one recording: find the face, spot the apex, cut the sequence, ask the network."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fleeting.analysis.apex import LEAST_STRENGTH, LONGEST_SECONDS
from fleeting.analysis.recogniser import Recogniser
from fleeting.analysis.stretch import Stretch, face_stretches
from fleeting.clips import Clip, FrameSlice, open_clip
from fleeting.faces import FaceDetector, Reference, default_detector, find_reference
from fleeting.sequences import Recipe
from fleeting.spotting import ApexSpot, spot_clip

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from fleeting.training import TrainedModel


@dataclass(frozen=True)
class Verdict:
    """The model's answer to one recording, and what it looked at.

    Attributes
    ----------
    path : pathlib.Path
        The recording.
    classes, probabilities : tuple of str and tuple of float
        One probability per class, the mean over the models asked.
    apex, onset : int
        0-based frames of the recording.
    fps, n_frames : float or None and int
        Frames per second of the recording, and its number of frames.
    stretch : Stretch
        The frames in which the face was found.
    strength : float
        Motion at the apex, in pixels of a 128-pixel face.
    n_models : int
        Networks asked; those of all folds if the model was a run.
    warnings : tuple of str
        Why the verdict may mean little, in plain sentences.
    """

    path: Path
    classes: tuple[str, ...]
    probabilities: tuple[float, ...]
    apex: int
    onset: int
    fps: float | None
    n_frames: int
    stretch: Stretch
    strength: float
    n_models: int
    warnings: tuple[str, ...]
    clip: Clip = field(repr=False, compare=False)
    reference: Reference = field(repr=False, compare=False)
    spot: ApexSpot = field(repr=False, compare=False)
    sequence: NDArray[np.uint8] = field(repr=False, compare=False)
    recipe: Recipe = field(repr=False, compare=False)

    @property
    def label(self) -> str:
        """The most probable class."""
        return self.classes[int(np.argmax(self.probabilities))]

    @property
    def apex_seconds(self) -> float | None:
        """Time of the apex from the start of the recording; ``None`` if the frame rate is unknown."""
        return None if self.fps is None else self.apex / self.fps

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "path": str(self.path),
            "label": self.label,
            "probabilities": {c: round(p, 6) for c, p in zip(self.classes, self.probabilities, strict=True)},
            "apex_frame": self.apex,
            "apex_seconds": None if self.apex_seconds is None else round(self.apex_seconds, 4),
            "onset_frame": self.onset,
            "fps": self.fps,
            "n_frames": self.n_frames,
            "face_frames": [self.stretch.start, self.stretch.stop - 1],
            "strength_px": round(self.strength, 3),
            "n_models": self.n_models,
            "warnings": list(self.warnings),
        }


def predict(
    recording: str | os.PathLike[str] | Clip,
    model: str | os.PathLike[str] | TrainedModel | Sequence[TrainedModel] | None = None,
    *,
    fps: float | None = None,
    detector: FaceDetector | None = None,
) -> Verdict:
    """Recognise the expression in a short recording of one face.

    The longest stretch in which the face is found is searched for its apex by optical flow inside the face, the head's
    motion removed; the model's own recipe cuts the sequence; the models of all folds are asked if ``model`` is a run.

    Parameters
    ----------
    recording : str or os.PathLike or Clip
        A video file, a folder of frames, or a clip.
    model : str or os.PathLike or TrainedModel or sequence or None, optional
        A run folder, a model file or folder, or models that are loaded already; without one, the recogniser that ships
        with the package.
    fps : float or None, optional
        Frames per second, for a folder or to overrule the video.

    Raises
    ------
    NoFaceError
        If there is no face in the recording.
    ClipReadError, ModelFileError
        If the recording or the model cannot be read.
    """
    recogniser = Recogniser(model)
    clip = recording if isinstance(recording, Clip) else open_clip(recording, fps=fps)
    detector = detector or default_detector()
    path = Path(getattr(clip.frames, "path", clip.name))
    stretch = max(face_stretches(clip.frames, clip.fps, detector, path), key=len)
    n_frames = len(clip.frames)
    part = replace(
        clip,
        frames=FrameSlice(clip.frames, stretch.start, min(stretch.stop, n_frames)),
        onset=None,
        apex=None,
        offset=None,
    )
    reference = find_reference(part.frames, 0, detector, path)
    spot = spot_clip(part, reference.landmarks, start=reference.index)
    marked = replace(part, onset=spot.onset, apex=spot.apex)
    found = recogniser.recognise(marked, detector)
    assert found.sequence is not None
    return Verdict(
        path=path,
        classes=found.classes,
        probabilities=found.probabilities,
        apex=spot.apex + stretch.start,
        onset=spot.onset + stretch.start,
        fps=clip.fps,
        n_frames=n_frames,
        stretch=stretch,
        strength=spot.strength,
        n_models=len(recogniser.models),
        warnings=(*_warnings(clip, stretch, n_frames, spot, recogniser), *found.notes),
        clip=marked,
        reference=reference,
        spot=spot,
        sequence=found.sequence,
        recipe=recogniser.recipe,
    )


def _warnings(clip: Clip, stretch: Stretch, n_frames: int, spot: ApexSpot, recogniser: Recogniser) -> list[str]:
    found: list[str] = []
    if len(stretch) < n_frames:
        found.append(
            f"The face was found in one place in frames {stretch.start} to {stretch.stop - 1} of {n_frames}; the rest "
            "was left out."
        )
    if spot.strength < LEAST_STRENGTH:
        found.append(
            f"The face hardly moves ({spot.strength:.2f} px of a 128-px face at the apex): the verdict means little."
        )
    if clip.fps is None:
        found.append("The frame rate is unknown, so no times are given; pass --fps.")
    elif len(stretch) / clip.fps > LONGEST_SECONDS:
        found.append(
            f"{len(stretch) / clip.fps:.0f} seconds are more than one expression: only the largest motion is judged."
        )
    trained_at, recipe = recogniser.trained_fps, recogniser.recipe
    if clip.fps and trained_at and recogniser.other_rate(clip.fps):
        span = recipe.frames * getattr(recipe, "step", 1)
        found.append(
            f"The recording has {clip.fps:.0f} frames per second, the model was trained at {trained_at:.0f}: its window "
            f"spans {span / clip.fps:.2f} s here instead of {span / trained_at:.2f} s."
        )
    if recogniser.collapsed:
        found.append(
            f"{recogniser.collapsed} of {len(recogniser.models)} networks collapsed in training and answer a constant."
        )
    if recogniser.synthetic:
        found.append("The model was trained on synthetic faces: its verdict on a real person is a demonstration only.")
    return found
