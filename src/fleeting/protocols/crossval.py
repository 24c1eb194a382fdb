"""A protocol in the shape that scikit-learn expects of a cross-validator."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from fleeting.errors import UsageError
from fleeting.protocols.guard import folds_of

if TYPE_CHECKING:
    from fleeting.protocols.base import Protocol
    from fleeting.protocols.fold import IndexArray

__all__ = ["ProtocolSplitter"]


class ProtocolSplitter:
    """Cross-validator around a protocol: ``cross_val_score(estimator, X, y, groups=subjects, cv=splitter)``.

    Parameters
    ----------
    protocol : Protocol
        The rule to follow; each fold passes the guard of :func:`~fleeting.protocols.folds_of`.

    Examples
    --------
    >>> from fleeting.protocols import create_protocol
    >>> splitter = create_protocol("subject-kfold", folds=2).as_sklearn()
    >>> X = np.zeros((8, 3))
    >>> y = ["yes", "no"] * 4
    >>> subjects = ["a", "a", "b", "b", "c", "c", "d", "d"]
    >>> [len(test) for _, test in splitter.split(X, y, subjects)]
    [4, 4]
    """

    def __init__(self, protocol: Protocol) -> None:
        self.protocol = protocol

    def __repr__(self) -> str:
        return f"ProtocolSplitter({self.protocol!r})"

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Give the number of folds; the arguments are as for :meth:`split` and only read where the folds depend on them.

        Leave-one-subject-out has as many folds as there are subjects; k-fold has k.
        """
        if X is None and y is None:
            folds = getattr(self.protocol, "folds", None) or getattr(self.protocol, "_repeats", None)
            if folds is None:
                raise UsageError(
                    f"the number of folds of protocol {self.protocol.name!r} depends on the samples; pass X, y and groups"
                )
            return int(folds)
        return self.protocol.n_folds(self._table(X, y, groups))

    def split(
        self, X: Any, y: npt.ArrayLike | None = None, groups: npt.ArrayLike | None = None
    ) -> Iterator[tuple[IndexArray, IndexArray]]:
        """Yield ``(train, test)`` row positions.

        Parameters
        ----------
        X : object
            The samples, or a clips table. Only its length is read where ``y`` is given.
        y : npt.ArrayLike or None, optional
            Label of each sample; may be left out where ``X`` is a clips table.
        groups : npt.ArrayLike or None, optional
            Subject of each sample: one name, or a pair (data set, subject) in two columns. Needed by
            subject-independent protocols.
        """
        for fold in folds_of(self.protocol, self._table(X, y, groups)):
            yield fold.train, fold.test

    def _table(self, X: Any, y: npt.ArrayLike | None, groups: npt.ArrayLike | None) -> pd.DataFrame:
        label = self.protocol.label
        if y is None:
            if isinstance(X, pd.DataFrame) and label in X.columns:
                return X
            raise UsageError(
                f"protocol {self.protocol.name!r} stratifies by class and needs the labels y "
                f"(or a clips table with the column {label!r} as X)"
            )
        labels = np.asarray(y)
        if labels.ndim != 1 or len(labels) != len(X):
            raise UsageError(f"y has the shape {labels.shape} for {len(X)} samples; expected one label per sample")
        table = pd.DataFrame({"dataset": "", "subject": "?", label: labels})
        if groups is not None:
            who = np.asarray(groups)
            if len(who) != len(labels) or who.ndim > 2 or (who.ndim == 2 and who.shape[1] != 2):
                raise UsageError(
                    f"groups has the shape {who.shape} for {len(labels)} samples; expected one subject per sample, "
                    "or two columns (data set, subject)"
                )
            table["subject"] = who if who.ndim == 1 else who[:, 1]
            if who.ndim == 2:
                table["dataset"] = who[:, 0]
        elif self.protocol.subject_independent:
            raise UsageError(
                f"protocol {self.protocol.name!r} keeps subjects apart and needs groups: the subject of each sample"
            )
        return table
