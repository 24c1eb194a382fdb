"""Convolution, ReLU and max-pooling in one go, with and without batch normalisation.

Without it, ReLU comes after the pooling, on a tensor 27 times smaller: both only ever pick or raise, so the order makes
no difference to the values or the gradients.

Normalising a channel is an affine map, so it may come after the pooling, on a tensor 27 times smaller, as long as its
mean and variance are those of the tensor before: ``max(a * r + b)`` is ``a * max(r) + b``, or ``a * min(r) + b`` where
``a`` is negative. The function is the same; what is saved are walks over the convolution's output, which is what a
training step spends its time on.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from fleeting.models.layers import BatchNorm, Conv3d, as_ndhwc

__all__ = ["ConvPool", "conv_relu_norm_pool"]

_COLUMN = (1, -1, 1, 1, 1)


class _ConvReluNormPool(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        bias: Tensor,
        gamma: Tensor,
        beta: Tensor,
        eps: float,
        padding: list[int],
        pool: int,
    ) -> tuple[Tensor, Tensor, Tensor]:
        active = F.conv3d(x, weight, bias, padding=padding).relu_()
        rows = active.flatten(2)
        count = rows.shape[0] * rows.shape[2]
        mean = rows.sum(2).sum(0) / count
        square = torch.linalg.vector_norm(rows, dim=2).square().sum(0) / count
        variance = (square - mean * mean).clamp_min(0)
        inverse = (variance + eps).rsqrt()
        if bool((gamma < 0).any()):
            sign = torch.where(gamma < 0, -1.0, 1.0).to(active.dtype).view(_COLUMN)
            pooled, where = F.max_pool3d(active * sign, pool, return_indices=True)
            pooled = pooled * sign
        else:
            pooled, where = F.max_pool3d(active, pool, return_indices=True)
        out = (pooled - mean.view(_COLUMN)) * (gamma * inverse).view(_COLUMN) + beta.view(_COLUMN)
        ctx.save_for_backward(x, weight, active, pooled, where, mean, inverse, gamma)
        ctx.padding = padding
        ctx.mark_non_differentiable(mean, variance)
        return out, mean, variance

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor, *_: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, active, pooled, where, mean, inverse, gamma = ctx.saved_tensors
        count = active.numel() // active.shape[1]
        d_beta = grad.sum((0, 2, 3, 4))
        d_gamma = (grad * (pooled - mean.view(_COLUMN))).sum((0, 2, 3, 4)) * inverse
        # Of every value before the pooling: its share in mean and variance, linear in the value ...
        scale = gamma * inverse
        slope = -scale * inverse * d_gamma / count
        offset = -scale * d_beta / count - slope * mean
        d_active = torch.addcmul(offset.view(_COLUMN), active, slope.view(_COLUMN))
        # ... and of those that the pooling chose, what comes from above.
        d_active.flatten(2).scatter_add_(2, where.flatten(2), (grad * scale.view(_COLUMN)).flatten(2))
        torch.ops.aten.threshold_backward.grad_input(d_active, active, 0, grad_input=d_active)
        wanted = [ctx.needs_input_grad[0], True, True]
        one, none = [1, 1, 1], [0, 0, 0]
        d_x, d_weight, d_bias = torch.ops.aten.convolution_backward(
            d_active, x, weight, [len(gamma)], one, ctx.padding, one, False, none, 1, wanted
        )
        return d_x, d_weight, d_bias, d_gamma, d_beta, None, None, None


def conv_relu_norm_pool(x: Tensor, conv: Conv3d, norm: BatchNorm, pool: int) -> Tensor:
    """``max_pool(norm(relu(conv(x))))`` in training, and the same gradients; updates the moving averages.

    Parameters
    ----------
    x : ``(N, C, T, H, W)``, channels first in memory.
    conv : stride 1, zero padding given as numbers.
    norm : its variance is taken as ``E[r^2] - E[r]^2`` here, as Keras does.
    pool : kernel and stride of the pooling, without padding.

    Returns
    -------
    ``(N, filters, T // pool, H // pool, W // pool)`` of the convolution's ``(T, H, W)``.
    """
    assert conv.bias is not None and not isinstance(conv.padding, str)
    out, mean, variance = _ConvReluNormPool.apply(  # type: ignore[no-untyped-call]
        x, conv.weight, conv.bias, norm.weight, norm.bias, norm.eps, list(conv.padding), pool
    )
    norm.update_statistics(mean, variance)
    result: Tensor = out
    return result


class _ChannelsLastConv3d(Conv3d):
    """The same convolution, channels last in memory."""

    def forward(self, input: Tensor) -> Tensor:
        """``(N, C, T, H, W)`` to ``(N, filters, T', H', W')``."""
        out: Tensor = self._conv_forward(as_ndhwc(input), as_ndhwc(self.weight), self.bias)
        return out


class ConvPool(nn.Module):
    """Convolution without padding, ReLU, max-pooling without padding.

    Parameters
    ----------
    in_channels, filters : of the convolution, Glorot uniform at first.
    kernel : ``(T, H, W)``.
    pool : kernel and stride of the pooling; what is left over is dropped.
    """

    def __init__(self, in_channels: int, filters: int, kernel: tuple[int, int, int], pool: int) -> None:
        super().__init__()
        self.conv = _ChannelsLastConv3d(in_channels, filters, kernel)
        self.pool = nn.MaxPool3d(pool)
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """``(N, C, T, H, W)`` to ``(N, filters, (T - kernel + 1) // pool, ...)``."""
        pooled: Tensor = self.relu(self.pool(self.conv(x)))
        return pooled
