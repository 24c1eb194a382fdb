"""The configuration of an experiment, and the units that it falls into."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, SerializeAsAny, field_validator

from fleeting.experiments.selection import Selection
from fleeting.models.registry import MODELS
from fleeting.protocols import create_protocol
from fleeting.protocols.registry import PROTOCOLS
from fleeting.records.kinds import Seed
from fleeting.sequences import Recipe, recipe_from_dict
from fleeting.training import TrainingConfig


class ExperimentConfig(BaseModel):
    """Everything that decides a result, and nothing else.

    Parameters
    ----------
    data : tuple of str, optional
        Data sets as ``KIND:PATH``; several make a composite.
    scheme : str or None, optional
        Label scheme that names the clips' emotions (:func:`fleeting.datasets.list_schemes`); ``None`` takes the
        protocol's, and keeps the data sets' own labels if it has none.
    recipe : Recipe
        Rule that makes a sequence of a clip.
    model, model_options : str and dict of str to object, optional
        A name of :func:`fleeting.models.list_models`, and its own options.
    training : TrainingConfig
        Optimiser, epochs and so on; its ``motion`` follows the recipe's.
    protocol, protocol_options : str and dict of str to object, optional
        Rule that splits the clips: a name of :func:`fleeting.protocols.list_protocols`, and its options, such as
        ``{"folds": 5, "seed": 0}``.
    classes : tuple of str or None, optional
        Emotions to keep, in order; ``None`` for all that occur.
    seeds : tuple of int, optional
        Each fold is trained once for each.
    selection : Selection or None, optional
        Choice that each unit makes on an inner split of its training side; ``None`` to choose nothing, which is to take the
        weights after the last epoch.
    watch : bool, optional
        Record the test clips' loss, accuracy and answers after each epoch. It is only shown, never used to choose.
    device : str, optional
        ``"cpu"``, ``"cuda"`` or ``"auto"``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    data: tuple[str, ...] = ()
    scheme: str | None = None
    recipe: SerializeAsAny[Recipe]
    model: str = "model_a"
    model_options: dict[str, Any] = Field(default_factory=dict)
    training: TrainingConfig
    protocol: str = "stratified-kfold"
    protocol_options: dict[str, Any] = Field(default_factory=dict)
    classes: tuple[str, ...] | None = None
    seeds: tuple[Seed, ...] = (0,)
    selection: Selection | None = None
    watch: bool = False
    device: str = "cpu"

    @field_validator("recipe", mode="before")
    @classmethod
    def _recipe(cls, value: Any) -> Any:
        return recipe_from_dict(value) if isinstance(value, dict) else value

    @field_validator("model")
    @classmethod
    def _spell_model(cls, name: str) -> str:
        # However a name is spelled, it is the same run.
        return MODELS.spell(name)

    @field_validator("protocol")
    @classmethod
    def _spell_protocol(cls, name: str) -> str:
        return PROTOCOLS.spell(name)

    @property
    def effective_training(self) -> TrainingConfig:
        """Training with the recipe's motion, which is the one that counts."""
        return self.training.model_copy(update={"motion": self.recipe.motion})

    @property
    def effective_scheme(self) -> str | None:
        """The scheme that counts: the one that was given, else the protocol's."""
        return self.scheme or create_protocol(self.protocol, **self.protocol_options).scheme

    @property
    def epochs_per_unit(self) -> int:
        """Epochs of all trainings of a unit together, at the most."""
        return self.training.epochs * (1 if self.selection is None else 1 + self.selection.trainings)


@dataclass(frozen=True)
class Unit:
    """The smallest piece of work that can be run, killed and run again: one fold with one seed.

    ``key`` covers everything that decides the result: recipe and pixels, model, training, the clips on both sides.
    """

    key: str
    fold: int
    seed: int
    train: tuple[int, ...]
    test: tuple[int, ...]


def unit_key(fold: int, seed: int, content: dict[str, Any]) -> str:
    """A readable key that is unique to the content."""
    return f"fold{fold}-seed{seed}-{content_key(content)}"


def content_key(content: Any) -> str:
    """12 hex digits over any JSON-ready content."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:12]
