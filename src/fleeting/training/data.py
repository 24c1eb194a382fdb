"""From ``uint8`` sequences to the ``float32`` batches that networks see."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from fleeting.errors import UsageError
from fleeting.models import ModelSpec

__all__ = ["Labels", "Sequences", "Standardisation", "encode_labels", "measure", "to_batch", "to_resident"]

# Sequences as they come in: (N, T, H, W, C), or one (T, H, W, C) a sample; arrays or memory maps.
Sequences = NDArray[np.uint8] | Sequence[NDArray[np.uint8]]
Labels = ArrayLike


@dataclass(frozen=True)
class Standardisation:
    """One mean and one standard deviation a channel, of the training data after the motion step, in grey levels."""

    mean: tuple[float, ...]
    std: tuple[float, ...]


def to_resident(X: Sequences, spec: ModelSpec, motion: str, device: torch.device | None = None) -> Tensor:
    """Copy sequences into one ``uint8`` tensor ``(N, C, T, H, W)``, channels first in memory, on a device.

    Raises
    ------
    UsageError
        If there are none, or type or shape do not fit the network.
    """
    shape = spec.shape
    stored = shape.n_frames + (motion == "difference")
    expected = (stored, shape.height, shape.width, shape.in_channels)
    if isinstance(X, np.ndarray) and X.ndim != 5:
        raise UsageError(
            f"sequences: found an array of shape {X.shape}; expected (N, T, H, W, C) = (N, {_dims(expected)})"
        )
    if len(X) == 0:
        raise UsageError("sequences: found none; expected at least one")
    resident = torch.empty((len(X), shape.in_channels, stored, shape.height, shape.width), dtype=torch.uint8)
    view = resident.numpy().transpose(0, 2, 3, 4, 1)
    for number, sample in enumerate(X):
        sample = np.asarray(sample)
        if sample.dtype != np.uint8:
            raise UsageError(f"sequence {number}: found values of type {sample.dtype}; expected uint8 (0 to 255)")
        if sample.shape != expected:
            raise UsageError(
                f"sequence {number}: found shape {sample.shape}; {_advice(sample, expected, spec, motion)}"
            )
        view[number] = sample
    return resident if device is None else resident.to(device)


def _dims(shape: tuple[int, ...]) -> str:
    return ", ".join(str(size) for size in shape)


def _advice(sample: NDArray[Any], expected: tuple[int, ...], spec: ModelSpec, motion: str) -> str:
    text = f"{spec.name} was built for (T, H, W, C) = {expected}"
    if motion == "difference":
        text += f": {expected[0] - 1} frames and before them the reference frame that motion='difference' subtracts"
    if sample.ndim == 4 and sample.shape[1:] == expected[1:] and abs(sample.shape[0] - expected[0]) == 1:
        other = "none" if motion == "difference" else "difference"
        text += f". Should motion be {other!r}?"
    return text


def to_batch(resident: Tensor, index: Tensor | slice, motion: str, standardisation: Standardisation) -> Tensor:
    """Standardised ``float32`` ``(n, C, T, H, W)`` of some samples; with motion, T is one less than what is stored."""
    x = resident[index].float()
    if motion == "difference":
        x = x[:, :, 1:] - x[:, :, :1]
    column = (1, -1, 1, 1, 1)
    mean = torch.tensor(standardisation.mean, dtype=torch.float32, device=x.device).view(column)
    std = torch.tensor(standardisation.std, dtype=torch.float32, device=x.device).view(column)
    return x.sub_(mean).div_(std)


def measure(resident: Tensor, motion: str) -> Standardisation:
    """Mean and population standard deviation a channel, exact: the sums are of whole numbers.

    A channel that never changes gets the standard deviation 1, so that it becomes zeros.
    """
    channels = resident.shape[1]
    total, squares, count = [0] * channels, [0] * channels, 0
    for sample in resident:
        x = sample.to(torch.int32)
        if motion == "difference":
            x = x[:, 1:] - x[:, :1]
        count += x[0].numel()
        flat = x.flatten(1)
        # One channel of one sequence stays far below 2**63.
        for channel, (s, q) in enumerate(
            zip(flat.sum(1, dtype=torch.int64).tolist(), (flat * flat).sum(1, dtype=torch.int64).tolist())
        ):
            total[channel] += s
            squares[channel] += q
    mean = tuple(s / count for s in total)
    # Python's whole numbers do not round, so nothing cancels.
    variance = [(q * count - s * s) / count**2 for s, q in zip(total, squares)]
    return Standardisation(mean, tuple(v**0.5 if v > 0 else 1.0 for v in variance))


def encode_labels(
    y: Labels, n_samples: int, n_classes: int, classes: Sequence[Any] | None = None
) -> tuple[NDArray[np.int64], tuple[Any, ...]]:
    """Labels as positions in ``classes``.

    Parameters
    ----------
    y : one label a sample, text or whole numbers.
    n_samples, n_classes : of the data and of the network.
    classes : the classes in the order of the network's outputs. Without them, whole numbers from 0 to
        ``n_classes - 1`` stand for themselves and anything else is sorted.

    Returns
    -------
    ``int64`` positions ``(n_samples,)``, and the classes as plain Python values.

    Raises
    ------
    UsageError
        If labels are missing, are not labels, or do not fit the classes.
    """
    labels = np.asarray(y)
    if labels.ndim != 1 or len(labels) != n_samples:
        raise UsageError(f"labels: found shape {labels.shape}; expected one label for each of {n_samples} sequences")
    values = labels.tolist()
    for number, value in enumerate(values):
        # NaN is the one value that differs from itself; None and NaN are what tables hold where a label is missing.
        if value is None or value != value:
            raise UsageError(f"label {number} is missing ({value!r}); leave out clips without a label")
        if isinstance(value, float):
            if not value.is_integer():
                raise UsageError(f"label {number}: found {value!r}; expected text or a whole number")
            values[number] = int(value)
    if classes is None:
        whole = all(isinstance(value, int) and 0 <= value < n_classes for value in values)
        classes = range(n_classes) if whole else sorted(set(values), key=lambda value: (str(type(value)), value))
    plain = tuple(np.asarray(list(classes)).tolist())
    if len(plain) != n_classes or len(set(plain)) != n_classes:
        raise UsageError(
            f"classes: found {len(set(plain))} different ones ({', '.join(map(str, plain))}); the network has "
            f"{n_classes} outputs. Build it with n_classes={len(set(plain))}, or name all its classes"
        )
    position = {name: number for number, name in enumerate(plain)}
    unknown = sorted({str(value) for value in values if value not in position})
    if unknown:
        raise UsageError(f"labels: found {', '.join(unknown)}; expected only: {', '.join(map(str, plain))}")
    return np.array([position[value] for value in values], dtype=np.int64), plain
