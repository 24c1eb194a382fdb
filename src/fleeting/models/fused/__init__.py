"""The networks' blocks through the compiled kernels: the same functions as in :mod:`fleeting.models.blocks`, in one pass.

What the C++ does not see happens here: autograd, the small sums over channels, memory. An address outlives no tensor, so
whatever a kernel is given has a name until it returns. Tensors are ``(N, C, T, H, W)`` as everywhere, channels last in
memory. Here is the choice whether a layer goes through them.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from fleeting.kernels import Library, library
from fleeting.models.fused.clips import norm_pool, pool, predict_norm_pool
from fleeting.models.fused.frames import plane_norm_pool, predict_plane_norm_pool
from fleeting.models.fused.fully_connected import dense
from fleeting.models.fused.memory import POOL

__all__ = [
    "POOL",
    "dense",
    "dense_kernels_for",
    "kernels_for",
    "norm_pool",
    "plane_kernels_for",
    "plane_norm_pool",
    "pool",
    "predict_norm_pool",
    "predict_plane_norm_pool",
]

_CHANNELS = (1, 3, 16)
# Of a fully connected layer. Beyond so many samples it is bound by arithmetic, which PyTorch does as well; with fewer
# weights than this they lie in the cache, and there is no walk to save.
_MOST_SAMPLES, _LARGE = 16, 1 << 18


def _has_address(x: Tensor) -> bool:
    """Not so inside torch.func's transforms; and what is traced, to be exported, must not lead out of PyTorch."""
    traced = torch.jit.is_tracing() or torch.compiler.is_compiling()  # type: ignore[attr-defined, no-untyped-call]
    return not traced and not torch._C._functorch.is_functorch_wrapped_tensor(x)


def kernels_for(x: Tensor, weight: Tensor, stride: Sequence[int], pool: int) -> Library | None:
    """Give the kernels, if there are any and they know this convolution and pooling; else ``None``."""
    fits = (
        x.dtype == weight.dtype == torch.float32
        and x.device.type == "cpu"
        and weight.shape[0] % 16 == 0
        and weight.shape[1] in _CHANNELS
        and pool == POOL
        and weight.shape[4] == POOL
        and all(step == 1 for step in stride)
        and x.numel() > 0
        and _has_address(x)
    )
    return library() if fits else None


def plane_kernels_for(x: Tensor, weight: Tensor, stride: Sequence[int], pool: int) -> Library | None:
    """Give the kernels, if there are any and they know this convolution and pooling of single frames; else ``None``."""
    # Its input's gradient is what the kernels do not have.
    if weight.shape[2] != 1 or (x.requires_grad and torch.is_grad_enabled()):
        return None
    return kernels_for(x, weight, stride, pool)


def dense_kernels_for(x: Tensor, weight: Tensor) -> Library | None:
    """Give the kernels, if there are any and a fully connected layer is large enough for them to pay; else ``None``."""
    fits = (
        x.dim() == 2
        and x.dtype == weight.dtype == torch.float32
        and x.device.type == "cpu"
        and 0 < x.shape[0] <= _MOST_SAMPLES
        and weight.shape[1] % 16 == 0
        and weight.numel() >= _LARGE
        and _has_address(x)
    )
    return library() if fits else None
