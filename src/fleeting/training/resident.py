"""Few and small samples, such as frames of optical flow, are standardised once and stay in memory."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from fleeting.training.data import Batches, HostBatches, Samples, Standardisation, make_batches

__all__ = ["MOST_BYTES", "ReadyBatches", "training_batches"]

#: The 442 frames of 28x28 pixels and 3 channels that the composite of 2019 has take 4 MB; clips take a hundred times that
#: and are read anew for each batch.
MOST_BYTES = 1 << 25


class ReadyBatches:
    """Batches picked out of what was read and standardised before.

    Parameters
    ----------
    batches : Batches
        Batches of what is read, once.
    """

    def __init__(self, batches: Batches) -> None:
        self._ready = batches.take(torch.arange(len(batches)))
        self._out = torch.empty((0, *self._ready.shape[1:]))

    def __len__(self) -> int:
        return len(self._ready)

    def take(self, index: Tensor) -> Tensor:
        """Take ``(n, C, T, H, W)`` of the samples at some positions, valid until the next batch is taken."""
        if len(self._out) < len(index):
            self._out = torch.empty((len(index), *self._ready.shape[1:]))
        return torch.index_select(self._ready, 0, index, out=self._out[: len(index)])


def training_batches(samples: Samples, standardisation: Standardisation, device: torch.device) -> Batches:
    """Make what :func:`~fleeting.training.data.make_batches` makes; on a CPU the same values from memory if they are few."""
    if device.type == "cpu" and 4 * len(samples) * math.prod(samples.shape) <= MOST_BYTES:
        return ReadyBatches(HostBatches(samples, standardisation))
    return make_batches(samples, standardisation, device)
