"""K-fold: stratified as the papers run it, with each subject kept whole, and one fold for each subject."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pandas as pd
from sklearn.model_selection import StratifiedKFold

from fleeting.errors import UsageError
from fleeting.protocols.balance import balanced_groups
from fleeting.protocols.base import Fold, IndexArray, Protocol
from fleeting.protocols.guard import canonical_order, class_counts, class_labels, subject_codes
from fleeting.protocols.registry import register_protocol

__all__ = ["KFoldProtocol", "LeaveOneSubjectOutProtocol", "StratifiedKFoldProtocol", "SubjectKFoldProtocol"]


def _folds(fold_of_row: IndexArray, n_folds: int) -> Iterator[Fold]:
    for index in range(n_folds):
        yield Fold(index, np.flatnonzero(fold_of_row != index), np.flatnonzero(fold_of_row == index))


@dataclass(frozen=True)
class KFoldProtocol(Protocol):
    """Base of the protocols that cut a table into k folds.

    Parameters
    ----------
    folds : int, optional
        Number of folds, at least 2.
    """

    folds: int = 5

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require_whole("folds", 2, usual=", usually 5")

    def n_folds(self, table: pd.DataFrame) -> int:
        """Give ``folds``."""
        return self.folds

    def sentence(self) -> str:
        """Say how many folds, and who is on both sides."""
        return f"{self.folds} folds, {'no person in training and test' if self.subject_independent else 'people mixed'}"


@register_protocol("stratified-kfold")
@dataclass(frozen=True)
class StratifiedKFoldProtocol(KFoldProtocol):
    """Stratified k-fold over clips, as published: each fold has the class shares of the whole.

    Clips of one person fall on both sides of a fold, so a network can score by knowing the face: the figures
    are those of Talluri et al. 2022 (sec. 8.2, k = 5) and are not an estimate for people it has not seen. The
    counterpart that keeps people apart is :class:`SubjectKFoldProtocol`.

    Raises
    ------
    UsageError
        On :meth:`split`, if there is one class only, or a class has fewer clips than there are folds.
    """

    subject_independent: ClassVar[bool] = False

    def split(self, table: pd.DataFrame) -> Iterator[Fold]:
        """Yield the folds of ``table``; each clip is tested once."""
        labels = class_labels(table, self.label)
        classes, counts = class_counts(self, labels)
        if counts.min() < self.folds:
            smallest = classes[int(counts.argmin())]
            raise UsageError(
                f"protocol {self.name!r} was asked for {self.folds} folds, but class {smallest!r} has only "
                f"{counts.min()} clip{'s' * int(counts.min() > 1)}, so some folds could not test it; "
                f"{_possible(int(counts.min()))}"
            )
        order = canonical_order(table, self.label)
        splitter = StratifiedKFold(self.folds, shuffle=True, random_state=self.seed)
        fold_of_row = np.empty(len(table), dtype=np.int64)
        for index, (_, test) in enumerate(splitter.split(order, labels[order])):
            fold_of_row[order[test]] = index
        yield from _folds(fold_of_row, self.folds)


@register_protocol("subject-kfold")
@dataclass(frozen=True)
class SubjectKFoldProtocol(KFoldProtocol):
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

    subject_independent: ClassVar[bool] = True

    def split(self, table: pd.DataFrame) -> Iterator[Fold]:
        """Yield the folds of ``table``; each clip is tested once, together with all others of its subject."""
        labels = class_labels(table, self.label)
        classes, _ = class_counts(self, labels)
        subjects, names = subject_codes(table)
        if len(names) < self.folds:
            raise UsageError(
                f"protocol {self.name!r} was asked for {self.folds} folds, but the table has only {len(names)} "
                f"subject{'s' * (len(names) > 1)} ({len(table)} clips); {_possible(len(names))}"
            )
        counts = np.zeros((len(names), len(classes)), dtype=np.int64)
        np.add.at(counts, (subjects, np.searchsorted(classes, labels)), 1)
        shown_by = (counts > 0).sum(axis=0)
        if shown_by.min() < 2:
            rare = int(shown_by.argmin())
            only = names[int(np.flatnonzero(counts[:, rare])[0])]
            raise UsageError(
                f"protocol {self.name!r} found class {classes[rare]!r} in one subject only ({only}), so the fold that "
                "tests this subject could not learn it; leave the class out, merge it with another, or use "
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


@register_protocol("loso")
@dataclass(frozen=True)
class LeaveOneSubjectOutProtocol(Protocol):
    """Leave one subject out (LOSO): each person is tested by a network that learnt from all others.

    The usual protocol of the field, and the one of the MEGC challenges. Nothing is drawn, so ``seed`` changes nothing.
    A class that one subject alone shows cannot be learnt in that subject's fold; as is usual, that is noted
    (:func:`~fleeting.protocols.split_notes`) and not refused.

    Raises
    ------
    UsageError
        On :meth:`split`, if there are fewer than two subjects or classes, or one training side shows one class only.
    """

    subject_independent: ClassVar[bool] = True
    tests_every_class: ClassVar[bool] = False

    def n_folds(self, table: pd.DataFrame) -> int:
        """Count the subjects."""
        return len(subject_codes(table)[1])

    def split(self, table: pd.DataFrame) -> Iterator[Fold]:
        """Yield a fold for each subject, in the order of data set and subject."""
        labels = class_labels(table, self.label)
        class_counts(self, labels)
        subjects, names = subject_codes(table)
        if len(names) < 2:
            raise UsageError(f"protocol {self.name!r} found one subject only ({names[0]}); it needs at least two")
        for index, fold in enumerate(_folds(subjects, len(names))):
            left = np.unique(labels[fold.train])
            if len(left) < 2:
                raise UsageError(
                    f"protocol {self.name!r}: without subject {names[index]} only the class {str(left[0])!r} is left to "
                    "learn from; leave the other classes out, or add data"
                )
            yield fold

    def sentence(self) -> str:
        """Say what a fold is."""
        return "leave one subject out: one fold per person, no person in training and test"
