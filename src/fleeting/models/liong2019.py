"""The network of Liong, Gan, See, Khor and Huang 2019.

*Shallow Triple Stream Three-dimensional CNN (STSTNet) for Micro-expression Recognition*, FG 2019, arXiv 1902.03634.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from fleeting.errors import UsageError
from fleeting.models.blocks import PlaneMeanPool, plane_conv_relu_norm_pool
from fleeting.models.dropout import Dropout
from fleeting.models.layers import (
    BatchNorm,
    Conv3d,
    Dense,
    FlattenTHWC,
    HiddenReLU,
    require_dropout,
    require_least,
)
from fleeting.models.registry import register_model
from fleeting.models.spec import InputShape

__all__ = ["STREAMS", "STSTNet", "ststnet"]

NAME = "ststnet"
#: Filters of the three streams.
STREAMS = (3, 5, 8)


def _uniform_(layer: nn.Conv3d | nn.Linear, generator: torch.Generator | None) -> None:
    """PyTorch's first weights: uniform within ``1 / sqrt(fan_in)``, the bias too."""
    bound = 1.0 / math.sqrt(layer.weight[0].numel())
    nn.init.uniform_(layer.weight, -bound, bound, generator=generator)
    if layer.bias is not None:
        nn.init.uniform_(layer.bias, -bound, bound, generator=generator)


class UniformConv3d(Conv3d):
    """3-D convolution with the first weights of PyTorch."""

    def reset_parameters(self, generator: torch.Generator | None = None) -> None:
        """Draw the weights anew."""
        _uniform_(self, generator)


class UniformDense(Dense):
    """Fully connected layer with the first weights of PyTorch."""

    def reset_parameters(self, generator: torch.Generator | None = None) -> None:
        """Draw the weights anew."""
        _uniform_(self, generator)


class STSTNet(nn.Module):
    """Three streams of one convolution each over the same frame, then the classes; see :func:`ststnet`.

    The streams see the same input and meet in one tensor behind their poolings, so they are held as one convolution of
    16 filters, of which the first 3, the next 5 and the last 8 are the streams (:data:`STREAMS`); likewise of one
    normalisation, which works a channel. What a filter is drawn from does not depend on how many a stream has.
    """

    def __init__(self, shape: InputShape, *, dropout: float, padding: int, hidden: int) -> None:
        super().__init__()
        require_dropout(NAME, dropout=dropout)
        for option, value, most in (("padding", padding, 2), ("hidden", hidden, None)):
            whole = isinstance(value, int) and not isinstance(value, bool) and value >= 0
            if not whole or (most is not None and value > most):
                raise UsageError(
                    f"{NAME}: found {option} {value!r}; expected a whole number of at least 0"
                    + ("" if most is None else f" and at most {most}")
                )
        filters, lost = sum(STREAMS), 2 - 2 * padding
        sizes = shape.n_frames, shape.height, shape.width
        why = "its poolings by 3, over the border, and by 2 need 4 positions of its convolution"
        require_least(NAME, sizes, (1, max(4 + lost, 1), max(4 + lost, 1)), why)
        self.conv = UniformConv3d(shape.in_channels, filters, (1, 3, 3), padding=(0, padding, padding))
        self.relu = nn.ReLU(inplace=True)
        self.norm = BatchNorm(filters, eps=1e-5, momentum=0.1)
        self.pool = nn.MaxPool3d((1, 3, 3), padding=(0, 1, 1))
        self.dropout = Dropout(dropout)
        self.mean_pool = PlaneMeanPool(2)
        self.flatten = FlattenTHWC()
        rows, columns = (((size - lost + 2) // 3) // 2 for size in sizes[1:])
        features = shape.n_frames * rows * columns * filters
        self.hidden = nn.Sequential(UniformDense(features, hidden), HiddenReLU()) if hidden else nn.Identity()
        self.output = UniformDense(hidden or features, shape.n_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``float32`` ``(N, C, T, H, W)`` to logits ``(N, n_classes)``."""
        streams = plane_conv_relu_norm_pool(x, self.conv, self.relu, self.norm, self.pool)
        features = self.flatten(self.mean_pool(self.dropout(streams)))
        logits: Tensor = self.output(self.hidden(features))
        return logits


@register_model(
    NAME,
    paper="Liong et al. 2019, and its authors' PyTorch code",
    training={"optimizer": "adam", "learning_rate": 5e-5, "batch_size": 256, "epochs": 800},
    sizes=(1, 28, 28),
    channels=3,
    recipe="flow",
)
def ststnet(shape: InputShape, *, dropout: float = 0.5, padding: int = 1, hidden: int = 0) -> STSTNet:
    """STSTNet: three parallel convolutions of 3, 5 and 8 filters over optical flow and strain.

    Each stream is a convolution 3x3, ReLU, batch normalisation, max-pooling 3x3 over a border of 1, and dropout; then the
    streams are joined and averaged over 2x2 before the classes. At one frame of 28x28 with the channels u, v and strain
    the poolings leave 10x10 and 5x5 of 16, 400 values in all, and there are 1,683 trainable parameters. At least 1
    frames of 4x4 pixels; several frames are each treated alike and joined before the dense layer.

    Published, leave-one-subject-out on the composite of the 2019 challenge: UF1 0.735, UAR 0.761; the log of the authors'
    own PyTorch code ends at 0.721 and 0.725.

    Adam at 5e-5, batches of 256, 800 epochs, first weights and normalisation (eps 1e-5, momentum 0.1, here of the biased
    variance) as in that code. It feeds values of 0 to 255 as they are; here, as for every network, each channel is brought
    to the mean 0 and the deviation 1 of the training samples.

    Parameters
    ----------
    shape : InputShape
        Sizes that go in and out.
    dropout : float, optional
        Behind the streams' poolings.
    padding : int, optional
        Zeros around the frame. 1 keeps its size; the authors' code has 2, which leaves 5x5 as well.
    hidden : int, optional
        Units of a dense layer with ReLU before the classes. The authors' code has none; others read the paper's 400
        values as a layer of 400, which makes 162,083 parameters.
    """
    return STSTNet(shape, dropout=dropout, padding=padding, hidden=hidden)
