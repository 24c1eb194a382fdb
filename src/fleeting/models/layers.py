"""Layers with the semantics of Keras, in which the papers' networks were written.

Where Keras and PyTorch differ: Keras draws He-normal weights from a truncated normal and dense layers Glorot-uniform
with zero bias; batch normalisation has eps 1e-3 and keeps 0.99 of its moving averages, the variance among them
*biased*; tensors are ``(N, T, H, W, C)``, which decides the order in which they are flattened.
"""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fleeting.errors import UsageError
from fleeting.models import fused
from fleeting.models.dropout import Dropout

__all__ = [
    "BatchNorm",
    "Conv3d",
    "Dense",
    "FlattenTHWC",
    "HeNormalConv3d",
    "HiddenReLU",
    "as_ncdhw",
    "as_ndhwc",
    "glorot_uniform_",
    "he_normal_",
    "hidden_layers",
    "initialise",
    "pooled",
    "require_dropout",
    "require_least",
]

# Standard deviation of a standard normal cut at two standard deviations; Keras divides by it.
_TRUNCATED_STD = 0.87962566103423978


def he_normal_(weight: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Fill in place with Keras' ``HeNormal``: normal of variance ``2 / fan_in``, cut at two standard deviations.

    ``weight`` is ``(out, in, ...)``; ``fan_in`` is the number of inputs of one output.
    """
    std = math.sqrt(2.0 / weight[0].numel()) / _TRUNCATED_STD
    return nn.init.trunc_normal_(weight, 0.0, std, -2 * std, 2 * std, generator=generator)


def glorot_uniform_(weight: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Fill in place with Keras' ``GlorotUniform``: uniform within ``sqrt(6 / (fan_in + fan_out))``."""
    return nn.init.xavier_uniform_(weight, generator=generator)


class Conv3d(nn.Conv3d):
    """3-D convolution with Glorot-uniform weights and zero bias, Keras' default."""

    def reset_parameters(self, generator: torch.Generator | None = None) -> None:
        """Draw the weights anew."""
        glorot_uniform_(self.weight, generator)
        if self.bias is not None:
            nn.init.zeros_(self.bias)


class HeNormalConv3d(Conv3d):
    """3-D convolution with He-normal weights and zero bias."""

    def reset_parameters(self, generator: torch.Generator | None = None) -> None:
        """Draw the weights anew."""
        he_normal_(self.weight, generator)
        if self.bias is not None:
            nn.init.zeros_(self.bias)


class Dense(nn.Linear):
    """Fully connected layer with Glorot-uniform weights and zero bias."""

    def reset_parameters(self, generator: torch.Generator | None = None) -> None:
        """Draw the weights anew."""
        glorot_uniform_(self.weight, generator)
        if self.bias is not None:
            nn.init.zeros_(self.bias)

    def forward(self, input: Tensor) -> Tensor:
        """Map ``(N, inputs)`` to ``(N, outputs)``."""
        kernels = None if self.bias is None else fused.dense_kernels_for(input, self.weight)
        if kernels is None:
            return super().forward(input)
        return fused.dense(kernels, input, self.weight, self.bias)


class HiddenReLU(nn.ReLU):
    """ReLU behind a hidden dense layer. Training watches its units: once most are zero for every sample, it is dead."""


def hidden_layers(*widths: int, dropout: float, dense: type[Dense] = Dense, relu: bool = True) -> nn.Sequential:
    """Build fully connected layers, each followed by ReLU and dropout.

    Parameters
    ----------
    widths : int
        Number of inputs, then of the outputs of each layer.
    dropout : float
        Share that is dropped behind each layer, in [0, 1).
    dense : type of Dense, optional
        The layer, which decides the first weights.
    relu : bool, optional
        If False, the layers are linear.
    """
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(widths):
        layers += [dense(inputs, outputs), HiddenReLU() if relu else nn.Identity(), Dropout(dropout)]
    return nn.Sequential(*layers)


class BatchNorm(nn.BatchNorm3d):
    """Batch normalisation as in Keras: eps 1e-3, momentum 0.99 (PyTorch says 0.01), biased moving variance."""

    def __init__(self, num_features: int, eps: float = 1e-3, momentum: float = 0.01) -> None:
        super().__init__(num_features, eps=eps, momentum=momentum)

    def reset_parameters(self, generator: torch.Generator | None = None) -> None:
        """Go back to mean 0, variance 1 and the identity; nothing is drawn."""
        super().reset_parameters()

    def forward(self, input: Tensor) -> Tensor:
        """Normalise ``(N, C, T, H, W)`` per channel."""
        if not self.training:
            return super().forward(input)
        assert self.running_mean is not None and self.running_var is not None and self.momentum is not None
        count = input.numel() // input.shape[1]
        if count == 1:
            # One value per channel is its own mean. PyTorch refuses it; Keras answers beta.
            self.update_statistics(input.detach().reshape(-1), torch.zeros_like(self.running_var))
            return (input - input) * self.weight.view(1, -1, 1, 1, 1) + self.bias.view(1, -1, 1, 1, 1)
        # The tensor is not walked again for the biased variance: PyTorch's update is undone and redone, per channel.
        mean, variance = torch.zeros_like(self.running_mean), torch.zeros_like(self.running_var)
        output = F.batch_norm(input, mean, variance, self.weight, self.bias, True, 1.0, self.eps)
        self.update_statistics(mean, variance * ((count - 1) / count))
        return output

    @torch.no_grad()
    def update_statistics(self, mean: Tensor, biased_variance: Tensor) -> None:
        """Move the averages towards a batch's mean and biased variance, each of shape ``(C,)``."""
        assert self.running_mean is not None and self.running_var is not None and self.momentum is not None
        assert self.num_batches_tracked is not None
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(biased_variance, self.momentum)
        self.num_batches_tracked += 1


class FlattenTHWC(nn.Module):
    """``(N, C, T, H, W)`` to ``(N, T * H * W * C)``, in the order in which Keras flattens ``(N, T, H, W, C)``."""

    def forward(self, input: Tensor) -> Tensor:
        """Flatten."""
        return input.permute(0, 2, 3, 4, 1).flatten(1)


def as_ncdhw(x: Tensor) -> Tensor:
    """Give the same ``(N, C, T, H, W)`` values, channels first in memory too.

    A view of ``(N, T, H, W, 1)`` counts both as channels first and as channels last, and PyTorch then takes the
    channels-last road, on which its 3-D batch normalisation is inaccurate on a CPU.
    """
    if x.shape[1] == 1:
        # Dropping and adding the axis gives it the stride of a channels-first tensor, without a copy.
        return x.squeeze(1).contiguous().unsqueeze(1)
    return x.contiguous()


def as_ndhwc(x: Tensor) -> Tensor:
    """Give the same ``(N, C, T, H, W)`` values, channels last in memory, also where there is one channel.

    On a CPU a convolution without padding and its pooling are quicker in this order, and flattening the result for a
    dense layer moves nothing. Input *and* weights must have it for a convolution to keep it. Not for networks with
    batch normalisation, see :func:`as_ncdhw`. While a network is traced, to be exported, it is ``x`` itself: other
    formats know no order in memory.
    """
    if torch.jit.is_tracing():  # type: ignore[attr-defined, no-untyped-call]
        return x
    if x.shape[1] == 1:
        # A new last axis has the stride 1 that says "channels last"; nothing moves.
        return x.squeeze(1).contiguous().unsqueeze(-1).movedim(-1, 1)
    return x.contiguous(memory_format=torch.channels_last_3d)


def initialise(model: nn.Module, generator: torch.Generator) -> None:
    """Draw all weights of a network anew, from one generator and in the order of its layers."""
    for module in model.modules():
        if isinstance(module, Conv3d | Dense | BatchNorm):
            module.reset_parameters(generator)


def pooled(size: int, *, pools: int, by: int = 3) -> int:
    """Give what ``pools`` poolings with kernel and stride ``by`` and no padding leave of ``size``.

    >>> pooled(128, pools=1), pooled(128, pools=2)
    (42, 14)
    """
    for _ in range(pools):
        size //= by
    return size


def require_least(name: str, found: tuple[int, int, int], least: tuple[int, int, int], why: str) -> None:
    """Refuse sizes of which a network's convolutions and poolings leave nothing.

    Parameters
    ----------
    name : str
        Name of the network.
    found, least : tuple of (int, int, int)
        (frames, height, width).
    why : str
        Reason why the network needs them, as in "it pools twice by 3".

    Raises
    ------
    UsageError
        If there is less; says what was found and the least that the network can take.
    """
    few = {"frames": found[0] < least[0], "pixels": found[1] < least[1] or found[2] < least[2]}
    if any(few.values()):
        raise UsageError(
            f"{name}: found {found[0]} frames of {found[1]}x{found[2]} pixels; {why}, so it takes at least {least[0]} "
            f"frames of {least[1]}x{least[2]} pixels. Choose a recipe with more "
            f"{' and '.join(what for what, lacking in few.items() if lacking)}"
        )


def require_dropout(name: str, **shares: float) -> None:
    """Refuse what is not a share in [0, 1).

    Raises
    ------
    UsageError
        If there is one; names the network, the option and what was found.
    """
    for option, share in shares.items():
        if isinstance(share, bool) or not isinstance(share, int | float) or not 0.0 <= share < 1.0:
            raise UsageError(f"{name}: found {option} {share!r}; expected a share in [0, 1)")
