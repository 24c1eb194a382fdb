"""The way through a training: epoch after epoch, or at once."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fleeting.errors import CollapseWarning
from fleeting.models import DirectModel
from fleeting.training.collapse import (
    ADVICE,
    DIRECT_ADVICE,
    LAG,
    LAG_ADVICE,
    CollapseReport,
    CollapseWatch,
    Probe,
    probe,
    says_constant,
)
from fleeting.training.config import TrainingConfig
from fleeting.training.data import Batches
from fleeting.training.optim import build_optimizer
from fleeting.training.prediction import PREDICTED_AT_ONCE, spec_of
from fleeting.training.result import DivergedError, OnEpoch
from fleeting.training.steps import Step, Steps, make_steps

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["TrainingRun"]

_VALUES_AT_ONCE = 1 << 19


@dataclass
class TrainingRun:
    """A network on its way through a training.

    Attributes
    ----------
    model : nn.Module
        The network, on the device.
    config : TrainingConfig
        Hyper-parameters.
    batches : Batches
        Samples, standardised a batch at a time.
    labels : torch.Tensor
        Positions of their classes, ``(N,)``.
    weights : torch.Tensor
        Weight per class in the loss.
    order : torch.Generator
        Generator of the order of samples.
    watched : torch.Tensor
        Positions of the samples that tell whether the network still learns.
    held_out : tuple of (Batches, torch.Tensor) or None
        Samples that are answered after each epoch, and their labels.
    answers : list of numpy.ndarray of int64
        Those answers, per epoch.
    """

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
        """Go through all epochs.

        Returns
        -------
        tuple of (tuple of dict, CollapseReport, str)
            Their records, the verdict, and how the steps were taken.
        """
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
        """Fit to all samples.

        Returns
        -------
        tuple of (tuple of dict, CollapseReport)
            The record and the verdict.
        """
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
        """Go through the samples once in a new order; give mean loss and accuracy as the weights went by."""
        self.model.train()
        n = len(self.labels)
        order = torch.randperm(n, generator=self.order).to(self.labels.device)
        step.start()
        steps.take(torch.split(order, self.config.batch_size))
        return float(step.loss) / n, int(step.hits) / n

    def watched_batches(self) -> Iterator[Tensor]:
        """Yield the watched samples in batches."""
        # Single samples would have to do without statistics of a batch.
        size = max(2, self.config.batch_size)
        return (self.batches.take(index) for index in torch.split(self.watched.to(self.labels.device), size))

    @torch.no_grad()
    def score(self, batches: Batches, labels: Tensor) -> tuple[float, Tensor]:
        """Give the mean loss in evaluation mode, and the classes that were answered."""
        self.model.eval()
        loss = torch.zeros((), dtype=torch.float64, device=labels.device)
        answers = torch.empty_like(labels)
        # Of samples as small as flow, four at once would mostly be overhead.
        size = max(PREDICTED_AT_ONCE, _VALUES_AT_ONCE // math.prod(spec_of(self.model).shape.input))
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
