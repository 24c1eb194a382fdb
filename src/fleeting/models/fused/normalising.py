"""Batch normalisation behind a pooling: the small sums over channels that the kernels leave."""

from __future__ import annotations

import torch
from torch import Tensor

from fleeting.kernels import Library
from fleeting.models.fused.memory import address

__all__ = ["normalised", "scale_shift", "signs_of", "through_norm"]


def signs_of(gamma: Tensor) -> Tensor | None:
    """Give -1 where the affine map that follows turns the smallest value into the largest, or ``None`` if nowhere."""
    negative = gamma.detach() < 0
    return torch.where(negative, -1.0, 1.0) if bool(negative.any()) else None


def scale_shift(kernels: Library, x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    """Give ``x * scale + shift`` by channel."""
    out = torch.empty_like(x)
    channels = x.shape[-1]
    kernels.scale_shift(
        x.data_ptr(), x.numel() // channels, channels, scale.data_ptr(), shift.data_ptr(), out.data_ptr()
    )
    return out


def normalised(
    kernels: Library, pooled: Tensor, sums: Tensor, count: int, gamma: Tensor, beta: Tensor, eps: float
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Give mean, variance, its inverse root and scale, ``float64`` ``(filters,)``, and what the pooling left, normalised.

    ``sums`` are those of the values before the pooling and of their squares, ``(2, filters)``.
    """
    mean, square = sums / count
    variance = (square - mean * mean).clamp_min(0)
    inverse = (variance + eps).rsqrt()
    scale = gamma * inverse
    out = scale_shift(kernels, pooled, scale.float(), (beta - mean * scale).float())
    return mean, variance, inverse, scale, out


def through_norm(
    kernels: Library,
    above: Tensor,
    pooled: Tensor,
    count: int,
    mean: Tensor,
    inverse: Tensor,
    scale: Tensor,
    factor: Tensor,
    scaled: Tensor | None = None,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Bring the gradient from above to the values: slope and offset of a value's own share, d_gamma, d_beta.

    ``factor`` is the scale in single precision; ``scaled``, if given, becomes the gradient times it.
    """
    filters = pooled.shape[-1]
    sums = torch.empty(2, filters, dtype=torch.float64)
    kernels.gradient_sums(
        above.data_ptr(), pooled.data_ptr(), above.numel() // filters, filters, factor.data_ptr(), sums.data_ptr(),
        address(scaled)
    )  # fmt: skip
    d_beta = sums[0]
    d_gamma = (sums[1] - mean * d_beta) * inverse
    # A value's share in mean and variance is linear in the value.
    slope = -scale * inverse * d_gamma / count
    offset = -scale * d_beta / count - slope * mean
    return slope.float(), offset.float(), d_gamma, d_beta
