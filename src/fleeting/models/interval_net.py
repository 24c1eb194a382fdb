"""A small network that says, for each moment of a long video, whether an expression is going on.

Its input is that of SOFTNet (Liong, See and Chan 2021: flow and optical strain), to both sides of the moment and with
their change, so that skin that goes and comes back differs from skin that goes. SOFTNet judges each frame by itself; here
a few temporal convolutions look per second around, which is what tells speech and turns of the head from an expression. It
is no classifier of clips, so it is not in the register of the zoo.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from fleeting.errors import UsageError

__all__ = ["CHANNELS", "EXTRAS", "KINDS", "RATE", "IntervalNet"]

#: Moments a second; recordings of any rate are brought to it.
RATE = 50.0
#: Of the maps: flow since 0.16 s ago and until 0.16 s ahead (x, y each), their strain, and the strain of their change.
CHANNELS = 7
#: Beside the maps: how open the eyes are, what the head does to both sides, and what it leaves unexplained.
EXTRAS = 15
#: Names of the outputs.
KINDS = ("micro", "macro")


class IntervalNet(nn.Module):
    """Two convolutions over the face, five over time, about 80,000 parameters.

    Parameters
    ----------
    seed : int, optional
        Random seed of the first weights; PyTorch's global generator is neither used nor changed.
    width : int, optional
        Number of features of a moment.
    """

    def __init__(self, seed: int = 0, width: int = 48) -> None:
        super().__init__()
        if isinstance(width, bool) or not isinstance(width, int) or not 1 <= width <= 1024:
            raise UsageError(f"width: found {width!r}; expected a whole number from 1 to 1024")
        self.width = width
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)
            self.face = nn.Sequential(
                nn.Conv2d(CHANNELS, 16, 3, stride=2, padding=1),
                nn.ReLU(),
                nn.Conv2d(16, 24, 3, stride=2, padding=1),
                nn.ReLU(),
                nn.Flatten(),
                nn.Linear(24 * 4 * 4, width),
                nn.ReLU(),
            )
            self.drop = nn.Dropout(0.2)
            self.enter = nn.Conv1d(width + EXTRAS, width, 1)
            self.time = nn.ModuleList(
                nn.Conv1d(width, width, 5, padding=2 * gap, dilation=gap) for gap in (1, 2, 4, 8, 16)
            )
            self.leave = nn.Conv1d(width, len(KINDS), 1)
            # Most moments show nothing.
            nn.init.constant_(self.leave.bias, -2.5)  # type: ignore[arg-type]

    def forward(self, maps: Tensor, extras: Tensor) -> Tensor:
        """Map ``(N, T, 7, 16, 16)`` and ``(N, T, 15)`` to logits ``(N, T, 2)``."""
        n, t = maps.shape[:2]
        features = self.face(maps.reshape(n * t, *maps.shape[2:])).reshape(n, t, -1)
        x = self.enter(torch.cat([self.drop(features), extras], dim=2).transpose(1, 2))
        for layer in self.time:
            x = x + torch.relu(layer(x))
        out: Tensor = self.leave(x).transpose(1, 2)
        return out
