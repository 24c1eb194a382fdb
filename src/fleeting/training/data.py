"""From sequences, ``uint8`` or ``float32``, to the standardised ``float32`` batches that networks see."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, overload

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from fleeting.errors import FleetingError, UsageError
from fleeting.models import ModelSpec

__all__ = [
    "Batches",
    "HostBatches",
    "Labels",
    "ResidentBatches",
    "Samples",
    "SequenceFiles",
    "Sequences",
    "Standardisation",
    "encode_labels",
    "make_batches",
    "measure",
]

# Sequences as they come in: (N, T, H, W, C), or one (T, H, W, C) a sample; arrays, memory maps or files.
# All of one type, uint8 or float32.
Sequences = NDArray[Any] | Sequence[NDArray[Any]]
Labels = ArrayLike


@dataclass(frozen=True)
class Standardisation:
    """One mean and one standard deviation per channel, of the training data after the motion step, in its units."""

    mean: tuple[float, ...]
    std: tuple[float, ...]


class SequenceFiles(Sequence[NDArray[Any]]):
    """Sequences in ``.npy`` files, each read when it is asked for and then forgotten.

    Files that a training reads again and again stay in the system's file cache, once for all processes, which costs less
    than a millisecond per batch. A process of its own holds no more than a batch, however many files there are.

    Parameters
    ----------
    paths : sequence
        One file per sequence, ``uint8`` or ``float32`` ``(T, H, W, C)``.
    """

    def __init__(self, paths: Sequence[str | os.PathLike[str]]) -> None:
        self.paths = tuple(Path(path) for path in paths)

    def __len__(self) -> int:
        return len(self.paths)

    @overload
    def __getitem__(self, index: int) -> NDArray[Any]: ...
    @overload
    def __getitem__(self, index: slice) -> SequenceFiles: ...
    def __getitem__(self, index: int | slice) -> NDArray[Any] | SequenceFiles:
        """Read one sequence, or choose some files.

        Raises
        ------
        FleetingError
            If the file is gone or damaged.
        """
        if isinstance(index, slice):
            return SequenceFiles(self.paths[index])
        return self._open(index, None)

    def peek(self, index: int) -> NDArray[Any]:
        """Give one sequence without reading its pixels: a memory map."""
        return self._open(index, "r")

    def _open(self, index: int, mode: Any) -> NDArray[Any]:
        path = self.paths[index]
        try:
            array: NDArray[Any] = np.load(path, mmap_mode=mode, allow_pickle=False)
        except Exception as exc:  # the header of a damaged file is parsed as Python, which raises anything
            raise FleetingError(f"{path}: cannot be read ({exc}); run the same command again to have it made") from exc
        return array


class Samples:
    """Sequences that were found to fit a network, wherever they lie; nothing is copied.

    Parameters
    ----------
    X : Sequences
        Sequences as they come in, all ``uint8`` or all ``float32``.
    spec : ModelSpec
        Description of the network.
    motion : str
        ``"difference"`` if each has the reference frame in front.

    Raises
    ------
    UsageError
        If there are none, type or shape do not fit the network, or one holds NaN or an infinite value.
    """

    def __init__(self, X: Sequences, spec: ModelSpec, motion: str) -> None:
        shape = spec.shape
        stored = shape.n_frames + (motion == "difference")
        expected = (stored, shape.height, shape.width, shape.in_channels)
        if isinstance(X, np.ndarray) and X.ndim != 5:
            raise UsageError(
                f"sequences: found an array of shape {X.shape}; expected (N, T, H, W, C) = (N, {_dims(expected)})"
            )
        if len(X) == 0:
            raise UsageError("sequences: found none; expected at least one")
        dtype: np.dtype[Any] | None = None
        for number in range(len(X)):
            sample = X.peek(number) if isinstance(X, SequenceFiles) else np.asarray(X[number])
            dtype = dtype or _known_type(sample)
            if sample.dtype != dtype:
                raise UsageError(
                    f"sequence {number}: found values of type {sample.dtype}; expected {dtype} as in the first one"
                )
            if sample.shape != expected:
                raise UsageError(
                    f"sequence {number}: found shape {sample.shape}; {_advice(sample, expected, spec, motion)}"
                )
            if dtype == np.float32 and not np.isfinite(sample).all():
                raise UsageError(
                    f"sequence {number}: found NaN or an infinite value; expected finite numbers. Leave the sample out, "
                    "or mend what made it"
                )
        self.motion = motion
        self.shape = shape.input
        self._X = X
        of = torch.float32 if dtype == np.float32 else torch.uint8
        self._read = torch.empty((shape.in_channels, stored, shape.height, shape.width), dtype=of)
        self._view = self._read.numpy().transpose(1, 2, 3, 0)

    def __len__(self) -> int:
        return len(self._X)

    @property
    def dtype(self) -> torch.dtype:
        """``torch.uint8`` or ``torch.float32``."""
        return self._read.dtype

    def read(self, number: int) -> Tensor:
        """Read one sequence as ``(C, T, H, W)`` of their type, channels first in memory, valid until the next is read."""
        np.copyto(self._view, self._X[number])
        return self._read

    def resident(self, device: torch.device) -> Tensor:
        """Copy all of them to a device, ``(N, C, T, H, W)`` of their type."""
        copy = torch.empty((len(self), *self._read.shape), dtype=self.dtype, device=device)
        for number in range(len(self)):
            copy[number].copy_(self.read(number))
        return copy


def _known_type(sample: NDArray[Any]) -> np.dtype[Any]:
    if sample.dtype not in (np.uint8, np.float32):
        raise UsageError(f"sequence 0: found values of type {sample.dtype}; expected uint8 (0 to 255) or float32")
    return sample.dtype


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


class Batches(Protocol):
    """Samples that become standardised ``float32`` batches.

    With motion, T is one less than what is stored: the first frame is subtracted from the others.
    """

    def __len__(self) -> int:
        """Number of samples."""

    def take(self, index: Tensor) -> Tensor:
        """Take ``(n, C, T, H, W)`` of the samples at some positions, valid until the next batch is taken."""


class HostBatches:
    """Batches made from where the sequences lie, one sample after the other, into memory that the next batch takes over.

    Fresh memory costs more than the arithmetic, and a sample at a time stays in the processor's cache.
    """

    def __init__(self, samples: Samples, standardisation: Standardisation) -> None:
        self._samples = samples
        self._mean, self._std = _columns(standardisation)
        self._out = torch.empty((0, *samples.shape))

    def __len__(self) -> int:
        return len(self._samples)

    def take(self, index: Tensor) -> Tensor:
        """Take ``(n, C, T, H, W)`` of the samples at some positions, valid until the next batch is taken."""
        if len(self._out) < len(index):
            self._out = torch.empty((len(index), *self._samples.shape))
        out = self._out[: len(index)]
        for batch, number in zip(out, index.tolist()):
            sample = self._samples.read(number)
            if self._samples.motion == "difference":
                batch.copy_(sample[:, 1:]).sub_(sample[:, :1].float())
            else:
                batch.copy_(sample)
            batch.sub_(self._mean).div_(self._std)
        return out


class ResidentBatches:
    """Batches made on a device from sequences that lie there as they are stored; nothing waits for the host."""

    def __init__(self, resident: Tensor, motion: str, standardisation: Standardisation) -> None:
        self._resident = resident
        self._motion = motion
        self._mean, self._std = (column.to(resident.device) for column in _columns(standardisation))

    def __len__(self) -> int:
        return len(self._resident)

    def take(self, index: Tensor) -> Tensor:
        """Take ``(n, C, T, H, W)`` of the samples at some positions."""
        x = self._resident.index_select(0, index).float()
        if self._motion == "difference":
            x = x[:, :, 1:] - x[:, :, :1]
        return x.sub_(self._mean).div_(self._std)


def _columns(standardisation: Standardisation) -> tuple[Tensor, Tensor]:
    mean, std = (torch.tensor(values, dtype=torch.float32) for values in (standardisation.mean, standardisation.std))
    return mean.view(-1, 1, 1, 1), std.view(-1, 1, 1, 1)


def make_batches(samples: Samples, standardisation: Standardisation, device: torch.device) -> Batches:
    """Make batches from where the sequences lie for the CPU; from one copy of all of them on any other device."""
    if device.type == "cpu":
        return HostBatches(samples, standardisation)
    return ResidentBatches(samples.resident(device), samples.motion, standardisation)


def measure(samples: Samples) -> Standardisation:
    """Measure mean and population standard deviation per channel: of grey levels exact, as the sums are of whole numbers.

    A channel that never changes gets the standard deviation 1, so that it becomes zeros.
    """
    if samples.dtype == torch.float32:
        return _measure_floats(samples)
    channels = samples.shape[0]
    total, squares, count = [0] * channels, [0] * channels, 0
    for number in range(len(samples)):
        x = samples.read(number).to(torch.int32)
        if samples.motion == "difference":
            x = x[:, 1:].sub_(x[:, :1])
        count += x[0].numel()
        # One channel of one sequence stays far below 2**63, one square far below 2**31.
        sums = x.sum((1, 2, 3), dtype=torch.int64).tolist()
        for channel, (s, q) in enumerate(zip(sums, x.mul_(x).sum((1, 2, 3), dtype=torch.int64).tolist())):
            total[channel] += s
            squares[channel] += q
    mean = tuple(s / count for s in total)
    # Python's whole numbers do not round, so nothing cancels.
    variance = [(q * count - s * s) / count**2 for s, q in zip(total, squares)]
    return Standardisation(mean, tuple(v**0.5 if v > 0 else 1.0 for v in variance))


def _measure_floats(samples: Samples) -> Standardisation:
    """The same of ``float32`` sequences, in ``float64``; samples are joined by their means, so nothing cancels."""
    mean = squares = np.zeros(samples.shape[0])
    count = 0
    for number in range(len(samples)):
        x = samples.read(number).numpy().astype(np.float64)
        if samples.motion == "difference":
            x = x[:, 1:] - x[:, :1]
        flat = x.reshape(len(x), -1)
        n = flat.shape[1]
        own = flat.mean(1)
        # Chan, Golub and LeVeque 1983.
        apart = own - mean
        count += n
        mean = mean + apart * (n / count)
        squares = squares + np.square(flat - own[:, None]).sum(1) + np.square(apart) * (n * (count - n) / count)
    std = np.sqrt(squares / count)
    # Batches are float32: a smaller deviation would divide by zero there.
    std = np.where(std > np.finfo(np.float32).tiny, std, 1.0)
    return Standardisation(tuple(mean.tolist()), tuple(std.tolist()))


def encode_labels(
    y: Labels, n_samples: int, n_classes: int, classes: Sequence[Any] | None = None
) -> tuple[NDArray[np.int64], tuple[Any, ...]]:
    """Give labels as positions in ``classes``.

    Parameters
    ----------
    y : Labels
        One label per sample, text or whole numbers.
    n_samples, n_classes : int
        Number of samples in the data, and of classes that the network has.
    classes : sequence or None, optional
        The classes in the order of the network's outputs. Without them, whole numbers from 0 to ``n_classes - 1`` stand
        for themselves and anything else is sorted.

    Returns
    -------
    tuple of (numpy.ndarray of int64, tuple of object)
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
