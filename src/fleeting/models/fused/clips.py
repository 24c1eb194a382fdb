"""Convolution, ReLU and pooling of clips, with and without batch normalisation."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from fleeting.kernels import Library
from fleeting.models.fused.memory import (
    ConvolutionSizes,
    address,
    channels_first,
    channels_last,
    padded_last,
    taps_of,
    weight_gradient,
)
from fleeting.models.fused.normalising import normalised, scale_shift, signs_of, through_norm

__all__ = ["norm_pool", "pool", "predict_norm_pool"]

# With more values under the kernel than this, keeping the convolution's output is cheaper than computing it again.
_MOST_AGAIN = 100


class _NormPool(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        bias: Tensor,
        gamma: Tensor,
        beta: Tensor,
        eps: float,
        padding: int,
        kernels: Library,
    ) -> tuple[Tensor, Tensor, Tensor]:
        padded, taps = padded_last(kernels, x, padding), taps_of(weight)
        shapes = ConvolutionSizes(padded, weight)
        pooled = torch.empty(shapes.pooled)
        chosen = torch.empty(shapes.pooled, dtype=torch.uint8)
        sums = torch.empty(shapes.samples, 2, shapes.filters, dtype=torch.float64)
        keep = shapes.taps > _MOST_AGAIN
        values = torch.empty(shapes.samples, *shapes.output, shapes.filters) if keep else None
        signs = signs_of(gamma)
        kernels.forward(
            shapes.address, padded.data_ptr(), taps.data_ptr(), bias.data_ptr(), address(signs), pooled.data_ptr(),
            chosen.data_ptr(), sums.data_ptr(), address(values)
        )  # fmt: skip
        count = shapes.samples * shapes.output[0] * shapes.output[1] * shapes.output[2]
        mean, variance, inverse, scale, out = normalised(kernels, pooled, sums.sum(0), count, gamma, beta, eps)
        ctx.save_for_backward(padded, taps, bias, weight, pooled, chosen, values, mean, inverse, scale)
        ctx.shapes, ctx.kernels, ctx.padding, ctx.count = shapes, kernels, padding, count
        statistics = mean.float(), variance.float()
        ctx.mark_non_differentiable(*statistics)
        return channels_first(out), *statistics

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor, *_: Tensor) -> tuple[Tensor | None, ...]:
        padded, taps, bias, weight, pooled, chosen, values, mean, inverse, scale = ctx.saved_tensors
        shapes, kernels = ctx.shapes, ctx.kernels
        above, factor = channels_last(gradient), scale.float()
        slope, offset, d_gamma, d_beta = through_norm(kernels, above, pooled, ctx.count, mean, inverse, scale, factor)
        d_taps = torch.empty(shapes.samples, shapes.taps, shapes.filters, dtype=torch.float64)
        d_bias = torch.empty(shapes.samples, shapes.filters, dtype=torch.float64)
        d_output, border = None, 0
        if ctx.needs_input_grad[0]:
            border = weight.shape[2] - 1 - ctx.padding
            sizes = [size + 2 * border for size in shapes.output]
            d_output = torch.zeros(shapes.samples, *sizes, shapes.filters)
        kernels.backward(
            shapes.address, padded.data_ptr(), taps.data_ptr(), bias.data_ptr(), address(values), above.data_ptr(),
            chosen.data_ptr(), factor.data_ptr(), slope.data_ptr(), offset.data_ptr(), d_taps.data_ptr(),
            d_bias.data_ptr(), address(d_output), border
        )  # fmt: skip
        d_x = None if d_output is None else _input_gradient(kernels, d_output, weight, border)
        d_weight = weight_gradient(d_taps.sum(0), weight)
        return d_x, d_weight, d_bias.sum(0).float(), d_gamma.float(), d_beta.float(), None, None, None


def _input_gradient(kernels: Library, d_output: Tensor, weight: Tensor, border: int) -> Tensor:
    """``(N, C, T, H, W)`` from the gradient of the convolution's output inside a border of zeros."""
    mirrored = weight.detach().flip(2, 3, 4).transpose(0, 1)
    if weight.shape[0] != 16 or weight.shape[1] % 16:
        return F.conv3d(channels_first(d_output), mirrored)
    shapes, taps = ConvolutionSizes(d_output, mirrored), taps_of(mirrored)
    d_x = torch.empty(shapes.samples, *shapes.output, shapes.filters)
    kernels.convolution(shapes.address, d_output.data_ptr(), taps.data_ptr(), d_x.data_ptr())
    return channels_first(d_x)


class _Pool(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, kernels: Library) -> Tensor:
        x, taps = channels_last(x), taps_of(weight)
        shapes = ConvolutionSizes(x, weight)
        pooled = torch.empty(shapes.pooled)
        chosen = torch.empty(shapes.pooled, dtype=torch.uint8) if ctx.needs_input_grad[1] else None
        kernels.forward(
            shapes.address, x.data_ptr(), taps.data_ptr(), bias.data_ptr(), None, pooled.data_ptr(), address(chosen),
            None, None
        )  # fmt: skip
        ctx.save_for_backward(x, weight, pooled, chosen)
        ctx.shapes, ctx.kernels = shapes, kernels
        return channels_first(pooled)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, pooled, chosen = ctx.saved_tensors
        shapes, above = ctx.shapes, channels_last(gradient)
        d_taps = torch.empty(shapes.samples, shapes.filters, shapes.taps, dtype=torch.float64)
        d_bias = torch.empty(shapes.samples, shapes.filters, dtype=torch.float64)
        ctx.kernels.sparse_backward(
            shapes.address, x.data_ptr(), pooled.data_ptr(), above.data_ptr(), chosen.data_ptr(), d_taps.data_ptr(),
            d_bias.data_ptr()
        )  # fmt: skip
        return None, weight_gradient(d_taps.sum(0).t(), weight), d_bias.sum(0).float(), None


def norm_pool(
    kernels: Library, x: Tensor, weight: Tensor, bias: Tensor, gamma: Tensor, beta: Tensor, eps: float, padding: int
) -> tuple[Tensor, Tensor, Tensor]:
    """``max_pool(batch_norm(relu(conv(x))))`` with the batch's own statistics.

    Parameters
    ----------
    kernels : Library
        From :func:`kernels_for`.
    x : torch.Tensor
        ``float32`` ``(N, C, T, H, W)``.
    weight, bias : torch.Tensor
        Weights of the convolution, ``(filters, C, t, h, w)`` and ``(filters,)``.
    gamma, beta, eps : torch.Tensor and float
        Scale, shift and eps of the normalisation.
    padding : int
        Zeros around time and space; less than the kernel.

    Returns
    -------
    tuple of (torch.Tensor, torch.Tensor, torch.Tensor)
        ``(N, filters, T' // 3, H' // 3, W' // 3)``, and the batch's mean and biased variance ``(filters,)`` behind
        ReLU.
    """
    result: tuple[Tensor, Tensor, Tensor] = _NormPool.apply(x, weight, bias, gamma, beta, eps, padding, kernels)  # type: ignore[no-untyped-call]
    return result


@torch.no_grad()
def predict_norm_pool(
    kernels: Library, x: Tensor, weight: Tensor, bias: Tensor, scale: Tensor, shift: Tensor, padding: int
) -> Tensor:
    """``max_pool(relu(conv(x)) * scale + shift)``, per channel, without gradients."""
    padded, taps = padded_last(kernels, x, padding), taps_of(weight)
    shapes = ConvolutionSizes(padded, weight)
    pooled = torch.empty(shapes.pooled)
    signs = signs_of(scale)
    kernels.forward(
        shapes.address, padded.data_ptr(), taps.data_ptr(), bias.data_ptr(), address(signs), pooled.data_ptr(), None,
        None, None
    )  # fmt: skip
    return channels_first(scale_shift(kernels, pooled, scale.contiguous(), shift.contiguous()))


def pool(kernels: Library, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """``max_pool(relu(conv(x)))``; the gradient stops at the weights.

    ``x`` is ``float32`` ``(N, C, T, H, W)``; the result ``(N, filters, (T - t + 1) // 3, ...)``.
    """
    result: Tensor = _Pool.apply(x, weight, bias, kernels)  # type: ignore[no-untyped-call]
    return result
