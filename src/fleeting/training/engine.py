"""One loop that trains every network."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fleeting.errors import CollapseWarning, FleetingError, UsageError
from fleeting.models import DirectModel, ModelSpec
from fleeting.training.collapse import (
    ADVICE,
    DIRECT_ADVICE,
    LAG,
    LAG_ADVICE,
    CollapseReport,
    CollapseWatch,
    Probe,
    prior_entropy,
    probe,
    probe_samples,
    says_constant,
)
from fleeting.training.config import TrainingConfig
from fleeting.training.data import (
    Batches,
    HostBatches,
    Labels,
    Samples,
    Sequences,
    Standardisation,
    encode_labels,
    measure,
)
from fleeting.training.device import device_for, repeatable, resolve_device
from fleeting.training.optim import build_optimizer
from fleeting.training.resident import training_batches
from fleeting.training.steps import Step, Steps, make_steps

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

__all__ = ["DivergedError", "OnEpoch", "TrainingResult", "predict_proba", "train"]

OnEpoch = Callable[[dict[str, Any]], object]

PREDICTED_AT_ONCE = 4
_VALUES_AT_ONCE = 1 << 19


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
        What its outputs stand for, in order.
    standardisation : Standardisation
        Mean and deviation of the training data, which every input is brought to.
    records : tuple of dict of str to object
        One an epoch, one in all for a model that is fitted directly: ``epoch, loss, accuracy, [val_loss, val_accuracy,]
        dead_fraction, learning_rate, seconds``. Loss and accuracy are the means over the epoch's batches while the
        weights change and dropout is on, as Keras reports them.
    collapse : CollapseReport
        Whether it stopped learning, why, and since when.
    steps : str
        How the steps were taken, ``"eager"`` or ``"CUDA graph"``; if there could be no graph, why. ``"direct"`` if
        there were none.
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
        """The records as a table, a row an epoch."""
        # pandas takes 35 MB, which training itself has no use for.
        import pandas as pd

        return pd.DataFrame(self.records)

    def predict_proba(
        self, X: Sequences, *, batch_size: int = PREDICTED_AT_ONCE, device: str | None = None
    ) -> NDArray[np.float64]:
        """Probabilities ``(N, n_classes)`` of ``uint8`` sequences ``(N, T, H, W, C)``, in the order of ``classes``."""
        return predict_proba(
            self.model,
            X,
            motion=self.config.motion,
            standardisation=self.standardisation,
            batch_size=batch_size,
            device=device or self.device,
        )

    def predict(self, X: Sequences, *, batch_size: int = PREDICTED_AT_ONCE, device: str | None = None) -> NDArray[Any]:
        """The likeliest class of each sequence."""
        probabilities = self.predict_proba(X, batch_size=batch_size, device=device)
        answer: NDArray[Any] = np.asarray(self.classes).take(probabilities.argmax(axis=1))
        return answer


def train(
    model: nn.Module,
    X: Sequences,
    y: Labels,
    config: TrainingConfig,
    *,
    classes: Sequence[Any] | None = None,
    seed: int = 0,
    device: str = "cpu",
    validation: tuple[Sequences, Labels] | None = None,
    on_epoch: OnEpoch | None = None,
) -> TrainingResult:
    """Train a network, or fit a :class:`~fleeting.models.DirectModel`, in place.

    On a CPU the samples stay where they are, in memory or in files, and become standardised ``float32`` a batch at a
    time, or once if they are few and small (:mod:`fleeting.training.resident`); on CUDA they are copied to the device
    once, and the steps are replays of a graph. Order and dropout follow from ``seed`` alone: the same call on the same
    first weights gives the same weights, bit for bit, on one machine with one number of threads. PyTorch's global
    generators are left as they were.

    A model that is fitted directly gets all samples at once, on the CPU; its history is one record, of the fitted model
    in evaluation mode, and ``config`` must have ``optimizer="none"``.

    Parameters
    ----------
    model : nn.Module
        From :func:`fleeting.models.create_model`. It trains on from the weights that it has.
    X : Sequences
        ``uint8`` ``(N, T, H, W, C)``, or one array or memory map ``(T, H, W, C)`` a sample, or
        :class:`~fleeting.training.data.SequenceFiles`. With ``config.motion == "difference"`` each has one frame more,
        the reference, in front. Not to be changed meanwhile.
    y : Labels
        One label per sample, text or whole numbers, of at least two classes.
    classes : sequence or None, optional
        What the network's outputs stand for, in order; see :func:`~fleeting.training.data.encode_labels`.
    seed : int, optional
        For the order of the samples and for dropout.
    device : str, optional
        ``"cpu"``, ``"cuda"``, or ``"auto"``.
    validation : tuple of (Sequences, Labels) or None, optional
        Samples and labels whose loss, accuracy and answers are recorded after each epoch. They decide nothing.
    on_epoch : OnEpoch or None, optional
        Called with the epoch's row of the history, as a dictionary. What it raises ends the training.

    Raises
    ------
    UsageError
        If data, labels or device do not fit, or the configuration asks for what only CUDA has.
    DivergedError
        If the loss stops being a finite number.

    Warns
    -----
    CollapseWarning
        Once, at the epoch in which the network is seen to have stopped learning.
    """
    spec = _spec_of(model)
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
        raise UsageError(f"seed: found {seed!r}; expected a whole number of at least 0")
    direct = isinstance(model, DirectModel)
    if direct != (config.optimizer == "none"):
        raise UsageError(
            f"training: {spec.name} is {'fitted in one go' if direct else 'trained step by step'}; found optimizer "
            f"{config.optimizer!r}, expected {repr('none') if direct else 'sgd or adam'}. "
            "TrainingConfig.for_model(...) chooses what fits"
        )
    where = device_for(config, device)
    labels, names = encode_labels(y, len(X), spec.shape.n_classes, classes)
    samples = Samples(X, spec, config.motion)
    if len(np.unique(labels)) < 2:
        raise UsageError(
            f"labels: all {len(labels)} samples are {names[labels[0]]}; training needs two classes or more"
        )
    standardisation = measure(samples)
    # Fitting is the CPU's; the fitted model then goes to the device.
    at = torch.device("cpu") if direct else where
    held_out = None
    if validation is not None:
        theirs, _ = encode_labels(validation[1], len(validation[0]), spec.shape.n_classes, names)
        watched = training_batches(Samples(validation[0], spec, config.motion), standardisation, at)
        held_out = watched, torch.from_numpy(theirs).to(at)
    order_seed, dropout_seed = (int(s) for s in np.random.SeedSequence(int(seed)).generate_state(2))
    run = _Run(
        model=_laid_out(model.to(at), config.layout),
        config=config,
        batches=training_batches(samples, standardisation, at),
        labels=torch.from_numpy(labels).to(at),
        weights=torch.from_numpy(_class_weights(labels, spec.shape.n_classes, config)).float().to(at),
        order=torch.Generator().manual_seed(order_seed),
        watched=torch.from_numpy(probe_samples(labels)),
        held_out=held_out,
    )
    if isinstance(model, DirectModel):
        with repeatable(dropout_seed, at):
            records, collapse = run.at_once(model, names, int(seed), on_epoch)
        return TrainingResult(
            model.to(where).eval(), names, config, standardisation, records, collapse, int(seed), where.type, len(labels),
            "direct",
        )  # fmt: skip
    counts = np.bincount(labels)
    watch = CollapseWatch(
        names,
        floor=prior_entropy(labels, _class_weights(labels, spec.shape.n_classes, config)),
        majority=float(counts.max() / counts.sum()),
        epochs=config.epochs,
    )
    with repeatable(dropout_seed, where, config.precision):
        records, collapse, steps = run.through(watch, on_epoch)
    return TrainingResult(
        _laid_out(model.eval(), "channels_first"),
        names,
        config,
        standardisation,
        records,
        collapse,
        int(seed),
        where.type,
        len(labels),
        steps,
        np.stack(run.answers) if run.answers else np.zeros((0, 0), np.int64),
    )


def _laid_out(model: nn.Module, layout: str) -> nn.Module:
    """Move the weights of convolutions in memory; their outputs follow them."""
    order = torch.channels_last_3d if layout == "channels_last" else torch.contiguous_format
    for module in model.modules():
        if isinstance(module, nn.Conv3d):
            module.weight.data = module.weight.data.contiguous(memory_format=order)
    return model


def _spec_of(model: nn.Module) -> ModelSpec:
    spec = getattr(model, "spec", None)
    if not isinstance(spec, ModelSpec):
        raise UsageError(
            f"model: found {type(model).__name__} without a spec; register it with fleeting.models.register_model and "
            "build it with create_model"
        )
    return spec


def _class_weights(labels: NDArray[np.int64], n_classes: int, config: TrainingConfig) -> NDArray[np.float64]:
    if config.class_weights == "none":
        return np.ones(n_classes)
    counts = np.bincount(labels, minlength=n_classes)
    return np.where(counts > 0, len(labels) / (np.count_nonzero(counts) * np.maximum(counts, 1)), 0.0)


@dataclass
class _Run:
    model: nn.Module
    config: TrainingConfig
    batches: Batches
    labels: Tensor
    weights: Tensor
    order: torch.Generator
    watched: Tensor
    held_out: tuple[Batches, Tensor] | None
    answers: list[NDArray[np.int64]] = field(default_factory=list)

    def through(
        self, watch: CollapseWatch, on_epoch: OnEpoch | None
    ) -> tuple[tuple[dict[str, Any], ...], CollapseReport, str]:
        """All epochs; their records, the verdict, and how the steps were taken."""
        device = self.labels.device
        optimizer = build_optimizer(self.model.parameters(), self.config)
        if device.type == "cuda":
            optimizer.count_on_device()
        step = Step(self.model, self.batches, self.labels, self.weights, optimizer, self.config)
        steps = make_steps(step, device)
        rows: list[dict[str, Any]] = []
        seen = Probe(None, 0.0)
        for epoch in range(1, self.config.epochs + 1):
            start = time.perf_counter()
            loss, accuracy = self.epoch(step, steps)
            if not np.isfinite(loss):
                raise DivergedError(_diverged(f"the loss of epoch {epoch} is {loss}", self.config))
            row: dict[str, Any] = {"epoch": epoch, "loss": loss, "accuracy": accuracy}
            if self.held_out is not None:
                row["val_loss"], answers = self.score(*self.held_out)
                row["val_accuracy"] = float((answers == self.held_out[1]).double().mean())
                self.answers.append(answers.cpu().numpy())
            seen = probe(self.model, self.watched_batches())
            # Once a collapse is known, only the verdict on the final weights takes a second look.
            again = watch.suspicious(seen) and (watch.first is None or epoch == self.config.epochs)
            learned = probe(self.model, self.watched_batches(), batch_statistics=True) if again else seen
            found = watch.see(epoch, loss, accuracy, learned)
            row |= {
                "dead_fraction": seen.dead,
                "learning_rate": float(optimizer.rate),
                "seconds": time.perf_counter() - start,
            }
            rows.append(row)
            if found:
                _warn(f"epoch {epoch}", found)
            if on_epoch is not None:
                on_epoch(dict(row))
        # The ends tell, and take no memory; a mask of all values would be what a training needs most of.
        if not all(
            bool(torch.isfinite(end)) for p in self.model.parameters() if p.numel() for end in torch.aminmax(p.detach())
        ):
            raise DivergedError(_diverged("the final weights are not finite", self.config))
        report = watch.end(self.config.epochs, seen, learned)
        if report.collapsed and watch.first is None:
            _warn("the end", report)
        # As large as the weights, and of no more use.
        optimizer.zero_grad()
        return tuple(rows), report, steps.how

    def at_once(
        self, model: DirectModel, classes: Sequence[object], seed: int, on_epoch: OnEpoch | None
    ) -> tuple[tuple[dict[str, Any], ...], CollapseReport]:
        """Fit to all samples; the record and the verdict."""
        start = time.perf_counter()
        with torch.no_grad():
            x = self.batches.take(torch.arange(len(self.labels)))
            model.eval().fit_direct(x, self.labels, weights=self.weights, seed=seed)
            if not all(bool(torch.isfinite(value).all()) for value in model.state_dict().values()):
                raise DivergedError(f"the fitted {type(model).__name__} is not finite; regularise more, or report it")
            logits = model(x)
        answers = logits.argmax(1)
        row: dict[str, Any] = {
            "epoch": 1,
            "loss": float(F.cross_entropy(logits.double(), self.labels)),
            "accuracy": float((answers == self.labels).double().mean()),
        }
        if self.held_out is not None:
            row["val_loss"], theirs = self.score(*self.held_out)
            row["val_accuracy"] = float((theirs == self.held_out[1]).double().mean())
        row |= {"dead_fraction": 0.0, "learning_rate": 0.0, "seconds": time.perf_counter() - start}
        report = CollapseReport()
        if bool((answers == answers[0]).all()):
            report = CollapseReport(True, (says_constant(classes[int(answers[0])]),), 1)
            _warn("the end", report, DIRECT_ADVICE)
        if on_epoch is not None:
            on_epoch(dict(row))
        return (row,), report

    def epoch(self, step: Step, steps: Steps) -> tuple[float, float]:
        """One pass over the samples in a new order; mean loss and accuracy as the weights went by."""
        self.model.train()
        n = len(self.labels)
        order = torch.randperm(n, generator=self.order).to(self.labels.device)
        step.start()
        steps.take(torch.split(order, self.config.batch_size))
        return float(step.loss) / n, int(step.hits) / n

    def watched_batches(self) -> Iterator[Tensor]:
        # Single samples would have to do without statistics of a batch.
        size = max(2, self.config.batch_size)
        return (self.batches.take(index) for index in torch.split(self.watched.to(self.labels.device), size))

    @torch.no_grad()
    def score(self, batches: Batches, labels: Tensor) -> tuple[float, Tensor]:
        """Mean loss in evaluation mode, and the classes that were answered."""
        self.model.eval()
        loss = torch.zeros((), dtype=torch.float64, device=labels.device)
        answers = torch.empty_like(labels)
        # Of samples as small as flow, four at once would mostly be overhead.
        size = max(PREDICTED_AT_ONCE, _VALUES_AT_ONCE // math.prod(_spec_of(self.model).shape.input))
        for index in torch.split(torch.arange(len(labels), device=labels.device), size):
            logits = self.model(batches.take(index))
            loss += F.cross_entropy(logits, labels[index], reduction="sum")
            answers[index] = logits.argmax(1)
        return float(loss) / len(labels), answers


def _diverged(what: str, config: TrainingConfig) -> str:
    return f"training diverged: {what}. Lower learning_rate (it is {config.learning_rate:g})" + (
        "" if config.clip_norm is not None else " or clip the gradient (clip_norm=1)"
    )


def _warn(when: str, report: CollapseReport, advice: str = ADVICE) -> None:
    if any(LAG in reason for reason in report.reasons):
        advice = LAG_ADVICE
    message = f"the network has collapsed (seen at {when}): {'; '.join(report.reasons)}. What helps: {advice}"
    warnings.warn(message, CollapseWarning, stacklevel=4)


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
    """Probabilities of ``uint8`` sequences under a trained network, which is left in evaluation mode.

    Returns
    -------
    numpy.ndarray of float64
        ``float64`` ``(N, n_classes)``; rows sum to 1.

    Raises
    ------
    UsageError
        If the sequences or the device do not fit.
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
    spec = _spec_of(model)
    # A batch at a time is read, so that a long recording need not fit into memory, be it the device's.
    batches = HostBatches(Samples(X, spec, motion), standardisation)
    parts = []
    with repeatable(0, where):
        for index in torch.split(torch.arange(len(batches)), batch_size):
            logits = model(batches.take(index).to(where))
            parts.append(logits.double().softmax(1).cpu().numpy())
    return np.concatenate(parts)
