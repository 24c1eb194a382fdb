"""Answers of a trained network."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from fleeting.errors import FleetingError, UsageError
from fleeting.models import ModelSpec
from fleeting.training.data import HostBatches, Samples, Sequences, Standardisation
from fleeting.training.device import repeatable, resolve_device

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["PREDICTED_AT_ONCE", "predict_proba", "spec_of"]

PREDICTED_AT_ONCE = 4


def spec_of(model: nn.Module) -> ModelSpec:
    """Give the description that a network was built from.

    Raises
    ------
    UsageError
        If it has none.
    """
    spec = getattr(model, "spec", None)
    if not isinstance(spec, ModelSpec):
        raise UsageError(
            f"model: found {type(model).__name__} without a spec; register it with fleeting.models.register_model and "
            "build it with create_model"
        )
    return spec


@torch.no_grad()
def predict_proba(
    model: nn.Module,
    X: Sequences,
    *,
    motion: str,
    standardisation: Standardisation,
    batch_size: int = PREDICTED_AT_ONCE,
    device: str = "cpu",
) -> NDArray[np.float64]:
    """Give the probabilities of ``uint8`` sequences under a trained network, which is left in evaluation mode.

    Parameters
    ----------
    model : nn.Module
        The network.
    X : Sequences
        Sequences ``(N, T, H, W, C)`` of its size.
    motion : str
        ``"difference"`` if each has the reference frame in front.
    standardisation : Standardisation
        Mean and deviation of the data that it was trained on.
    batch_size : int, optional
        Sequences at once.
    device : str, optional
        ``"cpu"``, ``"cuda"`` or ``"auto"``.

    Returns
    -------
    numpy.ndarray of float64
        ``float64`` ``(N, n_classes)``; rows sum to 1.

    Raises
    ------
    UsageError
        If the sequences or the device do not fit.
    FleetingError
        If an answer is not a finite number.
    """
    if batch_size < 1:
        raise UsageError(f"batch_size: found {batch_size}; expected at least 1")
    where = resolve_device(device)
    # Neither is free, and a stream asks for one clip after the other.
    first = next(chain(model.parameters(), model.buffers()), None)
    if first is not None and first.device != where:
        model = model.to(where)
    if any(layer.training for layer in model.modules()):
        model.eval()
    spec = spec_of(model)
    # A batch at a time is read, so that a long recording need not fit into memory, be it the device's.
    batches = HostBatches(Samples(X, spec, motion), standardisation)
    parts = []
    with repeatable(0, where):
        for index in torch.split(torch.arange(len(batches)), batch_size):
            logits = model(batches.take(index).to(where))
            parts.append(logits.double().softmax(1).cpu().numpy())
    answers = np.concatenate(parts)
    if not np.isfinite(answers).all():
        raise FleetingError(
            f"{spec.name}: an answer is not a finite number; its weights or its standardisation are damaged: train it again"
        )
    return answers
