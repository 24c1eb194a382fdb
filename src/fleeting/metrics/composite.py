"""The figures of a composite: over all clips and for each data set, as the challenges print them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from fleeting.metrics.bootstrap import check_predictions
from fleeting.metrics.scores import METRICS, confusion_matrix
from fleeting.metrics.summary import score_all

__all__ = ["COMPOSITE_COLUMNS", "composite_scores", "fold_means"]

_ORDER = ("uf1", "uar", "accuracy")
COMPOSITE_COLUMNS = [
    "scope",
    "dataset",
    "n_answers",
    "n_clips",
    "n_subjects",
    "n_folds",
    *(f"{metric}{part}" for metric in _ORDER for part in ("", "_low", "_high", "_fold_mean")),
]
"""Columns of :func:`composite_scores`, and of a run's ``by_dataset.csv``."""


def fold_means(table: pd.DataFrame, classes: Sequence[str] | None = None) -> dict[str, float]:
    """Give the plain means of the folds' own scores, which are *not* the challenge's figures.

    F1 and recall are ratios: averaging them over folds of one person, most of which show one or two classes, weighs a
    person with one clip like one with thirty, and leaves out the classes that a fold lacks. Such means can lie far from
    the pooled figures and cannot be compared with them; some papers print them nevertheless.

    Parameters
    ----------
    table : pandas.DataFrame
        Predictions, with the columns ``label, prediction``, ``fold`` and, where there are several, ``seed``.
    classes : sequence of str or None, optional
        The classes of the task.

    Returns
    -------
    dict of str to float
        The fields ``uf1_fold_mean``, ``uar_fold_mean`` and ``accuracy_fold_mean``; NaN if the table has no folds.
    """
    by = [name for name in ("fold", "seed") if name in table.columns]
    if "fold" not in by:
        return {f"{name}_fold_mean": np.nan for name in _ORDER}
    if classes is None:
        classes = sorted({str(name) for column in ("label", "prediction") for name in table[column]})
    counts = np.stack(
        [
            confusion_matrix(part["label"].to_numpy(), part["prediction"].to_numpy(), classes)
            for _, part in table.groupby(by, sort=True)
        ]
    )
    return {f"{name}_fold_mean": float(METRICS[name](counts).mean()) for name in _ORDER}


def composite_scores(
    table: pd.DataFrame,
    classes: Sequence[str] | None = None,
    *,
    n: int = 2000,
    level: float = 0.95,
    seed: int = 0,
) -> pd.DataFrame:
    """Score all predictions pooled, and those of each data set pooled (MEGC 2019, CDE).

    A data set's figures are of its own clips: hits and misses are counted over all folds that test one of its people, then
    UF1 and UAR are computed once. The composite's figures are *not* the mean of the data sets'.

    Parameters
    ----------
    table : pandas.DataFrame
        Predictions, one row per answer, with the columns ``subject, label, prediction`` and, where there are several,
        ``dataset``; also ``clip``, ``fold`` and ``seed`` if it has them.
    classes : sequence of str or None, optional
        The classes of the task; a class that a data set neither shows nor is answered in it is left out there.
    n, level, seed : int, float and int, optional
        Resamples, probability and random seed of the bootstrap over subjects
        (:func:`~fleeting.metrics.bootstrap_interval`); for a data set, over its own subjects.

    Returns
    -------
    pandas.DataFrame
        Table with the columns :data:`COMPOSITE_COLUMNS`: a row of ``scope`` ``full``, then one of ``scope``
        ``dataset`` for each data set, sorted. ``<metric>_fold_mean`` are those of :func:`fold_means`; without folds
        they are NaN. ``n_answers`` exceeds ``n_clips`` where several seeds answered.

    Raises
    ------
    UsageError
        If the table lacks rows or columns.
    """
    check_predictions(table, ["subject"])
    if classes is None:
        classes = sorted({str(name) for column in ("label", "prediction") for name in table[column]})
    parts: list[tuple[str, str, pd.DataFrame]] = [("full", "", table)]
    if "dataset" in table.columns:
        parts += [("dataset", str(name), part) for name, part in table.groupby("dataset", sort=True)]
    rows: list[dict[str, Any]] = []
    for scope, dataset, part in parts:
        scores = score_all(part, classes, intervals=True, n=n, level=level, seed=seed)
        who = [name for name in ("dataset", "subject") if name in part.columns]
        clip = [*who, "clip"] if "clip" in part.columns else []
        rows.append(
            {
                "scope": scope,
                "dataset": dataset,
                "n_answers": scores.pop("n"),
                "n_clips": len(part[clip].drop_duplicates()) if clip else len(part),
                "n_subjects": len(part[who].drop_duplicates()),
                "n_folds": part["fold"].nunique() if "fold" in part.columns else 0,
                **scores,
                **fold_means(part, classes),
            }
        )
    return pd.DataFrame(rows).reindex(columns=COMPOSITE_COLUMNS)
