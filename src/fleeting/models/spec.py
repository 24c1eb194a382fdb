"""The description of a network: enough to build it again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from operator import index
from typing import Any, SupportsIndex

import torch

from fleeting.errors import UsageError

__all__ = ["InputShape", "ModelSpec", "check_seed", "count_parameters"]

#: What a generator of PyTorch takes, and a column of 64-bit numbers holds.
LARGEST_SEED = 2**63 - 1


@dataclass(frozen=True)
class InputShape:
    """Sizes that a network is built for. It takes ``float32`` ``(N, in_channels, n_frames, height, width)``.

    Parameters
    ----------
    n_classes : int
        Logits that come out, at least 2.
    n_frames : int
        Frames that go in. With motion as the difference from the onset frame, the frames after the subtraction.
    height, width : int
        Pixels.
    in_channels : int, optional
        1 for grey, 3 for RGB.

    Raises
    ------
    UsageError
        If a size is not a whole number or is too small for any network.
    """

    n_classes: int
    n_frames: int
    height: int
    width: int
    in_channels: int = 1

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            least = 2 if name == "n_classes" else 1
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise UsageError(f"{name}: found {value!r}; expected a whole number of at least {least}")

    @property
    def input(self) -> tuple[int, int, int, int]:
        """``(C, T, H, W)`` of one sample."""
        return self.in_channels, self.n_frames, self.height, self.width


@dataclass(frozen=True)
class ModelSpec:
    """Name, sizes and options of a network, which can go through JSON and back.

    >>> spec = ModelSpec("model_a", InputShape(3, 36, 128, 128), {"dropout": 0.4})
    >>> ModelSpec.from_dict(spec.to_dict()) == spec
    True
    """

    name: str
    shape: InputShape
    options: dict[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Give ``{"name": ..., "shape": {...}, "options": {...}}``, of plain types only."""
        return {"name": self.name, "shape": asdict(self.shape), "options": dict(self.options)}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> ModelSpec:
        """Build the description from what :meth:`to_dict` gave.

        Raises
        ------
        UsageError
            If the content is not one that :meth:`to_dict` makes.
        """
        try:
            return cls(str(content["name"]), InputShape(**content["shape"]), dict(content.get("options", {})))
        except (KeyError, TypeError, ValueError) as exc:
            raise UsageError(
                f"not the description of a model ({type(exc).__name__}: {exc}); expected name, shape and options"
            ) from exc


def check_seed(seed: object) -> int:
    """Check a random seed where it comes in.

    Returns
    -------
    int
        The seed.

    Raises
    ------
    UsageError
        If it is not a whole number, or not from 0 to 2**63 - 1.
    """
    if isinstance(seed, bool) or not isinstance(seed, SupportsIndex) or not 0 <= (value := index(seed)) <= LARGEST_SEED:
        # Python prints no number of thousands of digits.
        shown = "a number of too many digits" if isinstance(seed, int) and abs(seed) > 10**40 else repr(seed)
        raise UsageError(f"seed: found {shown}; expected a whole number of at least 0 and at most 2**63 - 1")
    return value


def count_parameters(model: torch.nn.Module) -> int:
    """Count the trainable parameters of a network.

    >>> count_parameters(torch.nn.Linear(3, 2))
    8
    """
    return sum(p.numel() for p in model.parameters() if p.requires_grad)
