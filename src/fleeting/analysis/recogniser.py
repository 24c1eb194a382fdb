"""The trained networks that are asked for a verdict, and what has to be said of them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fleeting.analysis.weights import about_weights, default_model
from fleeting.clips import Clip
from fleeting.errors import FleetingError, ModelFileError
from fleeting.experiments import load_models
from fleeting.sequences import Recipe, recipe_from_dict
from fleeting.training import TrainedModel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from fleeting.faces import FaceDetector

__all__ = ["Recognised", "Recogniser"]

PACKAGED = "packaged"


@dataclass(frozen=True)
class Recognised:
    """An answer of the networks.

    Attributes
    ----------
    classes : tuple of str
        The classes.
    probabilities : tuple of float
        Probability of each, the mean over the networks.
    notes : tuple of str
        Sentences on what the recipe had to bend.
    sequence : numpy.ndarray of uint8 or None
        The sequence that the networks were shown, ``(T, H, W, C)``.
    """

    classes: tuple[str, ...]
    probabilities: tuple[float, ...]
    notes: tuple[str, ...] = ()
    sequence: NDArray[np.uint8] | None = field(default=None, repr=False, compare=False)

    @property
    def label(self) -> str:
        """The most probable class."""
        return self.classes[int(np.argmax(self.probabilities))]


class Recogniser:
    """Networks with one recipe and the same classes: those of all folds of a run, or a single one.

    Parameters
    ----------
    model : str or os.PathLike or TrainedModel or sequence of TrainedModel or None, optional
        A run folder, a model file or folder, or models that are loaded already; without one, the recogniser that ships
        with the package.

    Attributes
    ----------
    models : sequence of TrainedModel
        The networks.
    recipe : Recipe
        The recipe that makes their sequences.
    classes : tuple of str
        Their classes.
    name : str
        Its name in ``analysis.json``.

    Raises
    ------
    ModelFileError
        If the model cannot be read, lacks its recipe, or the networks differ in recipe or classes.
    """

    def __init__(self, model: str | os.PathLike[str] | TrainedModel | Sequence[TrainedModel] | None = None) -> None:
        self.packaged = model is None
        self.models: Sequence[TrainedModel]
        if model is None:
            self.name, self.models = PACKAGED, [default_model()]
        elif isinstance(model, str | os.PathLike):
            self.name, self.models = Path(model).name or str(model), list(load_models(model))
        else:
            self.name = "in memory"
            self.models = [model] if isinstance(model, TrainedModel) else list(model)
        self.recipe = _common_recipe(self.models)
        self.classes = tuple(str(c) for c in self.models[0].classes)

    @property
    def synthetic(self) -> bool:
        """Tell whether it was trained on synthetic faces."""
        return self.models[0].synthetic

    @property
    def trained_fps(self) -> float | None:
        """Frames per second of the clips that it was trained on, where that matters to it."""
        return None if self.packaged else self.models[0].config.facts.fps

    @property
    def collapsed(self) -> int:
        """Number of the networks that collapsed in training and answer a constant."""
        return sum(m.config.collapsed for m in self.models)

    def recognise(self, clip: Clip, detector: FaceDetector | None = None) -> Recognised:
        """Ask the networks about a clip whose onset and apex are known.

        Parameters
        ----------
        clip : Clip
            The clip.
        detector : FaceDetector or None, optional
            Finds the face.

        Raises
        ------
        FleetingError
            If the clip cannot be cut as the recipe wants it, or the answer is no number.
        """
        built = self.recipe.build(clip, detector)
        probabilities = np.mean([m.predict_proba(built.frames[None])[0] for m in self.models], axis=0)
        if not np.isfinite(probabilities).all():
            raise FleetingError("the network answered with numbers that are not finite; train it again")
        notes = tuple(str(note) for note in built.info.get("notes", []))
        return Recognised(self.classes, tuple(float(p) for p in probabilities), notes, built.frames)

    def describe(self) -> dict[str, Any]:
        """Give what ``analysis.json`` says of the weights, their limits among it."""
        if self.packaged:
            return about_weights()["recogniser"] | {
                "recipe": self.recipe.name,
                "n_models": 1,
                "trained_fps": None,
                "synthetic": self.synthetic,
            }
        first = self.models[0]
        facts = first.config.facts
        limits = []
        if self.collapsed:
            limits.append(
                f"{self.collapsed} of {len(self.models)} networks collapsed in training and answer a constant."
            )
        if self.synthetic:
            limits.append("Trained on synthetic faces: a verdict on a real person is a demonstration only.")
        limits += facts.limits
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
            "synthetic": self.synthetic,
        }

    def other_rate(self, fps: float) -> bool:
        """Tell whether a recording's frames per second differ too much from those that it was trained on."""
        timed = getattr(self.recipe, "interpolation", "none") == "tim" or self.recipe.frames == 1
        return bool(self.trained_fps and not timed and not 0.7 <= fps / self.trained_fps <= 1.5)

    def warnings(self, fps: float) -> list[str]:
        """Say why its verdicts may mean little at a frame rate."""
        if not self.other_rate(fps):
            return []
        return [
            f"The recording has {fps:.0f} frames per second, the recogniser was trained at {self.trained_fps:.0f}: it sees "
            "expressions at another speed than those that it knows."
        ]

    def draw_explanation(self, found: Recognised, path: Path) -> None:
        """Draw what drove a verdict over the face: see :mod:`fleeting.analysis.explain`.

        Nothing is drawn for a model that is not shown frames of a face.
        """
        from fleeting.analysis.explain import draw_explanation, explain_sequence

        if found.sequence is not None and len(found.sequence) > 1:
            draw_explanation(explain_sequence(self.models, found.sequence), found.sequence, path)


def _common_recipe(models: Sequence[TrainedModel]) -> Recipe:
    first = models[0]
    if first.recipe is None:
        raise ModelFileError(
            "the model was saved without its recipe, so a recording cannot be prepared for it; train it with "
            "`fleeting evaluate` or `fleeting train`, or pass recipe= when saving"
        )
    for other in models[1:]:
        if other.recipe != first.recipe or tuple(other.classes) != tuple(first.classes):
            raise ModelFileError("the models differ in recipe or classes; ask them one by one")
    return recipe_from_dict(first.recipe)
