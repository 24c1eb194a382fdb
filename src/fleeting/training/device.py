"""The device on which the arithmetic happens."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from fleeting.errors import UsageError, unknown_choice
from fleeting.training.config import GPU_ONLY, TrainingConfig

__all__ = ["device_for", "keep_memory", "repeatable", "resolve_device"]


def resolve_device(device: str) -> torch.device:
    """Find a device: ``"cpu"``, ``"cuda"``, or ``"auto"`` for CUDA where there is one.

    Raises
    ------
    UsageError
        If the name is unknown, or CUDA is asked for and absent.
    """
    if device not in ("auto", "cpu", "cuda"):
        raise unknown_choice("device", device, ["auto", "cpu", "cuda"])
    present = torch.cuda.is_available()
    if device == "cuda" and not present:
        raise UsageError(
            "device 'cuda' was asked for, but this PyTorch sees no CUDA device; use device='cpu', or install a driver "
            "and a PyTorch build for it"
        )
    return torch.device("cuda" if present and device != "cpu" else "cpu")


def device_for(config: TrainingConfig, device: str) -> torch.device:
    """Find a device as :func:`resolve_device` does, if it has all that a training asks for.

    Raises
    ------
    UsageError
        If the device is unknown or absent, or the precision or layout is one that only CUDA has.
    """
    found = resolve_device(device)
    for name in GPU_ONLY:
        asked, everywhere = getattr(config, name), TrainingConfig.model_fields[name].default
        if found.type != "cuda" and asked != everywhere:
            raise UsageError(
                f"{name}: found {asked!r}, which needs device 'cuda'; on a CPU there is {everywhere!r} only"
            )
    return found


@contextmanager
def repeatable(seed: int, device: torch.device, precision: str = "float32") -> Iterator[None]:
    """Seed PyTorch and ask for deterministic kernels; the caller's generators and settings come back afterwards.

    With ``precision`` ``"tf32"``, CUDA may round the factors of products to ten bits; otherwise it may not, as that is
    too few to agree with the CPU.
    """
    if device.type == "cuda":
        with _repeatable_cuda(seed, precision == "tf32"):
            yield
        return
    with torch.random.fork_rng(devices=[]):
        # torch.manual_seed would leave word for CUDA as well, which takes longer than a small network's prediction.
        torch.default_generator.manual_seed(seed)
        yield


@contextmanager
def _repeatable_cuda(seed: int, tf32: bool) -> Iterator[None]:
    # cuBLAS reads it when it starts.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    before = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    filling: Any = torch.utils.deterministic
    filled = filling.fill_uninitialized_memory
    products = torch.backends.cuda.matmul.allow_tf32
    kernels = torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=tf32)
    with torch.random.fork_rng(devices=[torch.cuda.current_device()]), kernels:
        torch.manual_seed(seed)
        torch.use_deterministic_algorithms(True, warn_only=True)
        # Otherwise every new tensor is filled with NaN first, one more walk over the memory.
        filling.fill_uninitialized_memory = False
        torch.backends.cuda.matmul.allow_tf32 = tf32
        try:
            yield
        finally:
            torch.use_deterministic_algorithms(before[0], warn_only=before[1])
            filling.fill_uninitialized_memory = filled
            torch.backends.cuda.matmul.allow_tf32 = products


def keep_memory() -> bool:
    """Make this process keep freed memory instead of handing it back to Linux, for its whole life.

    A training step on a CPU makes and frees tensors of 150 MB. As it is, each comes fresh from the system page by
    page, which costs more than the arithmetic; kept, a step takes less than half the time, and the process about twice
    the memory. For processes that do little but train.

    Returns
    -------
    bool
        Whether it took effect; only the GNU C library has the setting.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    trim_threshold, top_pad, mmap_max = -1, -2, -4
    settings = ((mmap_max, 0), (trim_threshold, 2**31 - 1), (top_pad, 2**26))
    done = [mallopt(name, value) == 1 for name, value in settings]
    return all(done)
