"""The outcome of a training: the network, and how it got there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import nn

from fleeting.errors import FleetingError
from fleeting.training.collapse import CollapseReport
from fleeting.training.config import TrainingConfig
from fleeting.training.data import Sequences, Standardisation
from fleeting.training.prediction import PREDICTED_AT_ONCE, predict_proba

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

__all__ = ["DivergedError", "OnEpoch", "TrainingResult"]

OnEpoch = Callable[[dict[str, Any]], object]


class DivergedError(FleetingError, ArithmeticError):
    """The loss or the weights are no longer finite numbers."""


@dataclass(frozen=True)
class TrainingResult:
    """A trained network and how it got there.

    Attributes
    ----------
    model : nn.Module
        The network with the weights of the last epoch, in evaluation mode.
    classes : tuple of object
        Names of its outputs, in order.
    config : TrainingConfig
        Hyper-parameters that it was trained with.
    standardisation : Standardisation
        Mean and deviation of the training data, which every input is brought to.
    records : tuple of dict of str to object
        One per epoch, one in all for a model that is fitted directly: ``epoch, loss, accuracy, [val_loss, val_accuracy,]
        dead_fraction, learning_rate, seconds``. Loss and accuracy are the means over the epoch's batches while the
        weights change and dropout is on, as Keras reports them.
    collapse : CollapseReport
        Whether it stopped learning, why, and since when.
    seed : int
        Random seed of the order of samples and of dropout.
    device : str
        Device that it was trained on, ``"cpu"`` or ``"cuda"``.
    n_train : int
        Number of samples that it was trained on.
    steps : str
        Way in which the steps were taken, ``"eager"`` or ``"CUDA graph"``; if there could be no graph, why. ``"direct"``
        if there were none.
    watched : numpy.ndarray of int64
        ``(epochs, n)`` positions in ``classes`` that the validation samples were taken for after each epoch; empty
        without validation, or if there are no epochs.
    """

    model: nn.Module
    classes: tuple[Any, ...]
    config: TrainingConfig
    standardisation: Standardisation
    records: tuple[dict[str, Any], ...] = field(repr=False)
    collapse: CollapseReport
    seed: int
    device: str
    n_train: int
    steps: str = "eager"
    watched: NDArray[np.int64] = field(default_factory=lambda: np.zeros((0, 0), np.int64), repr=False)

    @cached_property
    def history(self) -> pd.DataFrame:
        """The records as a table, one row per epoch."""
        # pandas takes 35 MB, which training itself has no use for.
        import pandas as pd

        return pd.DataFrame(self.records)

    def predict_proba(
        self, X: Sequences, *, batch_size: int = PREDICTED_AT_ONCE, device: str | None = None
    ) -> NDArray[np.float64]:
        """Give the probabilities ``(N, n_classes)`` of sequences ``(N, T, H, W, C)``, in the order of ``classes``."""
        return predict_proba(
            self.model,
            X,
            motion=self.config.motion,
            standardisation=self.standardisation,
            batch_size=batch_size,
            device=device or self.device,
        )

    def predict(self, X: Sequences, *, batch_size: int = PREDICTED_AT_ONCE, device: str | None = None) -> NDArray[Any]:
        """Give the likeliest class of each sequence."""
        probabilities = self.predict_proba(X, batch_size=batch_size, device=device)
        answer: NDArray[Any] = np.asarray(self.classes).take(probabilities.argmax(axis=1))
        return answer
