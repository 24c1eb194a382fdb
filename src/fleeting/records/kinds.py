"""Kinds of fields that several records have: names, counts, shares, seeds."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Annotated

from pydantic import AfterValidator, Field

__all__ = ["Amount", "Count", "Seed", "Share", "UnitKey"]


def _plain_name(name: str) -> str:
    if PurePosixPath(name).name != name or name in ("", ".", "..") or "\\" in name or not name.isprintable():
        raise ValueError("expected the name of a folder below units/")
    return name


#: Name of a unit and of its folder; never a path that leads elsewhere.
UnitKey = Annotated[str, Field(max_length=200), AfterValidator(_plain_name)]
#: Clips, epochs, pixels: more than anybody has, and small enough to reckon with.
Count = Annotated[int, Field(ge=0, le=10**8)]
#: A rate, a loss, a time: no number of 32 bits is larger.
Amount = Annotated[float, Field(ge=0, le=3.5e38)]
#: A random seed, as it fits into a column of 64-bit numbers.
Seed = Annotated[int, Field(ge=-(2**63), lt=2**63)]
#: A share from 0 to 1, but for the dust of rounding, or ``None`` where there is none.
Share = Annotated[float, Field(ge=-1e-6, le=1 + 1e-6)] | None
