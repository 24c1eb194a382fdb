"""Models that are fitted at once from all training samples instead of by gradient steps."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from fleeting.errors import UsageError

__all__ = ["DirectModel", "absent_last", "positive"]

#: The logit of a class that no training sample had, where those of the others sum to 0.
ABSENT = -50.0


class DirectModel(nn.Module):
    """Base of models whose weights are computed in one go, such as a linear classifier behind a projection.

    :func:`fleeting.training.train` calls :meth:`fit_direct` once where a network goes through epochs; everything else
    is as with networks. What is fitted lies in buffers, so that it is saved, moved and exported with the model. Their
    shapes must follow from the model's size and options alone.

    A subclass that is registered takes :class:`~fleeting.models.InputShape` first, as networks do.
    """

    def fit_direct(self, x: Tensor, y: Tensor, *, weights: Tensor, seed: int) -> None:
        """Fill the buffers.

        Parameters
        ----------
        x : torch.Tensor
            Standardised ``float32`` ``(N, C, T, H, W)``, all training samples, on the CPU. Not to be changed.
        y : torch.Tensor
            Their classes, ``int64`` ``(N,)``. At least two classes occur; others of the model's may not.
        weights : torch.Tensor
            Weight of each class in the loss, ``(n_classes,)``; 0 for a class that does not occur.
        seed : int
            Random seed of what is drawn, if anything is.
        """
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        """Map ``float32`` ``(N, C, T, H, W)`` to logits ``(N, n_classes)``."""
        raise NotImplementedError


def absent_last(intercept: Tensor, present: Tensor, n_classes: int) -> Tensor:
    """Give the intercepts of all classes from those of the classes that occur; others become practically impossible."""
    whole = torch.full((n_classes,), ABSENT, dtype=intercept.dtype)
    whole[present] = intercept
    return whole


def positive(model: str, option: str, value: object) -> float:
    """Check an option of a model that must be a positive number.

    Raises
    ------
    UsageError
        Names the model, the option and what was found.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
        raise UsageError(f"{model}: found {option} {value!r}; expected a number above 0")
    return float(value)
