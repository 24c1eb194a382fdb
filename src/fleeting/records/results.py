"""The figures of a run: ``summary.json`` and ``results.csv``."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BeforeValidator, Field

from fleeting.records.base import Record
from fleeting.records.kinds import Count, Seed, Share
from fleeting.records.open import WasDict
from fleeting.records.tables import Row, write_table

__all__ = ["ChallengeLog", "MeanScores", "Notice", "PooledScores", "ResultRow", "Scores", "Summary"]


class Scores(WasDict):
    """Figures of one set of answers, with the ends of their 95 % intervals over subjects.

    Attributes
    ----------
    n : int
        Answers.
    n_clips, n_subjects, n_folds : int or None
        Different clips, people and folds among them.
    uf1, uar, accuracy : float or None
        The figures, pooled over folds; ``_low`` and ``_high`` are the ends of the interval, ``_fold_mean`` the mean of the
        folds' own figures.
    """

    n: Count = 0
    n_clips: Count | None = None
    n_subjects: Count | None = None
    n_folds: Count | None = None
    uf1: Share = None
    uf1_low: Share = None
    uf1_high: Share = None
    uf1_fold_mean: Share = None
    uar: Share = None
    uar_low: Share = None
    uar_high: Share = None
    uar_fold_mean: Share = None
    accuracy: Share = None
    accuracy_low: Share = None
    accuracy_high: Share = None
    accuracy_fold_mean: Share = None


class PooledScores(Scores):
    """Figures of all answers of a run together.

    Attributes
    ----------
    majority_accuracy, majority_class : float or None and str
        Accuracy of always answering the training side's commonest class, and that class.
    confusion : tuple of tuple of int
        Answers by label (row) and answer (column), in the order of the classes.
    by_dataset : dict of str to Scores
        The figures of each data set.
    """

    majority_accuracy: Share = None
    majority_class: str = ""
    confusion: tuple[tuple[Count, ...], ...] = ()
    by_dataset: dict[str, Scores] = Field(default_factory=dict)


class MeanScores(WasDict):
    """Plain means of the folds' figures."""

    accuracy: Share = None
    uf1: Share = None
    uar: Share = None
    majority_accuracy: Share = None


class ChallengeLog(WasDict):
    """The file that holds the challenge's log, or why there is none."""

    file: str | None = None
    why: str = ""


class Notice(Record):
    """A sentence for the reader of the report, and its kind: ``"collapsed"`` for a training that stopped learning."""

    kind: str
    text: str


class Summary(WasDict):
    """The figures of a run, ``summary.json``.

    Attributes
    ----------
    partial : bool
        If True, units are missing.
    expected, finished : int
        All units; those that are scored.
    missing : tuple of str
        Keys of the others.
    classes : tuple of str
        Classes in order.
    pooled, mean : PooledScores and MeanScores
        Figures of all answers together; means of the folds.
    collapsed : int
        Units that stopped learning.
    warnings, warning_kinds : tuple of str
        Sentences and their kinds; :attr:`notices` has them together.
    challenge_log : ChallengeLog
        The file of the challenge's log, or why there is none.
    """

    remedy: ClassVar[str] = "score the run again with `fleeting report RUN`"

    partial: bool = False
    expected: Count = 0
    finished: Count | None = None
    missing: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    pooled: PooledScores = Field(default_factory=PooledScores)
    mean: MeanScores = Field(default_factory=MeanScores)
    collapsed: Count = 0
    warnings: tuple[str, ...] = ()
    warning_kinds: tuple[str, ...] = ()
    challenge_log: ChallengeLog = Field(default_factory=ChallengeLog)

    @property
    def notices(self) -> list[Notice]:
        """The warnings with their kinds; earlier versions wrote no kind, and warned of collapsed trainings only."""
        kinds = (*self.warning_kinds, *["collapsed"] * len(self.warnings))
        return [Notice(kind=kind, text=text) for kind, text in zip(kinds, self.warnings)]


def _count_of(cell: Any) -> Any:
    """A fold's cell says whether it collapsed, that of all folds how many did."""
    return {"True": 1, "False": 0}.get(cell, cell) if isinstance(cell, str) else cell


class ResultRow(Row):
    """A row of ``results.csv``: a fold with a seed, the mean of all, or all answers pooled.

    Attributes
    ----------
    scope : {"fold", "mean", "pooled"}
        Answers that the figures are of.
    fold, seed : int or None
        Number of the fold, from 0, and the seed; of a fold only.
    n : int or None
        Answers.
    accuracy, uf1, uar : float or None
        The figures; ``_low`` and ``_high`` are the ends of the interval.
    majority_accuracy, majority_class : float or None and str
        Accuracy of always answering the training side's commonest class, and that class.
    collapsed : int
        Trainings that stopped learning.
    """

    remedy: ClassVar[str] = "score the run again with `fleeting report RUN`"

    scope: Literal["fold", "mean", "pooled"]
    fold: Count | None = None
    seed: Seed | None = None
    n: Count | None = None
    accuracy: Share
    accuracy_low: Share = None
    accuracy_high: Share = None
    uf1: Share = None
    uf1_low: Share = None
    uf1_high: Share = None
    uar: Share = None
    uar_low: Share = None
    uar_high: Share = None
    majority_accuracy: Share = None
    majority_class: str = ""
    collapsed: Annotated[Count, BeforeValidator(_count_of)] = 0

    @classmethod
    def write_all(cls, path: str | os.PathLike[str], rows: Sequence[Self]) -> None:
        """Write the table.

        Raises
        ------
        FleetingError
            If the file cannot be written.
        """
        # A fold's own cell says "True" or "False", as readers of earlier versions expect.
        shown = [[bool(row.collapsed) if row.scope == "fold" else row.collapsed] for row in rows]
        cells = [[*row.model_dump(exclude={"collapsed"}).values(), *last] for row, last in zip(rows, shown)]
        write_table(path, list(cls.model_fields), cells)
