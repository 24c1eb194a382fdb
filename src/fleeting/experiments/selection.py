"""Choosing epochs and hyper-parameters without looking at test clips: on an inner split of the training side, by people.

What chooses sees a :class:`~fleeting.experiments.unit.TrainingJob`, which holds the clips of the training side and no
others. So no choice can depend on a test clip, whatever the network or the protocol.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from fleeting.errors import UsageError
from fleeting.training import TrainingConfig

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Candidate", "Selection", "by_owner", "changed"]

OWNERS = ("training", "model")
INNER = "subject-kfold"


class Selection(BaseModel):
    """Rule by which each unit chooses epochs and hyper-parameters on its training side.

    Every candidate is trained on all but one of some folds of the training side and asked about the rest, people never
    being on both sides; the answers of all folds are pooled and scored. The best is then trained on the whole
    training side. Of equals the first candidate wins, and its earliest epoch.

    Parameters
    ----------
    epochs : bool, optional
        Choose after how many epochs to stop; those of the training are the most.
    grid : dict of str to tuple of object, optional
        Values to choose from by field, such as ``{"training.learning_rate": (0.001, 0.0001)}``; ``model.X`` is an
        option of the network. All combinations are candidates.
    metric : {"uf1", "uar", "accuracy"}, optional
        Figure that is made large: ``"uf1"``, ``"uar"`` or ``"accuracy"``.
    folds : int, optional
        Folds of the inner split (``subject-kfold``, seeded by the unit's seed).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    epochs: bool = False
    grid: dict[str, tuple[Any, ...]] = Field(default_factory=dict)
    metric: Literal["uf1", "uar", "accuracy"] = "uf1"
    folds: int = Field(default=3, ge=2, le=50)

    @field_validator("grid")
    @classmethod
    def _known_owners(cls, grid: dict[str, tuple[Any, ...]]) -> dict[str, tuple[Any, ...]]:
        for name, values in grid.items():
            owner, dot, field = name.partition(".")
            if owner not in OWNERS or not dot or not field:
                raise ValueError(
                    f"{name!r} cannot be chosen; expected training.FIELD or model.OPTION, as in training.learning_rate"
                )
            if not values or len({repr(value) for value in values}) != len(values):
                raise ValueError(f"{name}: expected at least one value, each once; found {list(values)}")
        return grid

    @model_validator(mode="after")
    def _something_to_choose(self) -> Selection:
        if not self.epochs and not self.grid:
            raise ValueError("nothing to choose; expected epochs, or a field with values, or both")
        if self.epochs and "training.epochs" in self.grid:
            raise ValueError("choose either epochs (any number up to the training's) or training.epochs from a list")
        return self

    @classmethod
    def create(cls, **fields: Any) -> Selection:
        """Do the same as the constructor, with a ``UsageError`` in plain words for what is impossible."""
        try:
            return cls(**fields)
        except ValidationError as exc:
            first = exc.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            raise UsageError(
                f"selection: {where + ': ' if where else ''}{first['msg'].removeprefix('Value error, ')}"
            ) from exc

    def points(self) -> list[dict[str, Any]]:
        """Give every combination of the grid's values, the last field changing fastest; one empty one without a grid."""
        return [dict(zip(self.grid, values, strict=True)) for values in product(*self.grid.values())]

    @property
    def trainings(self) -> int:
        """Number of trainings that the choice costs, besides the one that counts."""
        return len(self.points()) * self.folds

    def sentence(self) -> str:
        """Say what is chosen and how, as a report prints it."""
        what = [*(["the number of epochs"] if self.epochs else []), *self.grid]
        return (
            f"{' and '.join(what)} chosen in each fold by {_SHOWN[self.metric]} on {self.folds} inner folds of its "
            "training side, no person in two of them"
        )


_SHOWN = {"uf1": "UF1", "uar": "UAR", "accuracy": "accuracy"}


def nothing_chosen(training: TrainingConfig) -> str:
    """Say that nothing was chosen, as a report prints it."""
    what = "the model is fitted at once" if training.optimizer == "none" else "the weights after the last epoch"
    return f"nothing was chosen: {what}"


@dataclass(frozen=True)
class Candidate:
    """A combination of values and what it reached on the inner split.

    Attributes
    ----------
    point : dict of str to object
        Values by field.
    epoch : int or None
        The best one, or ``None`` if epochs were not chosen.
    score : float
        Figure of the pooled answers on the inner folds, at that epoch.
    """

    point: dict[str, Any]
    epoch: int | None
    score: float

    def describe(self) -> dict[str, Any]:
        """Give what ``unit.json`` stores of it."""
        return {**self.point, **({} if self.epoch is None else {"epochs": self.epoch}), "score": round(self.score, 6)}


def by_owner(point: Mapping[str, Any], owners: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Give ``{"training.epochs": 3}`` as ``{"training": {"epochs": 3}}``, with every owner in it."""
    fields: dict[str, dict[str, Any]] = {owner: {} for owner in owners}
    for name, value in point.items():
        owner, _, field = name.partition(".")
        fields[owner][field] = value
    return fields


def changed(
    training: TrainingConfig, options: Mapping[str, Any], point: Mapping[str, Any]
) -> tuple[TrainingConfig, dict[str, Any]]:
    """Change some values of training and network options, each checked as if it had been given at first.

    Raises
    ------
    UsageError
        If a field is unknown or its value impossible.
    """
    fields = by_owner(point, OWNERS)
    if fields["training"]:
        training = TrainingConfig.create(**(training.model_dump() | fields["training"]))
    return training, {**options, **fields["model"]}


def best_epoch(
    answers: NDArray[np.integer[Any]], truth: NDArray[np.integer[Any]], n_classes: int, metric: str
) -> tuple[int, float]:
    """Find the first of the best rows of answers, and its score.

    Parameters
    ----------
    answers : numpy.ndarray
        ``(epochs, n)`` classes that were answered after each epoch.
    truth : numpy.ndarray
        ``(n,)``.

    Returns
    -------
    tuple of (int, float)
        Number of the epoch, from 1, and its score.
    """
    from fleeting.metrics.scores import METRICS

    counts = np.zeros((len(answers), n_classes, n_classes), dtype=np.int64)
    rows = np.repeat(np.arange(len(answers)), len(truth))
    np.add.at(counts, (rows, np.tile(truth, len(answers)), answers.ravel()), 1)
    scores = METRICS[metric](counts)
    best = int(scores.argmax())
    return best + 1, float(scores[best])
