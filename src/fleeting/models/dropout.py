"""Dropout by a hash of position and seed, which costs a tenth of drawing a random number for each value."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from fleeting.kernels import library

__all__ = ["Dropout", "keep_mask"]

# Values hashed at a time without kernels, so that each step of the hash finds them in the cache.
_CHUNK = 1 << 15


def keep_mask(count: int, seed: int, share: float) -> NDArray[np.bool_]:
    """Choose which of ``count`` values dropout keeps.

    A value goes if the hash of its position and the seed, the finaliser of MurmurHash3 (Appleby 2011), lies below
    ``share * 2**32``.
    """
    kept = np.empty(count, dtype=bool)
    positions = np.arange(min(count, _CHUNK), dtype=np.uint32)
    for start in range(0, count, _CHUNK):
        h = positions[: count - start] + np.uint32(start & 0xFFFFFFFF)
        h *= np.uint32(0x9E3779B9)
        h += np.uint32(seed)
        shifted = h >> np.uint32(16)
        h ^= shifted
        h *= np.uint32(0x85EBCA6B)
        np.right_shift(h, np.uint32(13), out=shifted)
        h ^= shifted
        h *= np.uint32(0xC2B2AE35)
        np.right_shift(h, np.uint32(16), out=shifted)
        h ^= shifted
        np.greater_equal(h, np.uint32(_threshold(share)), out=kept[start : start + len(h)])
    return kept


def _threshold(share: float) -> int:
    return min(int(share * 2**32), 2**32 - 1)


def _order(x: Tensor) -> list[int]:
    """Axes in the order in which they lie in memory, the widest stride first."""
    strides = [x.stride(axis) for axis in range(x.dim())]
    return sorted(range(x.dim()), key=lambda axis: (-strides[axis], axis))


def _apply(x: Tensor, order: list[int], seed: int, share: float) -> Tensor:
    """Drop values of a tensor whose axes are taken in ``order``; the result lies in memory in that order too."""
    dense = x.permute(order).contiguous()
    scale = 1.0 / (1.0 - share)
    kernels = library() if x.dtype == torch.float32 else None
    if kernels is not None:
        out = torch.empty_like(dense)
        kernels.dropout(dense.data_ptr(), dense.numel(), seed, _threshold(share), scale, out.data_ptr())
    else:
        mask = torch.from_numpy(keep_mask(dense.numel(), seed, share)).view(dense.shape)
        out = torch.where(mask, dense, 0.0).mul_(scale)
    inverse = sorted(range(len(order)), key=order.__getitem__)
    return out.permute(inverse)


class _HashDropout(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, seed: int, share: float) -> Tensor:
        ctx.order = _order(x)
        ctx.seed, ctx.share = seed, share
        return _apply(x, ctx.order, seed, share)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        return _apply(gradient, ctx.order, ctx.seed, ctx.share), None, None


class Dropout(nn.Dropout):
    """Layer that zeroes a share of the values in training and raises the others to make up for it.

    On a CPU one number per call is drawn from PyTorch's generator and hashed with each value's position, so no mask is
    kept and ``torch.manual_seed`` decides as usual. Elsewhere it is PyTorch's own.
    """

    def forward(self, input: Tensor) -> Tensor:
        """Drop; the shape stays."""
        if not self.training or self.p == 0.0 or input.numel() == 0:
            return input
        if input.device.type != "cpu" or self.p == 1.0 or input.numel() >= 2**32:
            return F.dropout(input, self.p, True, self.inplace)
        seed = int(torch.randint(0, 2**32, (), dtype=torch.int64))
        result: Tensor = _HashDropout.apply(input, seed, self.p)  # type: ignore[no-untyped-call]
        return result
