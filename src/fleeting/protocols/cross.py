"""Across data sets: train on one, test on another."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pandas as pd

from fleeting.errors import UsageError
from fleeting.protocols.base import Fold, Protocol
from fleeting.protocols.guard import class_labels, require_columns
from fleeting.protocols.kfold import StratifiedKFoldProtocol, SubjectKFoldProtocol
from fleeting.protocols.registry import register_protocol

__all__ = ["CrossDatasetProtocol", "CrossDatasetSubjectProtocol"]


@register_protocol("cross-dataset")
@dataclass(frozen=True)
class CrossDatasetProtocol(Protocol):
    """Train on each fold's share of the source, test on the whole target: Talluri et al. 2022, sec. 8.2, table 4.

    With five folds, each of five networks learns from 4/5 of the source, and all are tested on every clip of the
    target; the paper averages the five. The source's folds are those of ``stratified-kfold`` with the same seed on the
    source alone, so that a network which was trained for one target serves all others.

    No person is in training and test, whatever the folds. ``cross-dataset-subject`` deals the source by whole people,
    which makes the five networks differ more.

    Parameters
    ----------
    source, target : str or tuple of str, optional
        Names of data sets as they stand in the table, joined by ``+`` or as a sequence. The target is all others if it
        is empty.
    folds : int, optional
        Folds of the source; 1 trains once on all of it.

    Raises
    ------
    UsageError
        On :meth:`split`, if a named data set is not in the table, source and target overlap, or the source cannot be
        dealt to the folds.
    """

    subject_independent: ClassVar[bool] = True
    tests_every_clip_once: ClassVar[bool] = False
    _within: ClassVar[type[StratifiedKFoldProtocol] | type[SubjectKFoldProtocol]] = StratifiedKFoldProtocol

    source: str | tuple[str, ...] = ()
    target: str | tuple[str, ...] = ()
    folds: int = 5

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require_whole("folds", 1, usual=", usually 5")
        for side in ("source", "target"):
            value = getattr(self, side)
            names = value.split("+") if isinstance(value, str) else [str(name) for name in value]
            object.__setattr__(self, side, tuple(name.strip() for name in names if name.strip()))
        both = [name for name in self.source if name in self.target]
        if not self.source or both:
            found = "no source" if not both else f"{', '.join(both)} as source and as target"
            raise UsageError(
                f"protocol {self.name!r} was given {found}; it needs a source to train on and other data sets to test, "
                "as in cross-dataset,source=casme2+smic,target=samm"
            )

    def n_folds(self, table: pd.DataFrame) -> int:
        """Give ``folds``."""
        return self.folds

    def split(self, table: pd.DataFrame) -> Iterator[Fold]:
        """Yield the folds of ``table``; each tests the whole target."""
        require_columns(table, ["dataset"])
        class_labels(table, self.label)
        datasets = table["dataset"].astype(str).to_numpy()
        present = sorted(set(datasets.tolist()))
        target = self.target or tuple(name for name in present if name not in self.source)
        absent = [name for name in (*self.source, *target) if name not in present]
        if absent or not target:
            what = f"{', '.join(absent)} not among them" if absent else "nothing but the source"
            raise UsageError(
                f"protocol {self.name!r} found the data sets {', '.join(present)}, and {what}; give the source and the "
                "target with --data, and call them what the table calls them"
            )
        source_rows = np.flatnonzero(np.isin(datasets, self.source))
        test = np.flatnonzero(np.isin(datasets, target))
        if self.folds == 1:
            yield Fold(0, source_rows, test)
            return
        rule = self._within(folds=self.folds, seed=self.seed, label=self.label)
        for fold in rule.split(table.iloc[source_rows].reset_index(drop=True)):
            yield Fold(fold.index, source_rows[fold.train], test)

    def sentence(self) -> str:
        """Say what is trained on what, and tested on what."""
        source = " and ".join(self.source)
        target = f"all of {' and '.join(self.target)}" if self.target else "all other data sets"
        if self.folds == 1:
            return f"trained on {source}, tested on {target}"
        share = f"{self.folds - 1}/{self.folds} of {source}"
        return f"trained {self.folds} times on {share}, each time tested on {target}"


@register_protocol("cross-dataset-subject")
@dataclass(frozen=True)
class CrossDatasetSubjectProtocol(CrossDatasetProtocol):
    """Cross-data-set test like :class:`CrossDatasetProtocol`, with the source dealt to its folds by whole subjects."""

    _within: ClassVar[type[StratifiedKFoldProtocol] | type[SubjectKFoldProtocol]] = SubjectKFoldProtocol

    def sentence(self) -> str:
        """Say what is trained on what, and tested on what."""
        return super().sentence() + ("" if self.folds == 1 else "; the source is dealt by whole people")
