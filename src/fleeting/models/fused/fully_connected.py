"""A fully connected layer of many weights and few samples."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from fleeting.kernels import Library
from fleeting.models.fused.memory import address

__all__ = ["dense"]

_TO_SPARE = 1 << 18


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
            x.data_ptr(), weight.data_ptr(), gradient.data_ptr(), samples, inputs, outputs, address(d_x),
            d_weight.data_ptr()
        )  # fmt: skip
        return d_x, d_weight, gradient.sum(0), None


def dense(kernels: Library, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """``x @ weight.T + bias`` of a few samples ``(N, inputs)``; the gradients of both in one walk over the weights."""
    result: Tensor = _Dense.apply(x, weight, bias, kernels)  # type: ignore[no-untyped-call]
    return result
