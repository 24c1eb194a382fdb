"""Notice a network that has stopped learning, while it happens.

On raw frames with its paper's training, Model-A dies within some thirty steps: large features meet a large step, the
ReLU units behind the first dense layer fall silent for every input, and from then on the network answers a constant at
a loss equal to the entropy of the class prior. Its accuracy then is that of always naming the commonest class.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from fleeting.models.layers import HiddenReLU

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["CollapseReport", "CollapseWatch", "Probe", "prior_entropy", "probe", "probe_samples", "says_constant"]

DEAD_SHARE = 0.8
GRACE_EPOCHS = 2
CONSTANT_EPOCHS = 2
STUCK_EPOCHS = 3
# What most papers train for.
USUAL_EPOCHS = 100
STUCK_WITHIN = 0.02
ACCURACY_MARGIN = 0.05

ADVICE = (
    "show it motion instead of appearance (motion='difference'), clip the gradient (clip_norm=1), or lower "
    "learning_rate"
)
DIRECT_ADVICE = "more samples, class_weights='balanced', or another regularisation (the model's own options)"
LAG = "though it tells them apart in training: the moving averages of its normalisation need more steps"
LAG_ADVICE = "train for more epochs, or with a smaller batch_size"


@dataclass(frozen=True)
class CollapseReport:
    """Verdict on a training.

    Attributes
    ----------
    collapsed : bool
        Whether the final weights are those of a collapsed network.
    reasons : tuple of str
        Plain sentences; of the end if it is collapsed, else of a collapse from which it recovered.
    epoch : int or None
        The first epoch (from 1) at which a collapse was noticed, ``None`` if never.
    """

    collapsed: bool = False
    reasons: tuple[str, ...] = ()
    epoch: int | None = None


@dataclass(frozen=True)
class Probe:
    """Answers of the network to some training samples.

    ``constant`` is the one class that all get, or ``None``; ``dead`` the largest share, over the hidden dense layers,
    of units that are zero for all samples.
    """

    constant: int | None
    dead: float


def probe_samples(labels: NDArray[np.int64], limit: int = 64) -> NDArray[np.int64]:
    """Choose the training samples to watch: an eighth of them, 16 to ``limit`` if there are so many, classes in turn."""
    wanted = min(len(labels), limit, max(16, len(labels) // 8))
    rank = np.empty(len(labels), dtype=np.int64)
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        rank[members] = np.arange(len(members))
    return np.sort(np.argsort(rank, kind="stable")[:wanted])


def prior_entropy(labels: NDArray[np.int64], weights: NDArray[np.float64]) -> float:
    """Give the loss of a network that always answers the (weighted) shares of the classes, the best constant there is."""
    shares = np.bincount(labels, minlength=len(weights)) / len(labels) * weights
    shares = shares[shares > 0]
    return float(-(shares * np.log(shares / shares.sum())).sum())


@contextmanager
def _batch_statistics(model: nn.Module) -> Iterator[None]:
    """Let normalisation layers use the batch at hand, and put their averages back afterwards."""
    norms = [m for m in model.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    saved = [[buffer.clone() for buffer in norm.buffers()] for norm in norms]
    for norm in norms:
        norm.train()
    try:
        yield
    finally:
        for norm, buffers in zip(norms, saved):
            norm.eval()
            for buffer, value in zip(norm.buffers(), buffers):
                buffer.copy_(value)


@torch.no_grad()
def probe(model: nn.Module, batches: Iterator[Tensor], *, batch_statistics: bool = False) -> Probe:
    """Run batches through a network without dropout and see whether it still tells samples apart.

    With ``batch_statistics`` the normalisation uses each batch's own. The moving averages lag a few hundred steps
    behind, and until they arrive a healthy network may answer a constant.
    """
    alive: dict[int, Tensor] = {}
    predictions: list[Tensor] = []

    def record(module: nn.Module, inputs: object, output: Tensor) -> None:
        active = (output > 0).flatten(1).any(0)
        alive[id(module)] = alive[id(module)] | active if id(module) in alive else active

    hooks = [m.register_forward_hook(record) for m in model.modules() if isinstance(m, HiddenReLU)]
    was_training = model.training
    model.eval()
    try:
        if batch_statistics:
            with _batch_statistics(model):
                predictions = [model(x).argmax(1) for x in batches]
        else:
            predictions = [model(x).argmax(1) for x in batches]
    finally:
        model.train(was_training)
        for hook in hooks:
            hook.remove()
    found = sorted(set(torch.cat(predictions).tolist()))
    dead = max((1.0 - float(units.float().mean()) for units in alive.values()), default=0.0)
    return Probe(int(found[0]) if len(found) == 1 else None, dead)


def says_constant(answer: object) -> str:
    """Give the sentence for a model that knows one class only."""
    return f"it answers {answer} for every sample"


@dataclass
class CollapseWatch:
    """Judge of a training, epoch by epoch.

    Parameters
    ----------
    classes : sequence
        Names, for the sentences.
    floor : float
        The loss of the best constant answer, see :func:`prior_entropy`.
    majority : float
        The accuracy of the best constant answer.
    epochs : int, optional
        Epochs of the whole training. Who trains for 800 means to learn slowly, and may pass more of them at the floor.
    """

    classes: Sequence[object]
    floor: float
    majority: float
    epochs: int = 0
    first: CollapseReport | None = None
    _constant: int = field(default=0, repr=False)
    _dead: int = field(default=0, repr=False)
    _stuck: int = field(default=0, repr=False)
    _learning: bool = field(default=False, repr=False)

    @property
    def patience(self) -> int:
        """Epochs at the floor that are no news."""
        return max(STUCK_EPOCHS, (self.epochs - USUAL_EPOCHS) // 10)

    def suspicious(self, seen: Probe) -> bool:
        """Tell whether a look in evaluation mode calls for a second one with the batches' own statistics."""
        return seen.constant is not None or seen.dead >= DEAD_SHARE

    def see(self, epoch: int, loss: float, accuracy: float, seen: Probe) -> CollapseReport | None:
        """Take in an epoch (from 1); give a report the first time that a collapse shows."""
        self._constant = self._constant + 1 if seen.constant is not None else 0
        # A network can learn with few living units, and pass by the floor on its way down.
        self._learning = accuracy > self.majority + ACCURACY_MARGIN
        self._dead = self._dead + 1 if seen.dead >= DEAD_SHARE and not self._learning else 0
        at_floor = math.isclose(loss, self.floor, rel_tol=STUCK_WITHIN) and not self._learning
        self._stuck = self._stuck + 1 if at_floor else 0
        reasons = self._reasons(seen)
        if self.first is None and epoch > GRACE_EPOCHS and reasons:
            self.first = CollapseReport(True, reasons, epoch)
            return self.first
        return None

    def _reasons(self, seen: Probe) -> tuple[str, ...]:
        reasons = []
        if self._constant >= CONSTANT_EPOCHS and seen.constant is not None:
            reasons.append(says_constant(self.classes[seen.constant]))
        if self._dead >= CONSTANT_EPOCHS:
            reasons.append(self._says_dead(seen.dead))
        if self._stuck >= self.patience:
            reasons.append(self._says_stuck())
        return tuple(reasons)

    def _says_dead(self, share: float) -> str:
        return f"{share:.0%} of a hidden layer's units are zero for every sample"

    def _says_stuck(self) -> str:
        return f"its loss stays at {self.floor:.3f}, that of a constant answer"

    def end(self, epoch: int, final: Probe, learned: Probe) -> CollapseReport:
        """Judge the final weights.

        Parameters
        ----------
        epoch : int
            The last one.
        final : Probe
            The look in evaluation mode, which is how the network will be used.
        learned : Probe
            The look with the batches' own statistics; differs if the moving averages have not arrived yet.
        """
        reasons = []
        dead = min(final.dead, learned.dead) >= DEAD_SHARE and not self._learning
        # After an epoch or two a constant answer only means untrained, unless there is nothing left to train.
        if final.constant is not None and (epoch > GRACE_EPOCHS or dead):
            reasons.append(says_constant(self.classes[final.constant]))
            if learned.constant is None:
                reasons[-1] += f", {LAG}"
        if dead:
            reasons.append(self._says_dead(final.dead))
        if self._stuck >= self.patience:
            reasons.append(self._says_stuck())
        if reasons:
            return CollapseReport(True, tuple(reasons), self.first.epoch if self.first else epoch)
        if self.first:
            noted = tuple(f"recovered since: {reason}" for reason in self.first.reasons)
            return CollapseReport(False, noted, self.first.epoch)
        return CollapseReport()
