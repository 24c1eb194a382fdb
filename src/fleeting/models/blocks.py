"""Convolution, ReLU and max-pooling in one go, with and without batch normalisation, of clips and of single frames.

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

from fleeting.models import fused
from fleeting.models.layers import BatchNorm, Conv3d, as_ncdhw, as_ndhwc

__all__ = ["ConvPool", "PlaneMeanPool", "conv_relu_norm_pool", "plane_conv_relu_norm_pool"]

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


class _PlaneConvReluNormPool(torch.autograd.Function):
    """The same of single frames ``(N, C, H, W)``, channels last in memory: PyTorch pools those in half the time."""

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
        border: int,
    ) -> tuple[Tensor, Tensor, Tensor]:
        x, weight = (tensor.contiguous(memory_format=torch.channels_last) for tensor in (x, weight))
        active = F.conv2d(x, weight, bias, padding=padding).relu_()
        rows = active.permute(0, 2, 3, 1).flatten(1, 2)
        count = rows.shape[0] * rows.shape[1]
        mean = rows.sum(1).sum(0) / count
        square = rows.square().sum(1).sum(0) / count
        variance = (square - mean * mean).clamp_min(0)
        inverse = (variance + eps).rsqrt()
        sign = torch.where(gamma < 0, -1.0, 1.0).to(active.dtype).view(_COLUMN[:4])
        signed = active * sign if bool((gamma < 0).any()) else active
        pooled, where = F.max_pool2d(signed, pool, pool, border, return_indices=True)
        pooled = pooled * sign
        out = (pooled - mean.view(_COLUMN[:4])) * (gamma * inverse).view(_COLUMN[:4]) + beta.view(_COLUMN[:4])
        ctx.save_for_backward(x, weight, active, pooled, where, mean, inverse, gamma)
        ctx.padding, ctx.pool, ctx.border, ctx.count = padding, pool, border, count
        ctx.mark_non_differentiable(mean, variance)
        return out, mean, variance

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor, *_: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, active, pooled, where, mean, inverse, gamma = ctx.saved_tensors
        d_beta = grad.sum((0, 2, 3))
        d_gamma = (grad * (pooled - mean.view(_COLUMN[:4]))).sum((0, 2, 3)) * inverse
        scale = gamma * inverse
        slope = -scale * inverse * d_gamma / ctx.count
        offset = -scale * d_beta / ctx.count - slope * mean
        above = (grad * scale.view(_COLUMN[:4])).contiguous(memory_format=torch.channels_last)
        sizes = [ctx.pool] * 2, [ctx.pool] * 2, [ctx.border] * 2, [1, 1], False
        d_active = torch.ops.aten.max_pool2d_with_indices_backward(above, active, *sizes, where)
        d_active.addcmul_(active, slope.view(_COLUMN[:4])).add_(offset.view(_COLUMN[:4]))
        torch.ops.aten.threshold_backward.grad_input(d_active, active, 0, grad_input=d_active)
        wanted = [ctx.needs_input_grad[0], True, True]
        d_x, d_weight, d_bias = torch.ops.aten.convolution_backward(
            d_active, x, weight, [len(gamma)], [1, 1], ctx.padding, [1, 1], False, [0, 0], 1, wanted
        )
        return d_x, d_weight, d_bias, d_gamma, d_beta, None, None, None, None


def _size(pool: nn.MaxPool3d) -> int:
    assert isinstance(pool.kernel_size, int)
    return pool.kernel_size


def _watched(*layers: nn.Module) -> bool:
    """Whether someone hangs on a layer and expects it to be called."""
    return any(layer._forward_hooks or layer._forward_pre_hooks or layer._backward_hooks for layer in layers)


def conv_relu_norm_pool(x: Tensor, conv: Conv3d, relu: nn.ReLU, norm: BatchNorm, pool: nn.MaxPool3d) -> Tensor:
    """Compute ``pool(norm(relu(conv(x))))`` and its gradients; in training it updates the moving averages.

    On a CPU the compiled kernels do it where they can (:mod:`fleeting.kernels`), else PyTorch: in training in the order
    of operations that walks memory least, otherwise one layer after the other. So it is too where a layer has hooks.

    Parameters
    ----------
    x : torch.Tensor
        ``(N, C, T, H, W)``.
    conv : Conv3d
        Convolution of stride 1, zero padding given as numbers, the same all around.
    norm : BatchNorm
        Normalisation; in training its variance is taken as ``E[r^2] - E[r]^2``, as Keras does.
    pool : nn.MaxPool3d
        Pooling without padding.

    Returns
    -------
    torch.Tensor
        ``(N, filters, T // pool, H // pool, W // pool)`` of the convolution's ``(T, H, W)``.
    """
    assert conv.bias is not None and not isinstance(conv.padding, str)
    watched = _watched(conv, relu, norm, pool)
    kernels = None if watched else fused.kernels_for(x, conv.weight, conv.stride, _size(pool))
    arguments = conv.weight, conv.bias, norm.weight, norm.bias, norm.eps
    if norm.training and kernels is not None:
        out, mean, variance = fused.norm_pool(kernels, x, *arguments, conv.padding[0])
    elif norm.training and x.device.type == "cpu" and not watched:
        out, mean, variance = _ConvReluNormPool.apply(  # type: ignore[no-untyped-call]
            as_ncdhw(x), *arguments, list(conv.padding), _size(pool)
        )
    elif not norm.training and kernels is not None and not torch.is_grad_enabled():
        assert norm.running_mean is not None and norm.running_var is not None
        scale = norm.weight * (norm.running_var + norm.eps).rsqrt()
        shift = norm.bias - norm.running_mean * scale
        return fused.predict_norm_pool(kernels, x, conv.weight, conv.bias, scale, shift, conv.padding[0])
    else:
        result: Tensor = pool(norm(relu(conv(as_ncdhw(x)))))
        return result
    norm.update_statistics(mean, variance)
    return out


def plane_conv_relu_norm_pool(x: Tensor, conv: Conv3d, relu: nn.ReLU, norm: BatchNorm, pool: nn.MaxPool3d) -> Tensor:
    """Compute :func:`conv_relu_norm_pool` for layers that treat each frame alike.

    Parameters
    ----------
    x : torch.Tensor
        ``(N, C, T, H, W)``.
    conv : Conv3d
        Convolution of kernel ``(1, h, w)``, stride 1 and padding ``(0, p, p)``.
    norm : BatchNorm
        Normalisation; in training its variance is taken as ``E[r^2] - E[r]^2``.
    pool : nn.MaxPool3d
        Pooling of kernel and stride ``(1, size, size)``; its padding is ``(0, b, b)``.

    Returns
    -------
    torch.Tensor
        ``(N, filters, T, (H' + 2 * b) // size, (W' + 2 * b) // size)`` of the convolution's ``(T, H', W')``.
    """
    assert conv.bias is not None and not isinstance(conv.padding, str)
    (_, size, _), (_, border, _) = pool.kernel_size, pool.padding  # type: ignore[misc]
    watched = _watched(conv, relu, norm, pool)
    kernels = None if watched else fused.plane_kernels_for(x, conv.weight, conv.stride, size)
    bias, gamma, beta, padding = conv.bias, norm.weight, norm.bias, conv.padding[1]
    if norm.training and kernels is not None:
        out, mean, variance = fused.plane_norm_pool(
            kernels, x, conv.weight, bias, gamma, beta, norm.eps, padding, border
        )
    elif norm.training and x.device.type == "cpu" and not watched:
        frames = x.transpose(1, 2)
        flat, mean, variance = _PlaneConvReluNormPool.apply(  # type: ignore[no-untyped-call]
            frames.flatten(0, 1), conv.weight.squeeze(2), bias, gamma, beta, norm.eps, [padding] * 2, size, border
        )
        out = flat.view(-1, x.shape[2], *flat.shape[1:]).transpose(1, 2)
    elif not norm.training and kernels is not None and not torch.is_grad_enabled():
        assert norm.running_mean is not None and norm.running_var is not None
        scale = gamma * (norm.running_var + norm.eps).rsqrt()
        shift = beta - norm.running_mean * scale
        return fused.predict_plane_norm_pool(kernels, x, conv.weight, bias, scale, shift, padding, border)
    else:
        result: Tensor = pool(norm(relu(conv(as_ncdhw(x)))))
        return result
    norm.update_statistics(mean, variance)
    return out


class PlaneMeanPool(nn.Module):
    """Mean of each ``size`` by ``size`` of every frame; what is left over is dropped.

    PyTorch does it in a tenth of the time on pictures that lie channels last, as they do behind a convolution.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(N, C, T, H, W)`` to ``(N, C, T, H // size, W // size)``."""
        frames = x.transpose(1, 2)
        pooled = F.avg_pool2d(frames.flatten(0, 1), self.size)
        return pooled.view(-1, x.shape[2], *pooled.shape[1:]).transpose(1, 2)


class _ChannelsLastConv3d(Conv3d):
    """The same convolution, channels last in memory."""

    def forward(self, input: Tensor) -> Tensor:
        """Map ``(N, C, T, H, W)`` to ``(N, filters, T', H', W')``."""
        out: Tensor = self._conv_forward(as_ndhwc(input), as_ndhwc(self.weight), self.bias)
        return out


class ConvPool(nn.Module):
    """Convolution without padding, ReLU, max-pooling without padding.

    Parameters
    ----------
    in_channels, filters : int
        Channels that come in, and filters of the convolution, whose weights are Glorot uniform at first.
    kernel : tuple of (int, int, int)
        ``(T, H, W)``.
    pool : int
        Kernel and stride of the pooling; what is left over is dropped.
    """

    def __init__(self, in_channels: int, filters: int, kernel: tuple[int, int, int], pool: int) -> None:
        super().__init__()
        self.conv = _ChannelsLastConv3d(in_channels, filters, kernel)
        self.pool = nn.MaxPool3d(pool)
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(N, C, T, H, W)`` to ``(N, filters, (T - kernel + 1) // pool, ...)``."""
        watched = _watched(self.conv, self.pool, self.relu)
        size = _size(self.pool)
        kernels = None if watched else fused.kernels_for(x, self.conv.weight, self.conv.stride, size)
        if kernels is not None and not (x.requires_grad and torch.is_grad_enabled()):
            assert self.conv.bias is not None
            return fused.pool(kernels, x, self.conv.weight, self.conv.bias)
        pooled: Tensor = self.relu(self.pool(self.conv(x)))
        return pooled
