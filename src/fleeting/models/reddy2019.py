"""The networks of Reddy, Karri, Dubey and Mukherjee 2019.

*Spontaneous Facial Micro-Expression Recognition using 3D Spatiotemporal Convolutional Neural Networks*, IJCNN 2019.
https://arxiv.org/abs/1904.01390

One convolution that spans 15 frames, on the whole face (MicroExpSTCNN) or on eyes and mouth apart (MicroExpFuseNet). The
paper's depths are 18 frames for SMIC and 96 for CAS(ME)^2, in grey. Where the paper is silent, the scripts that its
authors published decide, and the docstrings say so.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from fleeting.errors import UsageError, unknown_choice
from fleeting.models.blocks import ConvPool
from fleeting.models.dropout import Dropout
from fleeting.models.layers import Dense, FlattenTHWC, hidden_layers, pooled, require_dropout, require_least
from fleeting.models.registry import register_model
from fleeting.models.spec import InputShape

__all__ = [
    "STCNN",
    "IntermediateFuseNet",
    "LateFuseNet",
    "NormalDense",
    "micro_exp_fusenet_intermediate",
    "micro_exp_fusenet_late",
    "micro_exp_stcnn",
]

FILTERS = 32
#: Frames, height, width. The paper writes 3x3x15, height and width first.
KERNEL = (15, 3, 3)
POOL = 3

#: The paper's; the rate and the lack of momentum are those of Keras' SGD, which it took as it was.
TRAINING: dict[str, Any] = {
    "optimizer": "sgd",
    "learning_rate": 0.01,
    "momentum": 0.0,
    "batch_size": 8,
    "epochs": 100,
}


class NormalDense(Dense):
    """Fully connected layer with normal weights of deviation 0.05 and zero bias, what Keras 2 calls ``"normal"``."""

    def reset_parameters(self, generator: torch.Generator | None = None) -> None:
        """Draw the weights anew."""
        nn.init.normal_(self.weight, 0.0, 0.05, generator=generator)
        nn.init.zeros_(self.bias)


def _features(n_frames: int, height: int, width: int) -> int:
    """Values that convolution and pooling leave."""
    frames, rows, columns = (
        pooled(size - kernel + 1, pools=1, by=POOL)
        for size, kernel in zip((n_frames, height, width), KERNEL, strict=True)
    )
    return frames * rows * columns * FILTERS


def _require(name: str, shape: InputShape, regions: int = 1) -> None:
    frames, rows, columns = (kernel + POOL - 1 for kernel in KERNEL)
    why = f"its convolution looks at {KERNEL[0]} frames at a time, its pooling at {POOL} of what that leaves"
    require_least(name, (shape.n_frames, shape.height, shape.width), (frames, rows * regions, columns), why)


class STCNN(nn.Module):
    """Convolution, ReLU, max-pooling, dropout, a hidden dense layer with dropout, the classes.

    Parameters
    ----------
    shape : InputShape
        At least 17 frames of 5x5 pixels.
    name : str
        In errors.
    dropout : float
        Behind the pooling and behind the hidden layer.
    dense : type of Dense, optional
        The dense layers, which decides their first weights.
    """

    def __init__(self, shape: InputShape, *, name: str, dropout: float, dense: type[Dense] = Dense) -> None:
        super().__init__()
        require_dropout(name, dropout=dropout)
        _require(name, shape)
        self.block = ConvPool(shape.in_channels, FILTERS, KERNEL, POOL)
        self.dropout = Dropout(dropout)
        self.flatten = FlattenTHWC()
        features = _features(shape.n_frames, shape.height, shape.width)
        self.hidden = hidden_layers(features, 128, dropout=dropout, dense=dense)
        self.output = dense(128, shape.n_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``float32`` ``(N, C, T, H, W)`` to logits ``(N, n_classes)``."""
        logits: Tensor = self.output(self.hidden(self.flatten(self.dropout(self.block(x)))))
        return logits


class _FuseNet(nn.Module):
    """Two streams over the upper and the lower half of each frame."""

    def __init__(self, shape: InputShape, *, name: str, dropout: float, activation: str) -> None:
        super().__init__()
        require_dropout(name, dropout=dropout)
        if activation not in ("linear", "relu"):
            raise unknown_choice(f"activation of {name}", activation, ("linear", "relu"))
        _require(name, shape, regions=2)
        if shape.height % 2:
            raise UsageError(
                f"{name}: found a height of {shape.height}; expected an even one, as the upper half of each frame is "
                f"the eyes and the lower half the mouth (64x32 in the paper: two regions of 32x32)"
            )
        self.region_height = shape.height // 2
        self.features = _features(shape.n_frames, self.region_height, shape.width)
        self.relu = activation == "relu"

    def stream(self, in_channels: int, dropout: float) -> nn.Sequential:
        return nn.Sequential(ConvPool(in_channels, FILTERS, KERNEL, POOL), Dropout(dropout), FlattenTHWC())

    def regions(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Eyes and mouth, each ``(N, C, T, H / 2, W)``."""
        return x[:, :, :, : self.region_height], x[:, :, :, self.region_height :]


class IntermediateFuseNet(_FuseNet):
    """Joins the two streams before the hidden layers; see :func:`micro_exp_fusenet_intermediate`."""

    def __init__(self, shape: InputShape, *, name: str, dropout: float, activation: str) -> None:
        super().__init__(shape, name=name, dropout=dropout, activation=activation)
        self.eyes = self.stream(shape.in_channels, dropout)
        self.mouth = self.stream(shape.in_channels, dropout)
        self.hidden = hidden_layers(2 * self.features, 1024, 128, dropout=dropout, relu=self.relu)
        self.output = Dense(128, shape.n_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``float32`` ``(N, C, T, H, W)`` to logits ``(N, n_classes)``."""
        eyes, mouth = self.regions(x)
        logits: Tensor = self.output(self.hidden(torch.cat([self.eyes(eyes), self.mouth(mouth)], dim=1)))
        return logits


class LateFuseNet(_FuseNet):
    """Joins the two streams behind their hidden layers; see :func:`micro_exp_fusenet_late`."""

    def __init__(self, shape: InputShape, *, name: str, dropout: float, activation: str) -> None:
        super().__init__(shape, name=name, dropout=dropout, activation=activation)
        self.eyes = self.stream(shape.in_channels, dropout)
        self.eyes_hidden = hidden_layers(self.features, 1024, 128, dropout=dropout, relu=self.relu)
        self.mouth = self.stream(shape.in_channels, dropout)
        self.mouth_hidden = hidden_layers(self.features, 1024, 128, dropout=dropout, relu=self.relu)
        self.output = Dense(2 * 128, shape.n_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``float32`` ``(N, C, T, H, W)`` to logits ``(N, n_classes)``."""
        eyes, mouth = self.regions(x)
        joined = [self.eyes_hidden(self.eyes(eyes)), self.mouth_hidden(self.mouth(mouth))]
        logits: Tensor = self.output(torch.cat(joined, dim=1))
        return logits


@register_model("micro_exp_stcnn", paper="Reddy et al. 2019, MicroExpSTCNN", training=TRAINING, sizes=(18, 64, 64))
def micro_exp_stcnn(shape: InputShape, *, dropout: float = 0.5, dense_initialiser: str = "glorot_uniform") -> STCNN:
    """MicroExpSTCNN: one convolution over 15 frames of the whole face, for 64x64 pixels.

    Convolution 32 of 3x3x15 without padding, ReLU, max-pooling 3x3x3, dropout, 128 hidden units with ReLU and dropout.
    At 18 grey frames of 64x64 (SMIC) the convolution leaves 4x62x62, the pooling 1x20x20, 12,800 values in all, and
    there are 1,643,267 trainable parameters; at 96 frames (CAS(ME)^2) 82x62x62, 27x20x20, 345,600 and 44,241,667. At
    least 17 frames of 5x5 pixels.

    SGD at Keras' own rate of 0.01 without momentum, 100 epochs, batches of 8 as printed; the authors' scripts take 16.
    They also scale all data by the mean and maximum of training and test data together and keep the best validation
    epoch. Here the mean and deviation of the training data scale it, and the last epoch is the result.

    Parameters
    ----------
    shape : InputShape
        Sizes that go in and out.
    dropout : float, optional
        Behind the pooling and behind the hidden layer.
    dense_initialiser : str, optional
        ``"glorot_uniform"``, as Keras has it if nothing is said, or ``"normal"`` (deviation 0.05) as in the authors'
        scripts. The convolution is Glorot uniform in both.
    """
    initialisers: dict[str, type[Dense]] = {"glorot_uniform": Dense, "normal": NormalDense}
    if dense_initialiser not in initialisers:
        raise unknown_choice("dense_initialiser of micro_exp_stcnn", dense_initialiser, initialisers)
    return STCNN(shape, name="micro_exp_stcnn", dropout=dropout, dense=initialisers[dense_initialiser])


@register_model(
    "micro_exp_fusenet_intermediate", paper="Reddy et al. 2019, MicroExpFuseNet", training=TRAINING, sizes=(18, 64, 32)
)
def micro_exp_fusenet_intermediate(
    shape: InputShape, *, dropout: float = 0.5, activation: str = "linear"
) -> IntermediateFuseNet:
    """Intermediate MicroExpFuseNet: eyes and mouth, joined before dense layers of 1024 and 128.

    **Input.** One image holds both regions: the upper half is the eyes, the lower half the mouth, so the paper's two
    regions of 32x32 are frames of 64x32. Any even height fits: a face crop resized to 64x32 comes close to the paper's
    regions, which span the width of the face, and so do the regions that the recipe ``irawan2023`` recombines, eyes
    above the mouth.

    Each stream is MicroExpSTCNN's: convolution 32 of 3x3x15 without padding, ReLU, max-pooling 3x3x3, dropout. At 18
    grey frames (SMIC) it leaves 4x30x30, then 1x10x10, 3,200 values; both streams' 6,400 go through dense layers of
    1024 and 128, each with dropout, to the classes. 6,694,915 trainable parameters; at 96 frames (CAS(ME)^2) 27x10x10
    a stream and 177,088,515. At least 17 frames of 10x5 pixels.

    Training as for :func:`micro_exp_stcnn`; the authors' scripts take batches of 4 and 250 epochs on SMIC, 16 and 100 on
    CAS(ME)^2.

    Parameters
    ----------
    shape : InputShape
        Sizes that go in and out.
    dropout : float, optional
        Behind each pooling and each hidden layer.
    activation : str, optional
        Activation of the two hidden layers, ``"linear"`` as in the authors' scripts, or ``"relu"``.
    """
    return IntermediateFuseNet(shape, name="micro_exp_fusenet_intermediate", dropout=dropout, activation=activation)


@register_model(
    "micro_exp_fusenet_late", paper="Reddy et al. 2019, MicroExpFuseNet", training=TRAINING, sizes=(18, 64, 32)
)
def micro_exp_fusenet_late(shape: InputShape, *, dropout: float = 0.5, activation: str = "linear") -> LateFuseNet:
    """Late MicroExpFuseNet: eyes and mouth, each through dense layers of 1024 and 128, then joined.

    Input, streams and options are those of :func:`micro_exp_fusenet_intermediate`: the upper half of each frame is the
    eyes, the lower half the mouth, 64x32 in the paper. Each stream has hidden layers of its own; what is joined are
    their 2 x 128 values, which go straight to the classes. At 18 grey frames (SMIC) there are 6,827,523 trainable
    parameters, at 96 (CAS(ME)^2) 177,221,123. At least 17 frames of 10x5 pixels.

    Training as for :func:`micro_exp_stcnn`; the authors' scripts take batches of 16, and 250 epochs on SMIC.

    Parameters
    ----------
    shape : InputShape
        Sizes that go in and out.
    dropout : float, optional
        Behind each pooling and each hidden layer.
    activation : str, optional
        Activation of the hidden layers, ``"linear"`` as in the authors' scripts, or ``"relu"``.
    """
    return LateFuseNet(shape, name="micro_exp_fusenet_late", dropout=dropout, activation=activation)
