"""The folds of Talluri et al. 2022, sec. 8.2: train on 4/5 of a source, test on its other fifth and on every other set.

A cross-data-set scenario of the paper trains on a fold of the source and tests on the whole target, five results
averaged. So each (model, source, fold) is trained once and tested on all that any scenario needs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from fleeting.errors import UsageError
from fleeting.protocols.base import Fold, Protocol
from fleeting.protocols.registry import create_protocol, register_protocol

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class _SourceFolds(Protocol):
    """Folds of a source, each tested on its rest and on all clips of other data sets.

    Parameters
    ----------
    folds : int, optional
        Folds of the source.
    source : str, optional
        Data sets joined by ``+``, such as ``"casme2+smic"``.
    """

    tests_every_clip_once: ClassVar[bool] = False
    within: ClassVar[str]

    folds: int = 5
    source: str = ""

    def sentence(self) -> str:
        """Say what is trained on and what is tested."""
        people = "no person of it in training and test" if self.subject_independent else "its people mixed"
        return (
            f"{self.folds} folds of {self.source.replace('+', ' and ')}, {people}; each fold is tested on its rest and on "
            "all other sets"
        )

    def split(self, table: pd.DataFrame) -> Iterator[Fold]:
        """Yield the folds; row positions of the whole table."""
        names = [name for name in self.source.split("+") if name]
        found = sorted(set(table["dataset"].astype(str)))
        absent = [name for name in names if name not in found]
        if absent or not names:
            raise UsageError(
                f"protocol {self.name}: source {self.source!r}; expected data sets joined by +, of: {', '.join(found)}"
            )
        inside = table["dataset"].astype(str).isin(names).to_numpy()
        where, others = np.flatnonzero(inside), np.flatnonzero(~inside)
        rule = create_protocol(self.within, folds=self.folds, seed=self.seed, label=self.label)
        for fold in rule.split(table[inside].reset_index(drop=True)):
            yield Fold(fold.index, where[fold.train], np.sort(np.concatenate([where[fold.test], others])))


@register_protocol("source-folds")
@dataclass(frozen=True)
class SourceFolds(_SourceFolds):
    """Folds as published: the source's folds mix subjects."""

    within: ClassVar[str] = "stratified-kfold"
    subject_independent: ClassVar[bool] = False


@register_protocol("subject-source-folds")
@dataclass(frozen=True)
class SubjectSourceFolds(_SourceFolds):
    """Folds of the source with each of its subjects on one side."""

    within: ClassVar[str] = "subject-kfold"
    subject_independent: ClassVar[bool] = True
