"""Convolution, ReLU, batch normalisation and pooling of single frames."""

from __future__ import annotations

import ctypes
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from fleeting.kernels import Library
from fleeting.models.fused.memory import POOL, address, channels_first, channels_last, taps_of, weight_gradient
from fleeting.models.fused.normalising import normalised, scale_shift, signs_of, through_norm

__all__ = ["plane_norm_pool", "predict_plane_norm_pool"]


class _Plane:
    """Sizes of a convolution and a pooling of single frames, as the kernels take them."""

    def __init__(self, x: Tensor, weight: Tensor, padding: int, border: int) -> None:
        samples, channels, self.frames, height, width = x.shape
        self.filters, kernel = weight.shape[0], tuple(weight.shape[3:])
        sizes = [size + 2 * padding - k + 1 for size, k in zip((height, width), kernel)]
        rows, columns = ((size + 2 * border) // POOL for size in sizes)
        self.pooled = (samples, self.frames, rows, columns, self.filters)
        self.count = samples * self.frames * sizes[0] * sizes[1]
        self.taps = kernel[0] * kernel[1] * channels
        self.struct = (ctypes.c_int64 * 9)(
            samples * self.frames, channels, height, width, self.filters, *kernel, padding, border
        )
        self.address = ctypes.addressof(self.struct)


def _planes(x: Tensor) -> Tensor:
    """``(N, C, T, H, W)`` to dense ``(N, T, C, H, W)``: frames are samples; a view where there is one."""
    return x.transpose(1, 2).contiguous()


class _PlaneNormPool(torch.autograd.Function):
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
        border: int,
        kernels: Library,
    ) -> tuple[Tensor, Tensor, Tensor]:
        plane, x, taps = _Plane(x, weight, padding, border), _planes(x), taps_of(weight)
        pooled = torch.empty(plane.pooled)
        chosen = torch.empty(plane.pooled, dtype=torch.uint8)
        sums = torch.empty(2, plane.filters, dtype=torch.float64)
        signs = signs_of(gamma)
        kernels.plane_forward(
            plane.address, x.data_ptr(), taps.data_ptr(), bias.data_ptr(), address(signs), pooled.data_ptr(),
            chosen.data_ptr(), sums.data_ptr()
        )  # fmt: skip
        mean, variance, inverse, scale, out = normalised(kernels, pooled, sums, plane.count, gamma, beta, eps)
        ctx.save_for_backward(x, taps, bias, weight, pooled, chosen, mean, inverse, scale)
        ctx.plane, ctx.kernels = plane, kernels
        statistics = mean.float(), variance.float()
        ctx.mark_non_differentiable(*statistics)
        return channels_first(out), *statistics

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor, *_: Tensor) -> tuple[Tensor | None, ...]:
        x, taps, bias, weight, pooled, chosen, mean, inverse, scale = ctx.saved_tensors
        plane, kernels = ctx.plane, ctx.kernels
        scaled = torch.empty_like(pooled)
        slope, offset, d_gamma, d_beta = through_norm(
            kernels, channels_last(gradient), pooled, plane.count, mean, inverse, scale, scale.float(), scaled
        )
        d_taps = torch.empty(plane.taps, plane.filters, dtype=torch.float64)
        d_bias = torch.empty(plane.filters, dtype=torch.float64)
        kernels.plane_backward(
            plane.address, x.data_ptr(), taps.data_ptr(), bias.data_ptr(), scaled.data_ptr(), chosen.data_ptr(),
            slope.data_ptr(), offset.data_ptr(), d_taps.data_ptr(), d_bias.data_ptr()
        )  # fmt: skip
        d_weight = weight_gradient(d_taps, weight)
        return None, d_weight, d_bias.float(), d_gamma.float(), d_beta.float(), None, None, None, None


def plane_norm_pool(
    kernels: Library,
    x: Tensor,
    weight: Tensor,
    bias: Tensor,
    gamma: Tensor,
    beta: Tensor,
    eps: float,
    padding: int,
    border: int,
) -> tuple[Tensor, Tensor, Tensor]:
    """:func:`norm_pool` of single frames: kernel and pooling do not reach over time, and the pooling has a border.

    Parameters
    ----------
    kernels : Library
        From :func:`plane_kernels_for`.
    x : torch.Tensor
        ``float32`` ``(N, C, T, H, W)``; the gradient stops at the weights.
    weight, bias : torch.Tensor
        Weights of the convolution, ``(filters, C, 1, h, w)`` and ``(filters,)``.
    gamma, beta, eps : torch.Tensor and float
        Scale, shift and eps of the normalisation.
    padding : int
        Zeros around the frames.
    border : int
        Border of the pooling: 0 or 1 positions that count for nothing.

    Returns
    -------
    tuple of (torch.Tensor, torch.Tensor, torch.Tensor)
        ``(N, filters, T, (H' + 2 * border) // 3, (W' + 2 * border) // 3)``, and the batch's mean and biased variance
        ``(filters,)`` behind ReLU.
    """
    result: tuple[Tensor, Tensor, Tensor] = _PlaneNormPool.apply(  # type: ignore[no-untyped-call]
        x, weight, bias, gamma, beta, eps, padding, border, kernels
    )
    return result


@torch.no_grad()
def predict_plane_norm_pool(
    kernels: Library, x: Tensor, weight: Tensor, bias: Tensor, scale: Tensor, shift: Tensor, padding: int, border: int
) -> Tensor:
    """``max_pool(relu(conv(x)) * scale + shift)`` of single frames, per channel, without gradients."""
    plane, x, taps = _Plane(x, weight, padding, border), _planes(x), taps_of(weight)
    pooled = torch.empty(plane.pooled)
    signs = signs_of(scale)
    kernels.plane_forward(
        plane.address, x.data_ptr(), taps.data_ptr(), bias.data_ptr(), address(signs), pooled.data_ptr(), None, None
    )  # fmt: skip
    return channels_first(scale_shift(kernels, pooled, scale.contiguous(), shift.contiguous()))
