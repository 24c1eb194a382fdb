"""The networks of Talluri, Fiedler and Al-Hamadi 2022.

*Deep 3D Convolutional Neural Network for Facial Micro-Expression Analysis from Video Images*, Applied Sciences 12(21),
11078. https://doi.org/10.3390/app122111078

All see grey frames by default, as the paper does not state the channels; ``in_channels=3`` takes RGB. They return
logits: the softmax that ends each of the paper's networks is part of the loss.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from torch import Tensor, nn

from fleeting.errors import unknown_choice
from fleeting.models.blocks import conv_relu_norm_pool
from fleeting.models.dropout import Dropout
from fleeting.models.layers import (
    BatchNorm,
    Conv3d,
    Dense,
    FlattenTHWC,
    HeNormalConv3d,
    HiddenReLU,
    hidden_layers,
    pooled,
    require_dropout,
    require_least,
)
from fleeting.models.reddy2019 import STCNN
from fleeting.models.registry import register_model
from fleeting.models.spec import InputShape

__all__ = ["BlockNet", "ConvBlock", "ModelC", "model_a", "model_b", "model_c", "split_model"]

POOL = 3

#: Sec. 6.1; sec. 5.2 leaves it unchanged for the Split-Model.
TRAINING: dict[str, Any] = {
    "optimizer": "sgd",
    "learning_rate": 0.001,
    "momentum": 0.9,
    "batch_size": 4,
    "epochs": 100,
}


class ConvBlock(nn.Module):
    """Convolution, ReLU, batch normalisation, max-pooling, dropout (Talluri et al. 2022, fig. 3).

    The convolution keeps time and space (3x3x3, zero padding); the pooling divides them by 3, dropping what is left
    over. ReLU comes before the normalisation: "ReLU activation functions were used across all feasible layers", which
    in Keras is an argument of the convolution.

    Parameters
    ----------
    in_channels, filters : int
        Channels that come in, and filters of the convolution.
    dropout : float
        Share of the pooled values that is dropped.
    conv : type of Conv3d, optional
        Decides the first weights.
    padding : int, optional
        Pixels and frames of zeros around; 0 lets the convolution take 2 off time and space.
    """

    def __init__(
        self, in_channels: int, filters: int, dropout: float, conv: type[Conv3d] = HeNormalConv3d, padding: int = 1
    ) -> None:
        super().__init__()
        self.conv = conv(in_channels, filters, 3, padding=padding)
        self.relu = nn.ReLU(inplace=True)
        self.norm = BatchNorm(filters)
        self.pool = nn.MaxPool3d(POOL)
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(N, C, T, H, W)`` to ``(N, filters, T // 3, H // 3, W // 3)``."""
        out: Tensor = self.dropout(conv_relu_norm_pool(x, self.conv, self.relu, self.norm, self.pool))
        return out


class BlockNet(nn.Module):
    """Convolution blocks, then a hidden dense layer with dropout, then the classes (Talluri et al. 2022, fig. 2)."""

    def __init__(self, shape: InputShape, *, name: str, blocks: int, filters: int, hidden: int, dropout: float) -> None:
        super().__init__()
        require_dropout(name, dropout=dropout)
        sizes = shape.n_frames, shape.height, shape.width
        least = POOL**blocks
        require_least(name, sizes, (least, least, least), f"it pools {blocks} times by {POOL} in time and space")
        widths = [shape.in_channels] + [filters] * blocks
        self.blocks = nn.Sequential(*(ConvBlock(i, o, dropout) for i, o in pairwise(widths)))
        self.flatten = FlattenTHWC()
        frames, height, width = (pooled(size, pools=blocks, by=POOL) for size in sizes)
        self.hidden = Dense(frames * height * width * filters, hidden)
        self.hidden_relu = HiddenReLU()
        self.hidden_dropout = Dropout(dropout)
        self.output = Dense(hidden, shape.n_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``float32`` ``(N, C, T, H, W)`` to logits ``(N, n_classes)``."""
        features = self.flatten(self.blocks(x))
        logits: Tensor = self.output(self.hidden_dropout(self.hidden_relu(self.hidden(features))))
        return logits


class ModelC(nn.Module):
    """One convolution block that pools twice, then a hidden dense layer, then the classes; see :func:`model_c`."""

    def __init__(
        self, shape: InputShape, *, filters: int, hidden: int, dropout: float, padding: str, initialiser: str
    ) -> None:
        super().__init__()
        paddings = {"same": 1, "valid": 0}
        initialisers = {"he_normal": HeNormalConv3d, "glorot_uniform": Conv3d}
        if padding not in paddings:
            raise unknown_choice("padding of model_c", padding, paddings)
        if initialiser not in initialisers:
            raise unknown_choice("initialiser of model_c", initialiser, initialisers)
        require_dropout("model_c", dropout=dropout)
        sizes = shape.n_frames, shape.height, shape.width
        lost = 2 - 2 * paddings[padding]
        why = f"it pools twice by {POOL} in time and space" + (" behind a convolution without padding" if lost else "")
        require_least("model_c", sizes, (POOL**2 + lost,) * 3, why)
        self.block = ConvBlock(
            shape.in_channels, filters, dropout=0.0, conv=initialisers[initialiser], padding=paddings[padding]
        )
        self.pool = nn.MaxPool3d(POOL)
        self.dropout = Dropout(dropout)
        self.flatten = FlattenTHWC()
        frames, height, width = (pooled(size - lost, pools=2, by=POOL) for size in sizes)
        self.hidden = hidden_layers(frames * height * width * filters, hidden, dropout=dropout)
        self.output = Dense(hidden, shape.n_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``float32`` ``(N, C, T, H, W)`` to logits ``(N, n_classes)``."""
        features = self.flatten(self.dropout(self.pool(self.block(x))))
        logits: Tensor = self.output(self.hidden(features))
        return logits


@register_model("model_a", paper="Talluri, Fiedler & Al-Hamadi 2022, sec. 5.1, table 2", training=TRAINING)
def model_a(shape: InputShape, *, dropout: float = 0.4) -> BlockNet:
    """Model-A: two 3-D convolution blocks of 16 filters, 128 hidden units.

    At 36 grey frames of 128x128 the blocks leave 12x42x42 and 4x14x14 (table 2) and there are 1,613,587 trainable
    parameters. At least 9 frames of 9x9 pixels.
    """
    return BlockNet(shape, name="model_a", blocks=2, filters=16, hidden=128, dropout=dropout)


@register_model("split_model", paper="Talluri, Fiedler & Al-Hamadi 2022, sec. 5.2, 8.1 and fig. 4", training=TRAINING)
def split_model(shape: InputShape, *, dropout: float = 0.4) -> BlockNet:
    """Split-Model: Model-A with three blocks, for the single train-test split.

    At 36 grey frames of 128x128 the blocks leave 12x42x42, 4x14x14 and 1x4x4, and there are 47,683 trainable
    parameters: the third block takes the dense layer from 12,544 inputs to 256. At least 27 frames of 27x27 pixels, so
    it takes the paper's 36 frames of CASME II and 30 of Combined, but not the 26 of SMIC.

    "The only difference is that the architecture consists of three Conv blocks"; filters, dropout and training are
    Model-A's.
    """
    return BlockNet(shape, name="split_model", blocks=3, filters=16, hidden=128, dropout=dropout)


@register_model(
    "model_b",
    paper="Talluri, Fiedler & Al-Hamadi 2022, sec. 5.3 and 6.2; after Reddy et al. 2019",
    training={"optimizer": "sgd", "learning_rate": 0.01, "momentum": 0.0, "batch_size": 8, "epochs": 100},
    sizes=(36, 64, 64),
)
def model_b(shape: InputShape, *, dropout: float = 0.5) -> STCNN:
    """Model-B: the paper's reimplementation of MicroExpSTCNN, for 64x64 pixels.

    The layers of :func:`fleeting.models.reddy2019.micro_exp_stcnn`, at the paper's own depths. At 36 grey frames of
    64x64 the convolution leaves 22x62x62, the pooling 7x20x20, 89,600 values in all, and there are 11,473,667 trainable
    parameters (6,558,467 at 26 frames, 8,196,867 at 30). At least 17 frames of 5x5 pixels: the convolution looks at 15
    at a time and the pooling at 3 of what that leaves.

    The paper names no padding, activation or initialiser and refers to the original: no padding, ReLU, and Keras' own
    initialiser, Glorot uniform. Nor does it give a rate or momentum: Keras' SGD has 0.01 and none. It speaks of anger,
    disgust and happy, the classes of the original; here it answers the same three classes as Model-A.
    """
    return STCNN(shape, name="model_b", dropout=dropout)


@register_model(
    "model_c",
    paper="Talluri, Fiedler & Al-Hamadi 2022, sec. 5.4 and 6.3; after Jiao et al. 2021",
    training={**TRAINING, "nesterov": True, "decay": 1e-6},
)
def model_c(
    shape: InputShape, *, dropout: float = 0.5, padding: str = "same", initialiser: str = "he_normal"
) -> ModelC:
    """Model-C: the paper's reimplementation of Jiao et al. 2021, one convolution of 32 filters and two poolings.

    Convolution 3x3x3, ReLU, batch normalisation, max-pooling 3x3x3 twice, dropout, 128 hidden units with ReLU and
    dropout. At 36 grey frames of 128x128 the convolution leaves 36x128x128, the poolings 12x42x42 and 4x14x14, 25,088
    values in all, and there are 3,212,739 trainable parameters. At least 9 frames of 9x9 pixels.

    The paper gives the layers and their sizes, not their order. Model-A is said to have *more* convolutional layers, so
    here is one, and both poolings follow it. For the rest "the initial assumptions on the parameters were made based on
    the proposed Model-A": its order (convolution, ReLU, normalisation, pooling, dropout), padding and He-normal
    initialiser, and its two places of dropout, behind the poolings and behind the hidden layer.

    SGD with Nesterov's momentum 0.9, a decay of 1e-6 a step and batches of 4 are those of Jiao et al.; the rate of
    0.001 instead of 0.01 and 100 epochs instead of 800 are the paper's changes.

    Parameters
    ----------
    shape : InputShape
        Sizes that go in and out.
    dropout : float, optional
        In both places.
    padding : str, optional
        Padding of the convolution, ``"same"``, or ``"valid"`` as Keras has it if nothing is said (at least 11 frames of
        11x11 pixels then).
    initialiser : str, optional
        First weights of the convolution, ``"he_normal"``, or ``"glorot_uniform"`` as Keras has it if nothing is said.
    """
    return ModelC(shape, filters=32, hidden=128, dropout=dropout, padding=padding, initialiser=initialiser)
