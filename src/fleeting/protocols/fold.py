"""One train/test split of a clips table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

__all__ = ["Fold", "IndexArray"]

IndexArray: TypeAlias = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Fold:
    """One train/test split: row positions (not index labels) in the clips table.

    Parameters
    ----------
    index : int
        0-based number of the fold.
    train, test : IndexArray
        int64 arrays of row positions, ascending.
    """

    index: int
    train: IndexArray
    test: IndexArray
