"""All figures of a table of predictions at once, in the columns of ``results.csv``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from fleeting.metrics.bootstrap import bootstrap_interval, check_predictions
from fleeting.metrics.scores import METRICS, Labels, confusion_matrix, majority_accuracy

__all__ = ["score_all", "scores_by"]


def score_all(
    table: pd.DataFrame,
    classes: Sequence[str] | None = None,
    *,
    y_train: Labels | None = None,
    intervals: bool = False,
    n: int = 2000,
    level: float = 0.95,
    seed: int = 0,
) -> dict[str, Any]:
    """Score a table of predictions: accuracy, UF1, UAR, and what puts them in proportion.

    Parameters
    ----------
    table : pandas.DataFrame
        Predictions, one row per clip, with the columns ``label, prediction`` (for intervals also ``subject``).
    classes : sequence of str or None, optional
        The classes of the task, in order.
    y_train : Labels or None, optional
        Labels trained on; gives ``majority_class`` and ``majority_accuracy``.
    intervals : bool, optional
        If True, add ``<metric>_low`` and ``<metric>_high``; see :func:`~fleeting.metrics.bootstrap_interval` for
        ``n``, ``level`` and ``seed``.

    Returns
    -------
    dict of str to object
        Dict with ``n, accuracy, uf1, uar`` and, where asked for, intervals (NaN where they have no meaning) and
        majority.

    Examples
    --------
    >>> table = pd.DataFrame({"label": ["a", "a", "b", "b"], "prediction": ["a", "a", "b", "a"]})
    >>> score_all(table, y_train=["b", "b", "a"])["majority_accuracy"]
    0.5
    """
    check_predictions(table, ["subject"] if intervals else [])
    counts = confusion_matrix(table["label"].to_numpy(), table["prediction"].to_numpy(), classes)
    scores: dict[str, Any] = {"n": len(table)}
    for name, score in METRICS.items():
        scores[name] = float(score(counts))
        if intervals:
            interval = bootstrap_interval(table, name, n=n, level=level, seed=seed, classes=classes)
            scores[f"{name}_low"], scores[f"{name}_high"] = interval.low, interval.high
    if y_train is not None:
        majority = majority_accuracy(y_train, table["label"].to_numpy())
        scores["majority_accuracy"], scores["majority_class"] = majority.accuracy, majority.label
    return scores


def scores_by(table: pd.DataFrame, column: str, classes: Sequence[str] | None = None) -> dict[str, dict[str, Any]]:
    """Score each part of a table, such as each data set of a composite: accuracy, UF1, UAR and ``n``.

    Parameters
    ----------
    table : pandas.DataFrame
        Predictions, one row per clip.
    column : str
        Column to split by, such as ``"dataset"``.
    classes : sequence of str or None, optional
        The classes of the task.
    """
    check_predictions(table, [column])
    return {str(name): score_all(part, classes) for name, part in table.groupby(column, sort=True)}
