"""Optimisers that take the same steps as Keras'."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from fleeting.training.config import TrainingConfig

__all__ = ["SGD", "Adam", "KerasOptimizer", "build_optimizer", "clip_by_global_norm"]


class KerasOptimizer:
    """Base of the optimisers: counts its steps, and divides the rate by ``1 + decay * step`` (Keras' ``InverseTimeDecay``).

    Not a ``torch.optim.Optimizer``: the first of those that a process makes imports PyTorch's compiler, a second of work
    and 70 MB for nothing.

    Parameters
    ----------
    params : iterable of torch.Tensor
        Weights to be trained; one without a gradient is left as it is.
    lr : float
        Learning rate of the first step.
    decay : float
        Decay of the rate, as above.
    """

    def __init__(self, params: Iterable[Tensor], lr: float, decay: float) -> None:
        self.params = list(params)
        self.lr = lr
        self.decay = decay
        self.steps: int | Tensor = 0
        self._kept: dict[str, list[Tensor]] = {}

    @property
    def rate(self) -> float | Tensor:
        """Learning rate of the coming step; a tensor if the steps are counted on the device."""
        return self.lr / (1.0 + self.decay * self.steps)

    def count_on_device(self) -> None:
        """Keep the number of steps, and with it the rate, in a tensor beside the weights.

        A step then asks nothing of the host, and a CUDA graph can replay it. Averages are made here, as zeros, since a
        graph that made them would make them anew in every step. The products are rounded once more than without.
        """
        self.steps = torch.full((), float(self.steps), dtype=torch.float64, device=self.params[0].device)
        for name in self._averages():
            self._average(name)

    def tensors(self) -> list[Tensor]:
        """List all that a step changes besides the weights."""
        kept = [value for values in self._kept.values() for value in values]
        return kept + ([self.steps] if isinstance(self.steps, Tensor) else [])

    def zero_grad(self) -> None:
        """Forget the gradients that the weights hold."""
        for weight in self.params:
            weight.grad = None

    @torch.no_grad()
    def step(self) -> None:
        """Take one step along the gradients that the weights hold."""
        held = [number for number, weight in enumerate(self.params) if weight.grad is not None]
        if held:
            self._update(held, self.rate)
        self.steps += 1

    def _averages(self) -> tuple[str, ...]:
        raise NotImplementedError

    def _update(self, held: list[int], rate: float | Tensor) -> None:
        raise NotImplementedError

    def _average(self, name: str) -> list[Tensor]:
        if name not in self._kept:
            self._kept[name] = [torch.zeros_like(weight) for weight in self.params]
        return self._kept[name]

    def _of(self, held: list[int]) -> tuple[list[Tensor], list[Tensor]]:
        weights = [self.params[number] for number in held]
        return weights, [weight.grad for weight in weights if weight.grad is not None]


class SGD(KerasOptimizer):
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
        super().__init__(params, lr, decay)
        self.momentum = momentum
        self.nesterov = nesterov

    def _averages(self) -> tuple[str, ...]:
        return ("velocity",) if self.momentum else ()

    def _update(self, held: list[int], rate: float | Tensor) -> None:
        weights, gradients = self._of(held)
        if isinstance(rate, Tensor):
            gradients, rate = list(torch._foreach_mul(gradients, rate.to(weights[0].dtype))), 1.0
        if not self.momentum:
            torch._foreach_add_(weights, gradients, alpha=-rate)
            return
        velocities = [self._average("velocity")[number] for number in held]
        torch._foreach_mul_(velocities, self.momentum)
        torch._foreach_add_(velocities, gradients, alpha=-rate)
        if self.nesterov:
            torch._foreach_add_(weights, gradients, alpha=-rate)
            torch._foreach_add_(weights, velocities, alpha=self.momentum)
        else:
            torch._foreach_add_(weights, velocities)


class Adam(KerasOptimizer):
    """Adam with Keras' eps of 1e-7, added to the root of the uncorrected second average."""

    def __init__(
        self,
        params: Iterable[Tensor],
        lr: float = 0.001,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-7,
        decay: float = 0.0,
    ) -> None:
        super().__init__(params, lr, decay)
        self.betas = betas
        self.eps = eps

    def _averages(self) -> tuple[str, ...]:
        return "mean", "square"

    def _update(self, held: list[int], rate: float | Tensor) -> None:
        weights, gradients = self._of(held)
        first, second = self.betas
        means, squares = ([self._average(name)[number] for number in held] for name in self._averages())
        torch._foreach_mul_(means, first)
        torch._foreach_add_(means, gradients, alpha=1 - first)
        torch._foreach_mul_(squares, second)
        torch._foreach_addcmul_(squares, gradients, gradients, 1 - second)
        step = self.steps + 1
        alpha = rate * (1 - second**step) ** 0.5 / (1 - first**step)
        divisors = torch._foreach_sqrt(squares)
        torch._foreach_add_(divisors, self.eps)
        if isinstance(alpha, Tensor):
            updates = torch._foreach_div(means, divisors)
            torch._foreach_mul_(updates, alpha.to(weights[0].dtype))
            torch._foreach_sub_(weights, updates)
        else:
            torch._foreach_addcdiv_(weights, means, divisors, -alpha)


def build_optimizer(params: Iterable[Tensor], config: TrainingConfig) -> SGD | Adam:
    """Build the optimiser that a configuration asks for."""
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
