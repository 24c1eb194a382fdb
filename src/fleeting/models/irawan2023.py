"""The network of Irawan, Munir, Utama and Purwarianti 2023.

*Spontaneous Micro-expression Recognition using 3DCNN on Long Videos for Emotion Analysis*: MicroExpSTCNN, modified.
"""

from __future__ import annotations

from torch import Tensor, nn

from fleeting.models.blocks import ConvPool
from fleeting.models.dropout import Dropout
from fleeting.models.layers import Dense, FlattenTHWC, hidden_layers, pooled, require_dropout, require_least
from fleeting.models.registry import register_model
from fleeting.models.spec import InputShape

__all__ = ["ModifiedSTCNN", "modified_micro_exp_stcnn"]

NAME = "modified_micro_exp_stcnn"
FILTERS = 32
POOLS = (3, 2)
# Of a kernel of 3 without padding.
LOST = 2


class ModifiedSTCNN(nn.Module):
    """One convolution, two poolings, four dropouts and a hidden dense layer; see :func:`modified_micro_exp_stcnn`."""

    def __init__(self, shape: InputShape, *, dropout: float) -> None:
        super().__init__()
        require_dropout(NAME, dropout=dropout)
        sizes = shape.n_frames, shape.height, shape.width
        least = POOLS[0] * POOLS[1] + LOST
        why = f"its convolution takes {LOST} off time and space and its poolings divide what is left by 3 and by 2"
        require_least(NAME, sizes, (least, least, least), why)
        self.block = ConvPool(shape.in_channels, FILTERS, (3, 3, 3), POOLS[0])
        self.dropout = Dropout(dropout)
        self.pool_1 = nn.MaxPool3d(POOLS[1])
        self.dropout_1 = Dropout(dropout)
        self.flatten = FlattenTHWC()
        self.dropout_2 = Dropout(dropout)
        frames, height, width = (
            pooled(pooled(size - LOST, pools=1, by=POOLS[0]), pools=1, by=POOLS[1]) for size in sizes
        )
        self.hidden = hidden_layers(frames * height * width * FILTERS, 32, dropout=dropout)
        self.output = Dense(32, shape.n_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``float32`` ``(N, C, T, H, W)`` to logits ``(N, n_classes)``."""
        features = self.dropout_1(self.pool_1(self.dropout(self.block(x))))
        logits: Tensor = self.output(self.hidden(self.dropout_2(self.flatten(features))))
        return logits


@register_model(
    NAME,
    paper="Irawan et al. 2023, sec. III.C and III.D, table II",
    training={"optimizer": "adam", "learning_rate": 0.001, "batch_size": 20, "epochs": 100},
    sizes=(10, 128, 128),
)
def modified_micro_exp_stcnn(shape: InputShape, *, dropout: float = 0.3) -> ModifiedSTCNN:
    """Modified MicroExpSTCNN: one convolution 3x3x3, two poolings, 32 hidden units.

    Convolution 32 of 3x3x3 without padding, ReLU, max-pooling 3x3x3, dropout, max-pooling 2x2x2, dropout, flatten,
    dropout, 32 hidden units with ReLU and dropout. At 10 grey frames of 128x128 the convolution leaves 8x126x126, the
    poolings 2x42x42 and 1x21x21, 14,112 values in all (table II, which prints filters first, then height, width,
    frames), and there are 452,611 trainable parameters. At least 8 frames of 8x8 pixels.

    Adam at the rate that table III finds best, batches of 20, 100 epochs. The paper's sweeps vary learning_rate (0.01,
    0.001, 0.0001), dropout (0.3, 0.5, 0.7) and epochs (80, 100, 120). It names neither activations nor initialisers:
    ReLU as in the network that it modifies, and Keras' own, Glorot uniform.

    Parameters
    ----------
    shape : InputShape
        Sizes that go in and out.
    dropout : float, optional
        Share that is dropped, the same in all four places.
    """
    return ModifiedSTCNN(shape, dropout=dropout)
