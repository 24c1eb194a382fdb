"""What a protocol is: a rule that turns a clips table into folds."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from numbers import Integral
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

import numpy as np
import numpy.typing as npt

from fleeting.errors import UsageError

if TYPE_CHECKING:
    import pandas as pd

    from fleeting.protocols.crossval import ProtocolSplitter

__all__ = ["Fold", "IndexArray", "Protocol"]

IndexArray: TypeAlias = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Fold:
    """One train/test split: row positions (not index labels) in the clips table.

    Parameters
    ----------
    index : 0-based number of the fold.
    train, test : int64 arrays of row positions, ascending.
    """

    index: int
    train: IndexArray
    test: IndexArray


@dataclass(frozen=True)
class Protocol(ABC):
    """Base of all protocols: a named, seeded rule that splits a clips table.

    A subclass sets the class attributes and writes :meth:`split`;
    :func:`~fleeting.protocols.register_protocol` makes it known by name. Callers go through
    :func:`~fleeting.protocols.folds_of`, which checks each fold that a protocol yields against what the
    protocol promises.

    Parameters
    ----------
    folds : number of folds, at least 2.
    seed : seed of every random choice, from 0 to 2**32 - 1. Same table, same seed, same folds, whatever the
        order of the rows.
    label : column of the table that holds the class.

    Attributes
    ----------
    name : name in the registry.
    subject_independent : whether no subject is ever on both sides of a fold.
    tests_every_clip_once : whether the test sides of all folds together are the table, each clip once.
    """

    name: ClassVar[str]
    subject_independent: ClassVar[bool]
    tests_every_clip_once: ClassVar[bool] = True

    folds: int = 5
    seed: int = 0
    label: str = "emotion"

    def __post_init__(self) -> None:
        if isinstance(self.folds, bool) or not isinstance(self.folds, Integral) or self.folds < 2:
            raise UsageError(
                f"protocol {self.name!r} was asked for folds={self.folds!r}; "
                "it needs a whole number of at least 2, usually 5"
            )
        if isinstance(self.seed, bool) or not isinstance(self.seed, Integral) or not 0 <= self.seed < 2**32:
            raise UsageError(
                f"protocol {self.name!r} was given seed={self.seed!r}; it needs a whole number from 0 to 4294967295"
            )
        object.__setattr__(self, "folds", int(self.folds))
        object.__setattr__(self, "seed", int(self.seed))

    @abstractmethod
    def split(self, table: pd.DataFrame) -> Iterator[Fold]:
        """Yield the folds of ``table`` (columns ``dataset, subject, clip`` and the label column)."""

    def describe(self) -> dict[str, Any]:
        """What a run folder stores about the protocol: ``name, folds, seed, subject_independent``."""
        return {
            "name": self.name,
            "folds": self.folds,
            "seed": self.seed,
            "subject_independent": self.subject_independent,
        }

    def as_sklearn(self) -> ProtocolSplitter:
        """Give the same rule as a scikit-learn cross-validator, for ``cross_val_score(..., cv=...)``."""
        from fleeting.protocols.crossval import ProtocolSplitter

        return ProtocolSplitter(self)
