"""Optimisers that take the same steps as Keras'."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

from fleeting.training.config import TrainingConfig

__all__ = ["SGD", "Adam", "build_optimizer", "clip_by_global_norm"]


class _KerasOptimizer(torch.optim.Optimizer):
    """Counts its steps, and divides the rate by ``1 + decay * step`` (Keras' ``InverseTimeDecay``)."""

    steps: int | Tensor = 0

    @property
    def rate(self) -> float | Tensor:
        """Learning rate of the coming step; a tensor if the steps are counted on the device."""
        group = self.param_groups[0]
        rate: float | Tensor = group["lr"] / (1.0 + group["decay"] * self.steps)
        return rate

    def count_on_device(self) -> None:
        """Keep the number of steps, and with it the rate, in a tensor beside the weights.

        A step then asks nothing of the host, and a CUDA graph can replay it. Averages are made here, as zeros, since a
        graph that made them would make them anew in every step. The products are rounded once more than without.
        """
        weights = [weight for group in self.param_groups for weight in group["params"]]
        self.steps = torch.full((), float(self.steps), dtype=torch.float64, device=weights[0].device)
        for group in self.param_groups:
            for name in self._kept(group):
                self._buffers(name, group["params"])

    def tensors(self) -> list[Tensor]:
        """All that a step changes besides the weights."""
        kept = [value for state in self.state.values() for value in state.values()]
        return kept + ([self.steps] if isinstance(self.steps, Tensor) else [])

    def _kept(self, group: dict[str, Any]) -> tuple[str, ...]:
        raise NotImplementedError

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Take one step along the gradients that the weights hold."""
        if closure is not None:
            raise NotImplementedError("closures are not supported")
        rate = self.rate
        for group in self.param_groups:
            weights = [p for p in group["params"] if p.grad is not None]
            gradients = [p.grad for p in weights]
            if weights:
                self._update(group, weights, gradients, rate)
        self.steps += 1

    def _update(
        self, group: dict[str, Any], weights: list[Tensor], gradients: list[Tensor], rate: float | Tensor
    ) -> None:
        raise NotImplementedError

    def _buffers(self, name: str, weights: list[Tensor]) -> list[Tensor]:
        for weight in weights:
            if name not in self.state[weight]:
                self.state[weight][name] = torch.zeros_like(weight)
        return [self.state[weight][name] for weight in weights]


class SGD(_KerasOptimizer):
    """``v = momentum * v - rate * g``, then ``w += v``, or with Nesterov ``w += momentum * v - rate * g``.

    PyTorch's own SGD keeps ``v`` without the rate in it, which differs as soon as the rate changes.
    """

    def __init__(
        self,
        params: Iterable[Tensor],
        lr: float = 0.01,
        momentum: float = 0.0,
        nesterov: bool = False,
        decay: float = 0.0,
    ) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum, "nesterov": nesterov, "decay": decay})

    def _kept(self, group: dict[str, Any]) -> tuple[str, ...]:
        return ("velocity",) if group["momentum"] else ()

    def _update(
        self, group: dict[str, Any], weights: list[Tensor], gradients: list[Tensor], rate: float | Tensor
    ) -> None:
        momentum = group["momentum"]
        if isinstance(rate, Tensor):
            gradients, rate = list(torch._foreach_mul(gradients, rate.to(weights[0].dtype))), 1.0
        if not momentum:
            torch._foreach_add_(weights, gradients, alpha=-rate)
            return
        velocities = self._buffers("velocity", weights)
        torch._foreach_mul_(velocities, momentum)
        torch._foreach_add_(velocities, gradients, alpha=-rate)
        if group["nesterov"]:
            torch._foreach_add_(weights, gradients, alpha=-rate)
            torch._foreach_add_(weights, velocities, alpha=momentum)
        else:
            torch._foreach_add_(weights, velocities)


class Adam(_KerasOptimizer):
    """Adam with Keras' eps of 1e-7, added to the root of the uncorrected second average."""

    def __init__(
        self,
        params: Iterable[Tensor],
        lr: float = 0.001,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-7,
        decay: float = 0.0,
    ) -> None:
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "decay": decay})

    def _kept(self, group: dict[str, Any]) -> tuple[str, ...]:
        return "mean", "square"

    def _update(
        self, group: dict[str, Any], weights: list[Tensor], gradients: list[Tensor], rate: float | Tensor
    ) -> None:
        first, second = group["betas"]
        means, squares = self._buffers("mean", weights), self._buffers("square", weights)
        torch._foreach_mul_(means, first)
        torch._foreach_add_(means, gradients, alpha=1 - first)
        torch._foreach_mul_(squares, second)
        torch._foreach_addcmul_(squares, gradients, gradients, 1 - second)
        step = self.steps + 1
        alpha = rate * (1 - second**step) ** 0.5 / (1 - first**step)
        divisors = torch._foreach_sqrt(squares)
        torch._foreach_add_(divisors, group["eps"])
        if isinstance(alpha, Tensor):
            updates = torch._foreach_div(means, divisors)
            torch._foreach_mul_(updates, alpha.to(weights[0].dtype))
            torch._foreach_sub_(weights, updates)
        else:
            torch._foreach_addcdiv_(weights, means, divisors, -alpha)


def build_optimizer(params: Iterable[Tensor], config: TrainingConfig) -> SGD | Adam:
    """The optimiser that a configuration asks for."""
    if config.optimizer == "adam":
        return Adam(params, lr=config.learning_rate, decay=config.decay)
    return SGD(params, lr=config.learning_rate, momentum=config.momentum, nesterov=config.nesterov, decay=config.decay)


@torch.no_grad()
def clip_by_global_norm(params: Iterable[Tensor], clip_norm: float) -> None:
    """Scale all gradients by ``clip_norm / max(norm, clip_norm)``, ``norm`` being their joint Euclidean norm."""
    gradients = [p.grad for p in params if p.grad is not None]
    if not gradients:
        return
    norm = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients)))
    torch._foreach_mul_(gradients, clip_norm / norm.clamp_min(clip_norm))
