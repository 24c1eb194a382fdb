"""The networks' blocks through the compiled kernels: the same functions as in :mod:`fleeting.models.blocks`, in one pass.

What the C++ does not see happens here: autograd, the small sums over channels, memory. An address outlives no tensor, so
whatever a kernel is given has a name until it returns. Tensors are ``(N, C, T, H, W)`` as
everywhere, channels last in memory.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from fleeting.kernels import Library, library

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

#: Kernel and stride of the pooling that the kernels know.
POOL = 3
_CHANNELS = (1, 3, 16)
# With more values under the kernel than this, keeping the convolution's output is cheaper than computing it again.
_MOST_AGAIN = 100
# Of a fully connected layer. Beyond so many samples it is bound by arithmetic, which PyTorch does as well; with fewer
# weights than this they lie in the cache, and there is no walk to save.
_MOST_SAMPLES, _LARGE = 16, 1 << 18
_TO_SPARE = 1 << 18


def _has_address(x: Tensor) -> bool:
    """Not so inside torch.func's transforms; and what is traced, to be exported, must not lead out of PyTorch."""
    traced = torch.jit.is_tracing() or torch.compiler.is_compiling()  # type: ignore[attr-defined, no-untyped-call]
    return not traced and not torch._C._functorch.is_functorch_wrapped_tensor(x)


def kernels_for(x: Tensor, weight: Tensor, stride: Sequence[int], pool: int) -> Library | None:
    """The kernels, if there are any and they know this convolution and pooling; else ``None``."""
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
    """The kernels, if there are any and they know this convolution and pooling of single frames; else ``None``."""
    # Its input's gradient is what the kernels do not have.
    if weight.shape[2] != 1 or (x.requires_grad and torch.is_grad_enabled()):
        return None
    return kernels_for(x, weight, stride, pool)


def dense_kernels_for(x: Tensor, weight: Tensor) -> Library | None:
    """The kernels, if there are any and a fully connected layer is large enough for them to pay; else ``None``."""
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


def _address(tensor: Tensor | None) -> int | None:
    return None if tensor is None else tensor.data_ptr()


def _last(x: Tensor) -> Tensor:
    """``(N, C, T, H, W)`` to dense ``(N, T, H, W, C)``; a view where memory is so already."""
    return x.permute(0, 2, 3, 4, 1).contiguous()


def _first(x: Tensor) -> Tensor:
    """Back to ``(N, C, T, H, W)``, without moving anything."""
    return x.permute(0, 4, 1, 2, 3)


def _taps(weight: Tensor) -> Tensor:
    """``(filters, channels, t, h, w)`` to ``(t * h * w * channels, filters)``."""
    return weight.detach().permute(2, 3, 4, 1, 0).reshape(-1, weight.shape[0]).contiguous()


class _Shapes:
    """Sizes of one convolution, as the kernels take them."""

    def __init__(self, padded: Tensor, weight: Tensor) -> None:
        self.samples, *sizes, self.channels = padded.shape
        self.filters, kernel = weight.shape[0], tuple(weight.shape[2:])
        self.output = tuple(size - k + 1 for size, k in zip(sizes, kernel))
        self.pooled = (self.samples, *(size // POOL for size in self.output), self.filters)
        self.taps = kernel[0] * kernel[1] * kernel[2] * self.channels
        self.struct = (ctypes.c_int64 * 9)(*padded.shape, self.filters, *kernel)
        self.address = ctypes.addressof(self.struct)


def _padded(kernels: Library, x: Tensor, padding: int) -> Tensor:
    x = _last(x)
    if padding == 0:
        return x
    n, t, h, w, c = x.shape
    out = torch.empty(n, t + 2 * padding, h + 2 * padding, w + 2 * padding, c)
    kernels.pad(x.data_ptr(), n, t, h, w * c, padding, c, out.data_ptr())
    return out


def _signs(gamma: Tensor) -> Tensor | None:
    """-1 where the affine map that follows turns the smallest value into the largest, or ``None`` if nowhere."""
    negative = gamma.detach() < 0
    return torch.where(negative, -1.0, 1.0) if bool(negative.any()) else None


def _scale_shift(kernels: Library, x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    out = torch.empty_like(x)
    channels = x.shape[-1]
    kernels.scale_shift(
        x.data_ptr(), x.numel() // channels, channels, scale.data_ptr(), shift.data_ptr(), out.data_ptr()
    )
    return out


def _normalised(
    kernels: Library, pooled: Tensor, sums: Tensor, count: int, gamma: Tensor, beta: Tensor, eps: float
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Mean, variance, its inverse root and the scale, ``float64`` ``(filters,)``, and what the pooling left, normalised.

    ``sums`` are those of the values before the pooling and of their squares, ``(2, filters)``.
    """
    mean, square = sums / count
    variance = (square - mean * mean).clamp_min(0)
    inverse = (variance + eps).rsqrt()
    scale = gamma * inverse
    out = _scale_shift(kernels, pooled, scale.float(), (beta - mean * scale).float())
    return mean, variance, inverse, scale, out


def _through_norm(
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
    """From the gradient above: slope and offset of a value's own share, d_gamma, d_beta.

    ``factor`` is the scale in single precision; ``scaled``, if given, becomes the gradient times it.
    """
    filters = pooled.shape[-1]
    sums = torch.empty(2, filters, dtype=torch.float64)
    kernels.gradient_sums(
        above.data_ptr(), pooled.data_ptr(), above.numel() // filters, filters, factor.data_ptr(), sums.data_ptr(),
        _address(scaled)
    )  # fmt: skip
    d_beta = sums[0]
    d_gamma = (sums[1] - mean * d_beta) * inverse
    # A value's share in mean and variance is linear in the value.
    slope = -scale * inverse * d_gamma / count
    offset = -scale * d_beta / count - slope * mean
    return slope.float(), offset.float(), d_gamma, d_beta


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
        padded, taps = _padded(kernels, x, padding), _taps(weight)
        shapes = _Shapes(padded, weight)
        pooled = torch.empty(shapes.pooled)
        chosen = torch.empty(shapes.pooled, dtype=torch.uint8)
        sums = torch.empty(shapes.samples, 2, shapes.filters, dtype=torch.float64)
        keep = shapes.taps > _MOST_AGAIN
        values = torch.empty(shapes.samples, *shapes.output, shapes.filters) if keep else None
        signs = _signs(gamma)
        kernels.forward(
            shapes.address, padded.data_ptr(), taps.data_ptr(), bias.data_ptr(), _address(signs), pooled.data_ptr(),
            chosen.data_ptr(), sums.data_ptr(), _address(values)
        )  # fmt: skip
        count = shapes.samples * shapes.output[0] * shapes.output[1] * shapes.output[2]
        mean, variance, inverse, scale, out = _normalised(kernels, pooled, sums.sum(0), count, gamma, beta, eps)
        ctx.save_for_backward(padded, taps, bias, weight, pooled, chosen, values, mean, inverse, scale)
        ctx.shapes, ctx.kernels, ctx.padding, ctx.count = shapes, kernels, padding, count
        statistics = mean.float(), variance.float()
        ctx.mark_non_differentiable(*statistics)
        return _first(out), *statistics

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor, *_: Tensor) -> tuple[Tensor | None, ...]:
        padded, taps, bias, weight, pooled, chosen, values, mean, inverse, scale = ctx.saved_tensors
        shapes, kernels = ctx.shapes, ctx.kernels
        above, factor = _last(gradient), scale.float()
        slope, offset, d_gamma, d_beta = _through_norm(kernels, above, pooled, ctx.count, mean, inverse, scale, factor)
        d_taps = torch.empty(shapes.samples, shapes.taps, shapes.filters, dtype=torch.float64)
        d_bias = torch.empty(shapes.samples, shapes.filters, dtype=torch.float64)
        d_output, border = None, 0
        if ctx.needs_input_grad[0]:
            border = weight.shape[2] - 1 - ctx.padding
            sizes = [size + 2 * border for size in shapes.output]
            d_output = torch.zeros(shapes.samples, *sizes, shapes.filters)
        kernels.backward(
            shapes.address, padded.data_ptr(), taps.data_ptr(), bias.data_ptr(), _address(values), above.data_ptr(),
            chosen.data_ptr(), factor.data_ptr(), slope.data_ptr(), offset.data_ptr(), d_taps.data_ptr(),
            d_bias.data_ptr(), _address(d_output), border
        )  # fmt: skip
        d_x = None if d_output is None else _input_gradient(kernels, d_output, weight, border)
        d_weight = _weight_gradient(d_taps.sum(0), weight)
        return d_x, d_weight, d_bias.sum(0).float(), d_gamma.float(), d_beta.float(), None, None, None


def _weight_gradient(d_taps: Tensor, weight: Tensor) -> Tensor:
    filters, channels, *kernel = weight.shape
    return d_taps.float().view(*kernel, channels, filters).permute(4, 3, 0, 1, 2)


def _input_gradient(kernels: Library, d_output: Tensor, weight: Tensor, border: int) -> Tensor:
    """``(N, C, T, H, W)`` from the gradient of the convolution's output inside a border of zeros."""
    mirrored = weight.detach().flip(2, 3, 4).transpose(0, 1)
    if weight.shape[0] != 16 or weight.shape[1] % 16:
        return F.conv3d(_first(d_output), mirrored)
    shapes, taps = _Shapes(d_output, mirrored), _taps(mirrored)
    d_x = torch.empty(shapes.samples, *shapes.output, shapes.filters)
    kernels.convolution(shapes.address, d_output.data_ptr(), taps.data_ptr(), d_x.data_ptr())
    return _first(d_x)


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
        plane, x, taps = _Plane(x, weight, padding, border), _planes(x), _taps(weight)
        pooled = torch.empty(plane.pooled)
        chosen = torch.empty(plane.pooled, dtype=torch.uint8)
        sums = torch.empty(2, plane.filters, dtype=torch.float64)
        signs = _signs(gamma)
        kernels.plane_forward(
            plane.address, x.data_ptr(), taps.data_ptr(), bias.data_ptr(), _address(signs), pooled.data_ptr(),
            chosen.data_ptr(), sums.data_ptr()
        )  # fmt: skip
        mean, variance, inverse, scale, out = _normalised(kernels, pooled, sums, plane.count, gamma, beta, eps)
        ctx.save_for_backward(x, taps, bias, weight, pooled, chosen, mean, inverse, scale)
        ctx.plane, ctx.kernels = plane, kernels
        statistics = mean.float(), variance.float()
        ctx.mark_non_differentiable(*statistics)
        return _first(out), *statistics

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor, *_: Tensor) -> tuple[Tensor | None, ...]:
        x, taps, bias, weight, pooled, chosen, mean, inverse, scale = ctx.saved_tensors
        plane, kernels = ctx.plane, ctx.kernels
        scaled = torch.empty_like(pooled)
        slope, offset, d_gamma, d_beta = _through_norm(
            kernels, _last(gradient), pooled, plane.count, mean, inverse, scale, scale.float(), scaled
        )
        d_taps = torch.empty(plane.taps, plane.filters, dtype=torch.float64)
        d_bias = torch.empty(plane.filters, dtype=torch.float64)
        kernels.plane_backward(
            plane.address, x.data_ptr(), taps.data_ptr(), bias.data_ptr(), scaled.data_ptr(), chosen.data_ptr(),
            slope.data_ptr(), offset.data_ptr(), d_taps.data_ptr(), d_bias.data_ptr()
        )  # fmt: skip
        d_weight = _weight_gradient(d_taps, weight)
        return None, d_weight, d_bias.float(), d_gamma.float(), d_beta.float(), None, None, None, None


class _Pool(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, kernels: Library) -> Tensor:
        x, taps = _last(x), _taps(weight)
        shapes = _Shapes(x, weight)
        pooled = torch.empty(shapes.pooled)
        chosen = torch.empty(shapes.pooled, dtype=torch.uint8) if ctx.needs_input_grad[1] else None
        kernels.forward(
            shapes.address, x.data_ptr(), taps.data_ptr(), bias.data_ptr(), None, pooled.data_ptr(), _address(chosen),
            None, None
        )  # fmt: skip
        ctx.save_for_backward(x, weight, pooled, chosen)
        ctx.shapes, ctx.kernels = shapes, kernels
        return _first(pooled)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, pooled, chosen = ctx.saved_tensors
        shapes, above = ctx.shapes, _last(gradient)
        d_taps = torch.empty(shapes.samples, shapes.filters, shapes.taps, dtype=torch.float64)
        d_bias = torch.empty(shapes.samples, shapes.filters, dtype=torch.float64)
        ctx.kernels.sparse_backward(
            shapes.address, x.data_ptr(), pooled.data_ptr(), above.data_ptr(), chosen.data_ptr(), d_taps.data_ptr(),
            d_bias.data_ptr()
        )  # fmt: skip
        return None, _weight_gradient(d_taps.sum(0).t(), weight), d_bias.sum(0).float(), None


class _Dense(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, kernels: Library) -> Tensor:
        x, weight = x.contiguous(), weight.contiguous()
        samples, (outputs, inputs) = x.shape[0], weight.shape
        y = torch.empty(samples, outputs)
        kernels.dense(x.data_ptr(), weight.data_ptr(), bias.data_ptr(), samples, inputs, outputs, y.data_ptr())
        ctx.save_for_backward(x, weight)
        ctx.kernels = kernels
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        gradient = gradient.contiguous()
        samples, (outputs, inputs) = x.shape[0], weight.shape
        # The large one first, and with room to spare: where the last step's lay, a few small tensors may lie by now.
        d_weight = torch.empty(weight.numel() + _TO_SPARE)[: weight.numel()].view_as(weight)
        d_x = torch.empty_like(x) if ctx.needs_input_grad[0] else None
        ctx.kernels.dense_backward(
            x.data_ptr(), weight.data_ptr(), gradient.data_ptr(), samples, inputs, outputs, _address(d_x),
            d_weight.data_ptr()
        )  # fmt: skip
        return d_x, d_weight, gradient.sum(0), None


def dense(kernels: Library, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """``x @ weight.T + bias`` of a few samples ``(N, inputs)``; the gradients of both in one walk over the weights."""
    result: Tensor = _Dense.apply(x, weight, bias, kernels)  # type: ignore[no-untyped-call]
    return result


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
        Of the convolution, ``(filters, C, t, h, w)`` and ``(filters,)``.
    gamma, beta, eps : torch.Tensor and float
        Of the normalisation.
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
    """``max_pool(relu(conv(x)) * scale + shift)``, a channel, without gradients."""
    padded, taps = _padded(kernels, x, padding), _taps(weight)
    shapes = _Shapes(padded, weight)
    pooled = torch.empty(shapes.pooled)
    signs = _signs(scale)
    kernels.forward(
        shapes.address, padded.data_ptr(), taps.data_ptr(), bias.data_ptr(), _address(signs), pooled.data_ptr(), None,
        None, None
    )  # fmt: skip
    return _first(_scale_shift(kernels, pooled, scale.contiguous(), shift.contiguous()))


def pool(kernels: Library, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """``max_pool(relu(conv(x)))``; the gradient stops at the weights.

    ``x`` is ``float32`` ``(N, C, T, H, W)``; the result ``(N, filters, (T - t + 1) // 3, ...)``.
    """
    result: Tensor = _Pool.apply(x, weight, bias, kernels)  # type: ignore[no-untyped-call]
    return result


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
        Of the convolution, ``(filters, C, 1, h, w)`` and ``(filters,)``.
    gamma, beta, eps : torch.Tensor and float
        Of the normalisation.
    padding : int
        Zeros around the frames.
    border : int
        Of the pooling, 0 or 1 positions that count for nothing.

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
    """``max_pool(relu(conv(x)) * scale + shift)`` of single frames, a channel, without gradients."""
    plane, x, taps = _Plane(x, weight, padding, border), _planes(x), _taps(weight)
    pooled = torch.empty(plane.pooled)
    signs = _signs(scale)
    kernels.plane_forward(
        plane.address, x.data_ptr(), taps.data_ptr(), bias.data_ptr(), _address(signs), pooled.data_ptr(), None, None
    )  # fmt: skip
    return _first(_scale_shift(kernels, pooled, scale.contiguous(), shift.contiguous()))
