"""Stratified k-fold: as the papers run it, and with each subject kept whole."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.model_selection import StratifiedKFold

from fleeting.errors import UsageError
from fleeting.protocols.balance import balanced_groups
from fleeting.protocols.base import Fold, IndexArray, Protocol
from fleeting.protocols.guard import class_labels, subject_codes
from fleeting.protocols.registry import register_protocol

__all__ = ["StratifiedKFoldProtocol", "SubjectKFoldProtocol"]


def _canonical_order(table: pd.DataFrame, label: str) -> IndexArray:
    """Row positions sorted by who and what a clip is, so that folds do not depend on the order of the "
    "rows."""
    columns = [name for name in ("dataset", "subject", "clip") if name in table.columns]
    keys = list(zip(*(table[name].astype(str) for name in [*columns, label])))
    return np.array(sorted(range(len(table)), key=lambda row: keys[row]), dtype=np.int64)


def _require_two_classes(protocol: Protocol, labels: npt.NDArray[np.str_]) -> tuple[list[str], IndexArray]:
    classes, counts = np.unique(labels, return_counts=True)
    if len(classes) < 2:
        raise UsageError(
            f"protocol {protocol.name!r} found one class only ({str(classes[0])!r}, {counts[0]} clips) in the "
            f"column "
            f"{protocol.label!r}; recognition needs at least two: check the label scheme and the data given"
        )
    return [str(name) for name in classes], counts.astype(np.int64)


def _folds(fold_of_row: IndexArray, n_folds: int) -> Iterator[Fold]:
    for index in range(n_folds):
        yield Fold(index, np.flatnonzero(fold_of_row != index), np.flatnonzero(fold_of_row == index))


@register_protocol
@dataclass(frozen=True)
class StratifiedKFoldProtocol(Protocol):
    """Stratified k-fold over clips, as published: each fold has the class shares of the whole.

    Clips of one person fall on both sides of a fold, so a network can score by knowing the face: the figures
    are those of Talluri et al. 2022 (sec. 8.2, k = 5) and are not an estimate for people it has not seen. The
    counterpart that keeps people apart is :class:`SubjectKFoldProtocol`.

    Raises
    ------
    UsageError
        On :meth:`split`, if there is one class only, or a class has fewer clips than there are folds.
    """

    name: ClassVar[str] = "stratified-kfold"
    subject_independent: ClassVar[bool] = False

    def split(self, table: pd.DataFrame) -> Iterator[Fold]:
        """Yield the folds of ``table``; each clip is tested once."""
        labels = class_labels(table, self.label)
        classes, counts = _require_two_classes(self, labels)
        if counts.min() < self.folds:
            smallest = classes[int(counts.argmin())]
            raise UsageError(
                f"protocol {self.name!r} was asked for {self.folds} folds, but class {smallest!r} has only "
                f"{counts.min()} clip{'s' * int(counts.min() > 1)}, so some folds could not test it; "
                f"{_possible(int(counts.min()))}"
            )
        order = _canonical_order(table, self.label)
        splitter = StratifiedKFold(self.folds, shuffle=True, random_state=self.seed)
        fold_of_row = np.empty(len(table), dtype=np.int64)
        for index, (_, test) in enumerate(splitter.split(order, labels[order])):
            fold_of_row[order[test]] = index
        yield from _folds(fold_of_row, self.folds)


@register_protocol
@dataclass(frozen=True)
class SubjectKFoldProtocol(Protocol):
    """Stratified k-fold over people: no subject is ever on both sides of a fold.

    A subject is a pair (data set, subject). Whole subjects are dealt to folds such that each fold comes as
    close as it can to the class shares of the whole, tests every class where enough subjects show it, and
    trains on every class; see :func:`~fleeting.protocols.balance.balanced_groups`.

    Raises
    ------
    UsageError
        On :meth:`split`, if there is one class only, there are fewer subjects than folds, or one subject
        alone shows a class (the fold which tests that subject could not learn it), or no way of dealing subjects
        leaves every class in every training side.
    """

    name: ClassVar[str] = "subject-kfold"
    subject_independent: ClassVar[bool] = True

    def split(self, table: pd.DataFrame) -> Iterator[Fold]:
        """Yield the folds of ``table``; each clip is tested once, together with all others of its subject."""
        labels = class_labels(table, self.label)
        classes, _ = _require_two_classes(self, labels)
        subjects, names = subject_codes(table)
        if len(names) < self.folds:
            raise UsageError(
                f"protocol {self.name!r} was asked for {self.folds} folds, but the table has only "
                f"{len(names)} "
                f"subject{'s' * (len(names) > 1)} ({len(table)} clips); {_possible(len(names))}"
            )
        counts = np.zeros((len(names), len(classes)), dtype=np.int64)
        np.add.at(counts, (subjects, np.searchsorted(classes, labels)), 1)
        shown_by = (counts > 0).sum(axis=0)
        if shown_by.min() < 2:
            rare = int(shown_by.argmin())
            only = names[int(np.flatnonzero(counts[:, rare])[0])]
            raise UsageError(
                f"protocol {self.name!r} found class {classes[rare]!r} in one subject only ({only}), so "
                f"the fold that tests "
                "this subject could not learn it; leave the class out, merge it with another, or use "
                "'stratified-kfold'"
            )
        fold_of_subject = balanced_groups(counts, self.folds, self.seed)
        for index in range(self.folds):
            untaught = np.flatnonzero(counts[fold_of_subject != index].sum(axis=0) == 0)
            if untaught.size:
                raise UsageError(
                    f"protocol {self.name!r} found no way to deal {len(names)} subjects to {self.folds} folds in "
                    f"which every training side shows class {classes[int(untaught[0])]!r} (it occurs in "
                    f"{shown_by[untaught[0]]} subjects); ask for more folds or leave the class out"
                )
        yield from _folds(fold_of_subject[subjects], self.folds)


def _possible(largest: int) -> str:
    if largest < 2:
        return "no number of folds would do: add data"
    return f"ask for folds={largest} or fewer" if largest > 2 else "ask for folds=2"
