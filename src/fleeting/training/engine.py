"""One entrance to training, for every network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from fleeting.errors import UsageError
from fleeting.models import DirectModel, ModelSpec, check_seed
from fleeting.training.collapse import CollapseWatch, prior_entropy, probe_samples
from fleeting.training.config import TrainingConfig
from fleeting.training.data import Batches, Labels, Samples, Sequences, Standardisation, encode_labels, measure
from fleeting.training.device import device_for, repeatable
from fleeting.training.loop import TrainingRun
from fleeting.training.prediction import spec_of
from fleeting.training.resident import training_batches
from fleeting.training.result import OnEpoch, TrainingResult

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["train"]


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
        Network from :func:`fleeting.models.create_model`. It trains on from the weights that it has.
    X : Sequences
        ``uint8`` ``(N, T, H, W, C)``, or one array or memory map ``(T, H, W, C)`` per sample, or
        :class:`~fleeting.training.data.SequenceFiles`. With ``config.motion == "difference"`` each has one frame more,
        the reference, in front. Not to be changed meanwhile.
    y : Labels
        One label per sample, text or whole numbers, of at least two classes.
    config : TrainingConfig
        Hyper-parameters.
    classes : sequence or None, optional
        Names of the network's outputs, in order; see :func:`~fleeting.training.data.encode_labels`.
    seed : int, optional
        Random seed of the order of samples and of dropout.
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
    spec = spec_of(model)
    seed = check_seed(seed)
    _check_optimizer(model, spec, config)
    where = device_for(config, device)
    labels, names = encode_labels(y, len(X), spec.shape.n_classes, classes)
    samples = Samples(X, spec, config.motion)
    if len(np.unique(labels)) < 2:
        raise UsageError(
            f"labels: all {len(labels)} samples are {names[labels[0]]}; training needs two classes or more"
        )
    standardisation = measure(samples)
    # Fitting is the CPU's; the fitted model then goes to the device.
    at = torch.device("cpu") if isinstance(model, DirectModel) else where
    held_out = None if validation is None else _held_out(validation, spec, names, config, standardisation, at)
    order_seed, dropout_seed = (int(s) for s in np.random.SeedSequence(seed).generate_state(2))
    run = TrainingRun(
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
            records, collapse = run.at_once(model, names, seed, on_epoch)
        return TrainingResult(
            model.to(where).eval(), names, config, standardisation, records, collapse, seed, where.type, len(labels),
            "direct",
        )  # fmt: skip
    watch = _watch(labels, names, config)
    with repeatable(dropout_seed, where, config.precision):
        records, collapse, steps = run.through(watch, on_epoch)
    return TrainingResult(
        _laid_out(model.eval(), "channels_first"),
        names,
        config,
        standardisation,
        records,
        collapse,
        seed,
        where.type,
        len(labels),
        steps,
        np.stack(run.answers) if run.answers else np.zeros((0, 0), np.int64),
    )


def _check_optimizer(model: nn.Module, spec: ModelSpec, config: TrainingConfig) -> None:
    direct = isinstance(model, DirectModel)
    if direct != (config.optimizer == "none"):
        raise UsageError(
            f"training: {spec.name} is {'fitted in one go' if direct else 'trained step by step'}; found optimizer "
            f"{config.optimizer!r}, expected {repr('none') if direct else 'sgd or adam'}. "
            "TrainingConfig.for_model(...) chooses what fits"
        )


def _held_out(
    validation: tuple[Sequences, Labels],
    spec: ModelSpec,
    names: Sequence[Any],
    config: TrainingConfig,
    standardisation: Standardisation,
    at: torch.device,
) -> tuple[Batches, Tensor]:
    theirs, _ = encode_labels(validation[1], len(validation[0]), spec.shape.n_classes, names)
    watched = training_batches(Samples(validation[0], spec, config.motion), standardisation, at)
    return watched, torch.from_numpy(theirs).to(at)


def _watch(labels: NDArray[np.int64], names: Sequence[Any], config: TrainingConfig) -> CollapseWatch:
    counts = np.bincount(labels)
    return CollapseWatch(
        names,
        floor=prior_entropy(labels, _class_weights(labels, len(names), config)),
        majority=float(counts.max() / counts.sum()),
        epochs=config.epochs,
    )


def _laid_out(model: nn.Module, layout: str) -> nn.Module:
    """Move the weights of convolutions in memory; their outputs follow them."""
    order = torch.channels_last_3d if layout == "channels_last" else torch.contiguous_format
    for module in model.modules():
        if isinstance(module, nn.Conv3d):
            module.weight.data = module.weight.data.contiguous(memory_format=order)
    return model


def _class_weights(labels: NDArray[np.int64], n_classes: int, config: TrainingConfig) -> NDArray[np.float64]:
    if config.class_weights == "none":
        return np.ones(n_classes)
    counts = np.bincount(labels, minlength=n_classes)
    return np.where(counts > 0, len(labels) / (np.count_nonzero(counts) * np.maximum(counts, 1)), 0.0)
