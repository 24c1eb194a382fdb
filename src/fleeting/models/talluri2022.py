"""The networks of Talluri, Fiedler and Al-Hamadi 2022.

*Deep 3D Convolutional Neural Network for Facial Micro-Expression Analysis from Video Images*, Applied Sciences 12(21),
11078. https://doi.org/10.3390/app122111078
"""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn

from fleeting.errors import UsageError
from fleeting.models.blocks import conv_relu_norm_pool
from fleeting.models.layers import (
    BatchNorm,
    Dense,
    FlattenTHWC,
    HeNormalConv3d,
    HiddenReLU,
    as_ncdhw,
    pooled,
    require_poolable,
)
from fleeting.models.registry import register_model
from fleeting.models.spec import InputShape

__all__ = ["BlockNet", "ConvBlock", "model_a"]

POOL = 3


class ConvBlock(nn.Module):
    """Convolution, ReLU, batch normalisation, max-pooling, dropout (Talluri et al. 2022, fig. 3).

    The convolution keeps time and space (3x3x3, zero padding); the pooling divides them by 3, dropping what is left
    over. ReLU comes before the normalisation: "ReLU activation functions were used across all feasible layers", which
    in Keras is an argument of the convolution.
    """

    def __init__(self, in_channels: int, filters: int, dropout: float) -> None:
        super().__init__()
        self.conv = HeNormalConv3d(in_channels, filters, 3, padding=1)
        self.relu = nn.ReLU(inplace=True)
        self.norm = BatchNorm(filters)
        self.pool = nn.MaxPool3d(POOL)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """``(N, C, T, H, W)`` to ``(N, filters, T // 3, H // 3, W // 3)``."""
        if self.norm.training:
            pooled = conv_relu_norm_pool(x, self.conv, self.norm, POOL)
        else:
            pooled = self.pool(self.norm(self.relu(self.conv(x))))
        out: Tensor = self.dropout(pooled)
        return out


class BlockNet(nn.Module):
    """Convolution blocks, then a hidden dense layer with dropout, then the classes (Talluri et al. 2022, fig. 2)."""

    def __init__(self, shape: InputShape, *, name: str, blocks: int, filters: int, hidden: int, dropout: float) -> None:
        super().__init__()
        if not 0.0 <= dropout < 1.0:
            raise UsageError(f"{name}: found dropout {dropout!r}; expected a share in [0, 1)")
        sizes = shape.n_frames, shape.height, shape.width
        require_poolable(name, *sizes, pools=blocks, by=POOL)
        widths = [shape.in_channels] + [filters] * blocks
        self.blocks = nn.Sequential(*(ConvBlock(i, o, dropout) for i, o in pairwise(widths)))
        self.flatten = FlattenTHWC()
        frames, height, width = (pooled(size, pools=blocks, by=POOL) for size in sizes)
        self.hidden = Dense(frames * height * width * filters, hidden)
        self.hidden_relu = HiddenReLU()
        self.hidden_dropout = nn.Dropout(dropout)
        self.output = Dense(hidden, shape.n_classes)

    def forward(self, x: Tensor) -> Tensor:
        """``float32`` ``(N, C, T, H, W)`` to logits ``(N, n_classes)``."""
        features = self.flatten(self.blocks(as_ncdhw(x)))
        logits: Tensor = self.output(self.hidden_dropout(self.hidden_relu(self.hidden(features))))
        return logits


@register_model(
    "model_a",
    paper="Talluri, Fiedler & Al-Hamadi 2022, sec. 5.1, table 2",
    training={"optimizer": "sgd", "learning_rate": 0.001, "momentum": 0.9, "batch_size": 4, "epochs": 100},
)
def model_a(shape: InputShape, *, dropout: float = 0.4) -> BlockNet:
    """Model-A: two 3-D convolution blocks of 16 filters, 128 hidden units.

    At 36 grey frames of 128x128 the blocks leave 12x42x42 and 4x14x14 (table 2) and there are 1,613,587 trainable
    parameters. At least 9 frames of 9x9 pixels.
    """
    return BlockNet(shape, name="model_a", blocks=2, filters=16, hidden=128, dropout=dropout)
