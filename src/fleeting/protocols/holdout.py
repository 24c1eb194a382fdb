"""Hold-out: one split, or several that are drawn independently; stratified over clips, or over whole subjects."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from numbers import Real
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from fleeting.errors import UsageError
from fleeting.protocols.base import Fold, IndexArray, Protocol
from fleeting.protocols.guard import canonical_order, class_counts, class_labels, subject_codes
from fleeting.protocols.registry import register_protocol

__all__ = [
    "HoldoutProtocol",
    "RepeatedHoldoutProtocol",
    "RepeatedSubjectHoldoutProtocol",
    "SubjectHoldoutProtocol",
]

# Random choices of subjects, of which the one with the evenest class shares is taken.
_DRAWS = 300


def held_out_counts(counts: IndexArray, test_size: float) -> IndexArray:
    """Count the clips of each class that a stratified hold-out tests.

    The test side has ``test_size`` of all clips, rounded to the nearest whole number; it is shared out among the
    classes by largest remainders. Every class keeps at least one clip on each side. On SMIC's 70 / 51 / 43 clips a
    fifth is 14 / 10 / 9, as in Irawan et al., table I.

    Parameters
    ----------
    counts : IndexArray
        Clips of each class, at least 2 of each.
    test_size : float
        Share of the clips that are tested, between 0 and 1.

    Returns
    -------
    IndexArray
        int64 array of the shape of ``counts``.

    Examples
    --------
    >>> held_out_counts(np.array([70, 51, 43]), 0.2)
    array([14, 10,  9])
    """
    counts = np.asarray(counts, dtype=np.int64)
    total = int(counts.sum())
    wanted = min(max(round(total * test_size), len(counts)), total - len(counts))
    exact = counts * (wanted / total)
    found: IndexArray = np.clip(np.floor(exact).astype(np.int64), 1, counts - 1)
    while (short := wanted - int(found.sum())) != 0:
        step = 1 if short > 0 else -1
        possible = found < counts - 1 if step > 0 else found > 1
        remainder = np.where(possible, step * (exact - found), -np.inf)
        found[int(remainder.argmax())] += step
    return found


@dataclass(frozen=True)
class _Holdout(Protocol):
    """Base of the hold-outs.

    Parameters
    ----------
    test_size : float, optional
        Share of the clips that are tested, between 0 and 1.
    """

    tests_every_clip_once: ClassVar[bool] = False
    noun: ClassVar[str] = "split"

    test_size: float = 0.2

    def __post_init__(self) -> None:
        super().__post_init__()
        size = self.test_size
        if isinstance(size, bool) or not isinstance(size, Real) or not 0 < size < 1:
            raise UsageError(
                f"protocol {self.name!r} was given test_size={size!r}; it needs a share between 0 and 1, usually 0.2"
            )
        object.__setattr__(self, "test_size", float(size))

    @property
    def _repeats(self) -> int:
        return 1

    def n_folds(self, table: pd.DataFrame) -> int:
        """Give the number of splits."""
        return self._repeats

    def sentence(self) -> str:
        """Say how many splits, of which size, and who is on both sides."""
        size = f"{100 * self.test_size:g} %"
        whom = "no person in training and test" if self.subject_independent else "people mixed"
        if self._repeats == 1:
            return f"one split, {size} of the clips held out, {whom}"
        return f"{self._repeats} independent random splits, {size} of the clips held out in each, {whom}"


@dataclass(frozen=True)
class _ClipHoldout(_Holdout):
    subject_independent: ClassVar[bool] = False

    def split(self, table: pd.DataFrame) -> Iterator[Fold]:
        """Yield the splits of ``table``, stratified by class."""
        labels = class_labels(table, self.label)
        classes, counts = class_counts(self, labels)
        if counts.min() < 2:
            raise UsageError(
                f"protocol {self.name!r} found a single clip of class {classes[int(counts.argmin())]!r}; each side "
                "needs at least one: leave the class out, or merge it with another"
            )
        order = canonical_order(table, self.label)
        sizes = held_out_counts(counts, self.test_size)
        for repeat in range(self._repeats):
            rng = np.random.default_rng([self.seed, repeat])
            test = [
                rng.permutation(order[labels[order] == name])[:size] for name, size in zip(classes, sizes, strict=True)
            ]
            yield _fold(repeat, np.concatenate(test), len(table))


@register_protocol("holdout")
@dataclass(frozen=True)
class HoldoutProtocol(_ClipHoldout):
    """One stratified hold-out over clips, drawn once: Irawan et al. train on 131 clips of SMIC and test 33 (table I).

    Clips of one person fall on both sides, and a single small test side says little: on 33 clips an accuracy is known
    to about 15 points either way. The counterpart that keeps people apart is :class:`SubjectHoldoutProtocol`.

    Raises
    ------
    UsageError
        On :meth:`split`, if there is one class only, or a class has a single clip.
    """


@register_protocol("repeated-holdout")
@dataclass(frozen=True)
class RepeatedHoldoutProtocol(_ClipHoldout):
    """Several independent stratified hold-outs: the five random 80/20 splits of Talluri et al. 2022, figure 4.

    The splits differ in their draw only, so their spread shows what the luck of one split is worth. The first one is
    that of ``holdout`` with the same seed.

    Parameters
    ----------
    repeats : int, optional
        Number of splits.
    """

    repeats: int = 5

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require_whole("repeats", 1, usual=", usually 5")

    @property
    def _repeats(self) -> int:
        return self.repeats


@dataclass(frozen=True)
class _PeopleHoldout(_Holdout):
    subject_independent: ClassVar[bool] = True

    def split(self, table: pd.DataFrame) -> Iterator[Fold]:
        """Yield the splits of ``table``, whole subjects held out."""
        labels = class_labels(table, self.label)
        classes, _ = class_counts(self, labels)
        subjects, names = subject_codes(table)
        counts = np.zeros((len(names), len(classes)), dtype=np.int64)
        np.add.at(counts, (subjects, np.searchsorted(classes, labels)), 1)
        shown_by = (counts > 0).sum(axis=0)
        if len(names) < 2 or shown_by.min() < 2:
            rare = int(shown_by.argmin())
            only = names[int(np.flatnonzero(counts[:, rare])[0])]
            raise UsageError(
                f"protocol {self.name!r} found class {classes[rare]!r} in one subject only ({only}), so it cannot be "
                "both learnt and tested; leave the class out, merge it with another, or use 'holdout'"
            )
        taken: set[bytes] = set()
        for repeat in range(self._repeats):
            held_out = _choose(counts, self.test_size, np.random.default_rng([self.seed, repeat]), taken)
            if held_out is None:
                what = "no way" if not taken else f"only {len(taken)} different ways"
                raise UsageError(
                    f"protocol {self.name!r} found {what} to hold out about {100 * self.test_size:g} % of the clips of "
                    f"{len(names)} subjects such that every class is left to learn from; ask for fewer repeats or "
                    "another test_size, or leave a rare class out"
                )
            taken.add(held_out.tobytes())
            yield _fold(repeat, np.flatnonzero(held_out[subjects]), len(table))


@register_protocol("subject-holdout")
@dataclass(frozen=True)
class SubjectHoldoutProtocol(_PeopleHoldout):
    """One hold-out of whole subjects, with a test side as near to ``test_size`` and to even class shares as they allow.

    Raises
    ------
    UsageError
        On :meth:`split`, if there is one class only, one subject alone shows a class, or no choice of subjects leaves
        every class in training.
    """


@register_protocol("repeated-subject-holdout")
@dataclass(frozen=True)
class RepeatedSubjectHoldoutProtocol(_PeopleHoldout):
    """Several hold-outs of whole subjects, no two of the same people.

    Parameters
    ----------
    repeats : int, optional
        Number of splits.
    """

    repeats: int = 5

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require_whole("repeats", 1, usual=", usually 5")

    @property
    def _repeats(self) -> int:
        return self.repeats


def _fold(index: int, test: IndexArray, n_rows: int) -> Fold:
    inside = np.zeros(n_rows, dtype=bool)
    inside[test] = True
    return Fold(index, np.flatnonzero(~inside), np.flatnonzero(inside))


def _choose(
    counts: npt.NDArray[np.int64], test_size: float, rng: np.random.Generator, taken: set[bytes]
) -> npt.NDArray[np.bool_] | None:
    """The subjects to hold out: the evenest of many random choices, or ``None`` if none will do."""
    total = counts.sum(axis=0)
    clips = counts.sum(axis=1)
    wanted = total * test_size
    best, least = None, math.inf
    for _ in range(_DRAWS):
        order = rng.permutation(len(counts))
        size = clips[order].cumsum()[:-1]
        mask = np.zeros(len(counts), dtype=bool)
        mask[order[: int(np.abs(size - wanted.sum()).argmin()) + 1]] = True
        found = counts[mask].sum(axis=0)
        if (found == total).any() or mask.tobytes() in taken:
            continue
        cost = float(((found - wanted) ** 2 / wanted).sum() + (found.sum() - wanted.sum()) ** 2 / wanted.sum())
        cost += 1e4 * int((found == 0).sum())
        if cost < least:
            best, least = mask, cost
    return best
