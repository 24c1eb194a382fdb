"""Tensors as the kernels take them: addresses, sizes, and channels last in memory."""

from __future__ import annotations

import ctypes

import torch
from torch import Tensor

from fleeting.kernels import Library

__all__ = [
    "POOL",
    "ConvolutionSizes",
    "address",
    "channels_first",
    "channels_last",
    "padded_last",
    "taps_of",
    "weight_gradient",
]

#: Kernel and stride of the pooling that the kernels know.
POOL = 3


def address(tensor: Tensor | None) -> int | None:
    """Give where a tensor begins in memory; ``None`` for none."""
    return None if tensor is None else tensor.data_ptr()


def channels_last(x: Tensor) -> Tensor:
    """Bring ``(N, C, T, H, W)`` to dense ``(N, T, H, W, C)``; a view where memory is so already."""
    return x.permute(0, 2, 3, 4, 1).contiguous()


def channels_first(x: Tensor) -> Tensor:
    """Bring dense ``(N, T, H, W, C)`` back to ``(N, C, T, H, W)``, without moving anything."""
    return x.permute(0, 4, 1, 2, 3)


def taps_of(weight: Tensor) -> Tensor:
    """Bring ``(filters, channels, t, h, w)`` to ``(t * h * w * channels, filters)``."""
    return weight.detach().permute(2, 3, 4, 1, 0).reshape(-1, weight.shape[0]).contiguous()


class ConvolutionSizes:
    """Sizes of one convolution, as the kernels take them."""

    def __init__(self, padded: Tensor, weight: Tensor) -> None:
        self.samples, *sizes, self.channels = padded.shape
        self.filters, kernel = weight.shape[0], tuple(weight.shape[2:])
        self.output = tuple(size - k + 1 for size, k in zip(sizes, kernel))
        self.pooled = (self.samples, *(size // POOL for size in self.output), self.filters)
        self.taps = kernel[0] * kernel[1] * kernel[2] * self.channels
        self.struct = (ctypes.c_int64 * 9)(*padded.shape, self.filters, *kernel)
        self.address = ctypes.addressof(self.struct)


def padded_last(kernels: Library, x: Tensor, padding: int) -> Tensor:
    """Give the values channels last in memory, inside zeros."""
    x = channels_last(x)
    if padding == 0:
        return x
    n, t, h, w, c = x.shape
    out = torch.empty(n, t + 2 * padding, h + 2 * padding, w + 2 * padding, c)
    kernels.pad(x.data_ptr(), n, t, h, w * c, padding, c, out.data_ptr())
    return out


def weight_gradient(d_taps: Tensor, weight: Tensor) -> Tensor:
    """Bring the gradient of the taps to the shape of the weights."""
    filters, channels, *kernel = weight.shape
    return d_taps.float().view(*kernel, channels, filters).permute(4, 3, 0, 1, 2)
