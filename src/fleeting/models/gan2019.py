"""The network of Gan, Liong, Yau, Huang and Tan 2019.

*OFF-ApexNet on Micro-expression Recognition System*, Signal Processing: Image Communication 74, arXiv 1805.08699.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from fleeting.errors import UsageError
from fleeting.models.layers import (
    Conv3d,
    Dense,
    FlattenTHWC,
    as_ncdhw,
    hidden_layers,
    pooled,
    require_dropout,
    require_least,
)
from fleeting.models.registry import register_model
from fleeting.models.spec import InputShape

__all__ = ["OFFApexNet", "off_apexnet"]

NAME = "off_apexnet"
FILTERS = (6, 16)
HIDDEN = 1024


class FlowStream(nn.Sequential):
    """Two convolutions 5x5, each followed by ReLU and max-pooling 2x2, over one component of the flow."""

    def __init__(self) -> None:
        layers: list[nn.Module] = []
        for inputs, filters in zip((1, *FILTERS), FILTERS):
            # ReLU behind the pooling is the same function on a quarter of the values.
            layers += [
                Conv3d(inputs, filters, (1, 5, 5), padding=(0, 2, 2)),
                nn.MaxPool3d((1, 2, 2)),
                nn.ReLU(inplace=True),
            ]
        super().__init__(*layers, FlattenTHWC())


class OFFApexNet(nn.Module):
    """A stream for each component of the flow, two hidden dense layers, the classes; see :func:`off_apexnet`."""

    def __init__(self, shape: InputShape, *, dropout: float) -> None:
        super().__init__()
        require_dropout(NAME, dropout=dropout)
        if shape.in_channels < 2:
            raise UsageError(
                f"{NAME}: found {shape.in_channels} channel; it looks at the first two, the flow to the right and down. "
                "Choose the recipe 'flow'"
            )
        sizes = shape.n_frames, shape.height, shape.width
        require_least(NAME, sizes, (1, 4, 4), "it pools twice by 2 in space")
        self.u, self.v = FlowStream(), FlowStream()
        rows, columns = (pooled(size, pools=2, by=2) for size in sizes[1:])
        features = 2 * shape.n_frames * rows * columns * FILTERS[-1]
        self.hidden = hidden_layers(features, HIDDEN, HIDDEN, dropout=dropout)
        self.output = Dense(HIDDEN, shape.n_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``float32`` ``(N, C, T, H, W)`` to logits ``(N, n_classes)``."""
        features = torch.cat([self.u(as_ncdhw(x[:, :1])), self.v(as_ncdhw(x[:, 1:2]))], 1)
        logits: Tensor = self.output(self.hidden(features))
        return logits


@register_model(
    NAME,
    paper="Gan et al. 2019",
    training={"optimizer": "adam", "learning_rate": 5e-5, "batch_size": 256, "epochs": 800},
    sizes=(1, 28, 28),
    channels=3,
    recipe="flow",
)
def off_apexnet(shape: InputShape, *, dropout: float = 0.5) -> OFFApexNet:
    """OFF-ApexNet: a stream of two convolutions for each component of the optical flow, two dense layers of 1,024.

    Of u and of v: convolution 6 of 5x5, max-pooling 2x2, convolution 16 of 5x5, max-pooling 2x2, with ReLU and zero
    padding; both are joined before the dense layers. At one frame of 28x28 the poolings leave 14x14 and 7x7 of 16 in each
    stream, 1,568 values in all, and there are 2,664,475 trainable parameters (2.66 million in Zhang et al. 2021). At least
    1 frames of 4x4 pixels. It sees the first two channels; the strain of the recipe ``flow`` is not looked at.

    Published, leave-one-subject-out on the composite of the 2019 challenge: UF1 0.720, UAR 0.710 (as run by Liong et al.
    2019).

    The convolutions' padding is what gives 7x7 and with it the circulated number of parameters. Dropout behind the dense
    layers is that of circulated implementations; first weights are Keras', Glorot uniform. Optimiser, rate, batch and
    epochs are those of the same authors' STSTNet.

    Parameters
    ----------
    shape : InputShape
        Sizes that go in and out; at least two channels.
    dropout : float, optional
        Behind both hidden layers.
    """
    return OFFApexNet(shape, dropout=dropout)
