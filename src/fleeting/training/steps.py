"""One training step, taken as it is or replayed as a CUDA graph.

Both ways take the same step: it touches only tensors that stay where they are and asks nothing of the host. So a graph
of it can be replayed for every batch of its size, and all but the capture is the same on a CPU.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fleeting.training.config import TrainingConfig
from fleeting.training.data import Batches
from fleeting.training.optim import SGD, Adam, clip_by_global_norm

__all__ = ["EagerSteps", "GraphedSteps", "Step", "Steps", "cuda_graph", "make_steps"]

logger = logging.getLogger(__name__)

#: Set to 0, every step on CUDA is launched kernel by kernel.
GRAPHS_VARIABLE = "FLEETING_CUDA_GRAPHS"

# Libraries choose their kernels and reserve their memory in the first steps, which cannot be captured.
WARM_UP = 3

# Takes a step without arguments, returns what takes it again; the step may be taken any number of times meanwhile.
Capture = Callable[[Callable[[], None]], Callable[[], None]]


class Step:
    """Forward, loss, backward, clipping and update on the samples at some positions.

    Parameters
    ----------
    model : nn.Module
        Network in training mode, on the device of all that follows.
    batches, labels : Batches and torch.Tensor
        The samples and their classes, ``int64`` ``(N,)``.
    weights : torch.Tensor
        Weight of each class in the loss, ``(n_classes,)``.

    Attributes
    ----------
    loss, hits : object
        Sum of the samples' losses and number of right answers since :meth:`start`, on the device.
    """

    def __init__(
        self,
        model: nn.Module,
        batches: Batches,
        labels: Tensor,
        weights: Tensor,
        optimizer: SGD | Adam,
        config: TrainingConfig,
    ) -> None:
        self._model = model
        self._parameters = list(model.parameters())
        self._batches = batches
        self._labels = labels
        self._weights = weights
        self._optimizer = optimizer
        self._clip_norm = config.clip_norm
        self._bfloat16 = config.precision == "bfloat16"
        self.loss = torch.zeros((), dtype=torch.float64, device=labels.device)
        self.hits = torch.zeros((), dtype=torch.int64, device=labels.device)

    def _lowered(self) -> AbstractContextManager[Any]:
        if not self._bfloat16:
            return nullcontext()
        # A graph must not read what autocast kept from an earlier step.
        return torch.autocast(self._labels.device.type, torch.bfloat16, cache_enabled=False)

    def start(self) -> None:
        """Begin to sum anew."""
        self.loss.zero_()
        self.hits.zero_()

    def tensors(self) -> list[Tensor]:
        """List all that a step changes."""
        return [*self._model.state_dict().values(), *self._optimizer.tensors(), self.loss, self.hits]

    def __call__(self, index: Tensor) -> None:
        """Learn from the samples at ``index``."""
        with self._lowered():
            logits = self._model(self._batches.take(index))
        if self._bfloat16:
            logits = logits.float()
        target = self._labels.index_select(0, index)
        # Keras divides by the number of samples, not by the sum of their weights.
        losses = F.cross_entropy(logits, target, reduction="none") * self._weights.index_select(0, target)
        self._optimizer.zero_grad()
        losses.mean().backward()  # type: ignore[no-untyped-call]
        if self._clip_norm is not None:
            clip_by_global_norm(self._parameters, self._clip_norm)
        self._optimizer.step()
        self.loss += losses.detach().double().sum()
        self.hits += (logits.detach().argmax(1) == target).sum()


class Steps(Protocol):
    """A way of taking steps."""

    how: str

    def take(self, batches: Iterable[Tensor]) -> None:
        """Take one step for each of the positions of a batch."""


class EagerSteps:
    """Each step is launched kernel by kernel."""

    how = "eager"

    def __init__(self, step: Step) -> None:
        self._step = step

    def take(self, batches: Iterable[Tensor]) -> None:
        """Take one step for each of the positions of a batch."""
        for index in batches:
            self._step(index)


class GraphedSteps:
    """The first batch of a size is captured, then it and all others of that size are replays.

    If the capture fails, steps are launched kernel by kernel, and the log and ``how`` say why.

    Parameters
    ----------
    step : Step
        Its optimiser counts its steps on the device.
    capture : Capture
        :func:`cuda_graph`, or in tests what calls the step again.
    """

    def __init__(self, step: Step, capture: Capture) -> None:
        self.how = "CUDA graph"
        self._step = step
        self._capture = capture
        self._replays: dict[int, tuple[Tensor, Callable[[], None]]] = {}

    def take(self, batches: Iterable[Tensor]) -> None:
        """Take one step for each of the positions of a batch."""
        for index in batches:
            if len(index) not in self._replays:
                self._replays[len(index)] = self._replay(index)
            held, replay = self._replays[len(index)]
            held.copy_(index)
            replay()

    def _replay(self, index: Tensor) -> tuple[Tensor, Callable[[], None]]:
        held = index.clone()

        def again() -> None:
            self._step(held)

        if self.how == "CUDA graph":
            try:
                with _undone(self._step.tensors()):
                    return held, self._capture(again)
            except torch.OutOfMemoryError:
                raise
            except RuntimeError as exc:
                reason = str(exc).partition("\n")[0]
                self.how = f"eager, as no CUDA graph could be made: {reason}"
                logger.warning("training without a CUDA graph, more slowly but with the same result: %s", reason)
        return held, again


@contextmanager
def _undone(tensors: list[Tensor]) -> Iterator[None]:
    """Put values and generators back: what was done inside was only for trying."""
    saved = [tensor.clone() for tensor in tensors]
    cuda = sorted({tensor.device.index for tensor in tensors if tensor.is_cuda})
    with torch.random.fork_rng(devices=cuda):
        try:
            yield
        finally:
            with torch.no_grad():
                for tensor, value in zip(tensors, saved):
                    tensor.copy_(value)


def cuda_graph(call: Callable[[], None]) -> Callable[[], None]:
    """Capture what ``call`` does on the current CUDA device.

    Dropout draws from the device's default generator, which PyTorch registers with every graph: each replay goes on in
    the same stream of numbers as the kernels would if launched one by one.

    Raises
    ------
    RuntimeError
        If it waits for the host somewhere, or does what cannot be captured.
    """
    side = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    side.wait_stream(torch.cuda.current_stream())
    generator = torch.cuda.default_generators[torch.cuda.current_device()]
    with torch.cuda.stream(side):
        for _ in range(WARM_UP):
            call()
        # A capture that breaks off can leave the generator unusable; a step that waits for the host is found before.
        mode = torch.cuda.get_sync_debug_mode()
        torch.cuda.set_sync_debug_mode("error")
        try:
            call()
        finally:
            torch.cuda.set_sync_debug_mode(mode)
        before = generator.clone_state()
        graph = torch.cuda.CUDAGraph()
        try:
            with torch.cuda.graph(graph, stream=side):
                call()
        except RuntimeError:
            generator.graphsafe_set_state(before)
            raise
    torch.cuda.current_stream().wait_stream(side)
    replay: Any = graph.replay
    return replay  # type: ignore[no-any-return]


def make_steps(step: Step, device: torch.device) -> Steps:
    """Choose the way: graphed on CUDA unless ``FLEETING_CUDA_GRAPHS`` is 0, eager everywhere else."""
    if device.type == "cuda" and os.environ.get(GRAPHS_VARIABLE) != "0":
        return GraphedSteps(step, cuda_graph)
    return EagerSteps(step)
