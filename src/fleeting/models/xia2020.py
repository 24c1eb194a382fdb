"""The networks of Xia, Peng, Khor, Feng and Zhao 2020.

*Revealing the Invisible with Model and Data Shrinking for Composite-database Micro-expression Recognition*, IEEE
Transactions on Image Processing 29, arXiv 2006.09674.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from fleeting.errors import UsageError, unknown_choice
from fleeting.models.dropout import Dropout
from fleeting.models.layers import (
    BatchNorm,
    Conv3d,
    Dense,
    FlattenTHWC,
    as_ncdhw,
    require_dropout,
    require_least,
)
from fleeting.models.registry import register_model
from fleeting.models.spec import InputShape

__all__ = ["MODULES", "RCN", "rcn"]

NAME = "rcn"
#: What can be added without adding parameters.
MODULES = ("attention", "none", "shortcut", "wide")


class FanOutConv3d(Conv3d):
    """3-D convolution with normal weights of variance ``2 / fan_out`` and zero bias."""

    def reset_parameters(self, generator: torch.Generator | None = None) -> None:
        """Draw the weights anew."""
        std = math.sqrt(2.0 / self.weight[:, 0].numel())
        nn.init.normal_(self.weight, 0.0, std, generator=generator)
        if self.bias is not None:
            nn.init.zeros_(self.bias)


class SmallDense(Dense):
    """Fully connected layer with normal weights of deviation 0.01 and zero bias."""

    def reset_parameters(self, generator: torch.Generator | None = None) -> None:
        """Draw the weights anew."""
        nn.init.normal_(self.weight, 0.0, 0.01, generator=generator)
        nn.init.zeros_(self.bias)


def _norm(filters: int) -> BatchNorm:
    return BatchNorm(filters, eps=1e-5, momentum=0.1)


def _conv_norm_relu(inputs: int, filters: int, kernel: int, padding: int) -> nn.Sequential:
    # The normalisation takes away whatever a bias adds.
    conv = FanOutConv3d(inputs, filters, (1, kernel, kernel), padding=(0, padding, padding), bias=False)
    return nn.Sequential(conv, _norm(filters), nn.ReLU(inplace=True))


class RecurrentConvolution(nn.Module):
    """A convolution 1x1, then one 3x3 whose output is fed back to it beside the input.

    Parameters
    ----------
    filters : int
        That come in and go out.
    dense : bool
        The 3x3 sees the sum of all that came before and is used once more (shortcut connections); its weights and its
        normalisation are the same every time.
    """

    def __init__(self, filters: int, *, dense: bool) -> None:
        super().__init__()
        self.forward_conv = _conv_norm_relu(filters, filters, 1, 0)
        self.recurrent_conv = _conv_norm_relu(filters, filters, 3, 1)
        self.dense = dense

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(N, filters, T, H, W)`` to the same shape."""
        y: Tensor = self.forward_conv(x)
        if not self.dense:
            for _ in range(2):
                y = self.recurrent_conv(x + y)
            return y
        seen = x + y
        for _ in range(2):
            seen = seen + self.recurrent_conv(seen)
        out: Tensor = self.recurrent_conv(seen)
        return out


class WideInput(nn.Module):
    """Three convolutions 3x3 of stride 3, which look at neighbours 1, 2 and 3 pixels apart (wide expansion)."""

    def __init__(self, channels: int, filters: int, dropout: float) -> None:
        super().__init__()
        shares = filters // 2, filters // 4, filters - filters // 2 - filters // 4
        self.streams = nn.ModuleList(
            nn.Sequential(
                FanOutConv3d(
                    channels, share, (1, 3, 3), stride=(1, 3, 3), padding=(0, apart, apart), dilation=(1, apart, apart)
                ),
                nn.ReLU(inplace=True),
                _norm(share),
            )
            for apart, share in enumerate(shares, start=1)
        )
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(N, C, T, H, W)`` to ``(N, filters, T, (H + 2) // 3, (W + 2) // 3)``."""
        out: Tensor = self.dropout(torch.cat([stream(x) for stream in self.streams], 1))
        return out


class MeanTo(nn.Module):
    """Means over ``size`` by ``size`` parts of a picture, which overlap where it does not divide evenly.

    PyTorch's ``AdaptiveAvgPool2d``, as two products with constants, which other formats know.
    """

    def __init__(self, height: int, width: int, size: int) -> None:
        super().__init__()
        for name, whole in (("down", height), ("across", width)):
            shares = torch.zeros(size, whole)
            for i in range(size):
                start, end = i * whole // size, -(-(i + 1) * whole // size)
                shares[i, start:end] = 1.0 / (end - start)
            self.register_buffer(name, shares, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(..., H, W)`` to ``(..., size, size)``."""
        assert isinstance(self.down, Tensor) and isinstance(self.across, Tensor)
        return self.down @ x @ self.across.t()


def attention(x: Tensor, weight: Tensor) -> Tensor:
    """Weigh places by how much the classes look at them, from the weights that they give to each place (attention unit).

    Parameters
    ----------
    x : torch.Tensor
        ``(N, filters, T, size, size)``.
    weight : torch.Tensor
        Weights of the classifier, ``(n_classes, T * size * size * filters)``.

    Returns
    -------
    torch.Tensor
        ``(N, 1, T, size, size)``: of each class the mean of ``weight * x`` over the filters, brought to 0 to 1 over
        each frame, and the mean of that over the classes. A frame in which nothing differs gets zeros.
    """
    filters, *sizes = x.shape[1:]
    weight = weight.view(-1, *sizes, filters).permute(0, 4, 1, 2, 3)
    maps = torch.einsum("nfthw,kfthw->nkthw", x, weight) / filters
    maps = maps - maps.amin((3, 4), keepdim=True)
    maps = maps / maps.amax((3, 4), keepdim=True).clamp_min(1e-12)
    return maps.mean(1, keepdim=True)


class RCN(nn.Module):
    """One convolution, one recurrent convolution, and the classes; see :func:`rcn`."""

    def __init__(self, shape: InputShape, *, modules: str, filters: int, size: int, dropout: float) -> None:
        super().__init__()
        if modules not in MODULES:
            raise unknown_choice(f"modules of {NAME}", modules, MODULES)
        require_dropout(NAME, dropout=dropout)
        for option, value, least in (("filters", filters, 4), ("size", size, 1)):
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise UsageError(f"{NAME}: found {option} {value!r}; expected a whole number of at least {least}")
        self.added = modules
        wide = modules == "wide"
        sizes = shape.n_frames, shape.height, shape.width
        least = 4 if wide else 8
        why = "it divides them by 3 and by 2" if wide else "its convolution takes 4 off them and it pools twice by 2"
        require_least(NAME, sizes, (1, least, least), why)
        self.input = (
            WideInput(shape.in_channels, filters, dropout)
            if wide
            else nn.Sequential(
                *_conv_norm_relu(shape.in_channels, filters, 5, 0), nn.MaxPool3d((1, 2, 2)), Dropout(dropout)
            )
        )
        self.recurrent = RecurrentConvolution(filters, dense=modules == "shortcut")
        self.pool = nn.MaxPool3d((1, 2, 2))
        self.dropout = Dropout(dropout)
        height, width = ((edge + 2) // 3 if wide else (edge - 4) // 2 for edge in sizes[1:])
        self.mean = MeanTo(height // 2, width // 2, size)
        self.look = MeanTo(height, width, size) if modules == "attention" else nn.Identity()
        self.flatten = FlattenTHWC()
        self.output = SmallDense(shape.n_frames * size * size * filters, shape.n_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``float32`` ``(N, C, T, H, W)`` to logits ``(N, n_classes)``."""
        first = self.input(as_ncdhw(x))
        features = self.mean(self.dropout(self.pool(self.recurrent(first))))
        if self.added == "attention":
            features = features * attention(self.look(first), self.output.weight)
        logits: Tensor = self.output(self.flatten(features))
        return logits


@register_model(
    NAME,
    paper="Xia et al. 2020, and its authors' PyTorch code",
    training={"optimizer": "sgd", "learning_rate": 5e-4, "momentum": 0.9, "batch_size": 64, "epochs": 100},
    sizes=(1, 28, 28),
    channels=3,
    recipe="flow",
)
def rcn(
    shape: InputShape, *, modules: str = "attention", filters: int = 32, size: int = 5, dropout: float = 0.5
) -> RCN:
    """RCN: a convolution and a recurrent convolution with shared weights over optical flow, and parameter-free modules.

    Convolution 32 of 5x5 without padding, batch normalisation, ReLU, max-pooling 2x2, dropout; then the recurrent
    convolution: one of 1x1 and one of 3x3, which is applied twice, to the sum of the input and of what came out before;
    max-pooling 2x2, dropout, means over 5x5 parts, the classes. At one frame of 28x28 with the channels u, v and strain
    the poolings leave 12x12, 6x6 and 5x5 of 32, 800 values in all, and there are 15,235 trainable parameters. At least 1
    frames of 8x8 pixels; several frames are each treated alike and joined before the dense layer.

    Published, leave-one-subject-out on the composite of the 2019 challenge: UF1 0.743, UAR 0.719, with attention (RCN-A).

    Order, first weights and training are those of the authors' code, 32 filters and 5x5 parts those of its example: SGD at
    5e-4 with momentum 0.9, batches of 64, 100 epochs. It also halves the rate every 10 epochs, which the engine does not.
    Biases that a normalisation takes away again are left out.

    Parameters
    ----------
    shape : InputShape
        Sizes that go in and out.
    modules : str, optional
        Modules without parameters: ``"attention"`` (RCN-A), where the classifier's weights say which places
        count; ``"shortcut"`` (RCN-S), dense connections in the recurrent convolution; ``"wide"`` (RCN-W), three
        convolutions 3x3 of growing reach in the place of the first (at least 4x4 pixels); ``"none"``.
    filters : int, optional
        Filters of all convolutions.
    size : int, optional
        Parts to a side that means are taken over.
    dropout : float, optional
        In both places.
    """
    return RCN(shape, modules=modules, filters=filters, size=size, dropout=dropout)
