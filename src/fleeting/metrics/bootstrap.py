"""Bootstrap intervals over subjects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from fleeting.errors import UsageError, unknown_choice
from fleeting.metrics.scores import METRICS, as_labels, class_names, codes_of

__all__ = ["Interval", "bootstrap_interval"]


@dataclass(frozen=True)
class Interval:
    """A figure with its bootstrap interval.

    Parameters
    ----------
    value : float
        The metric on all clips.
    low, high : float
        Ends of the interval; NaN where it has no meaning, and then ``reason`` says why.
    level : float
        Probability, such as 0.95.
    units : int
        Number of subjects, which were resampled.
    reason : str, optional
        Why there is no interval, or why it says less than it seems to; empty otherwise.
    """

    value: float
    low: float
    high: float
    level: float
    units: int
    reason: str = ""


def subject_confusions(table: pd.DataFrame, by: Sequence[str], names: Sequence[str]) -> npt.NDArray[np.int64]:
    """Count one confusion matrix per subject, ``(n_subjects, C, C)``, in the sorted order of subjects."""
    keys = list(zip(*(table[name].astype(str) for name in by)))
    number = {key: code for code, key in enumerate(sorted(set(keys)))}
    who = np.array([number[key] for key in keys], dtype=np.int64)
    truth = codes_of(as_labels("column 'label'", table["label"].to_numpy()), names)
    found = codes_of(as_labels("column 'prediction'", table["prediction"].to_numpy()), names)
    counts = np.zeros((len(number), len(names), len(names)), dtype=np.int64)
    np.add.at(counts, (who, truth, found), 1)
    return counts


def check_predictions(table: pd.DataFrame, by: Sequence[str]) -> None:
    """Raise :class:`UsageError` unless ``table`` has rows and the columns that are needed."""
    missing = [name for name in ("label", "prediction", *by) if name not in table.columns]
    if missing or len(table) == 0:
        raise UsageError(
            f"the table of predictions has {len(table)} rows and the columns "
            f"{', '.join(map(str, table.columns))}; "
            f"expected at least one row and label, prediction, {', '.join(by)}"
        )


def bootstrap_interval(
    table: pd.DataFrame,
    metric: str = "accuracy",
    by: str | Sequence[str] = "subject",
    n: int = 2000,
    level: float = 0.95,
    seed: int = 0,
    classes: Sequence[str] | None = None,
) -> Interval:
    """Give the percentile interval of a pooled metric, by resampling whole subjects with replacement.

    Clips of one person resemble each other, so resampling clips would give intervals that are too narrow
    (cluster bootstrap; Field and Welsh 2007, J. R. Stat. Soc. B 69).

    Parameters
    ----------
    table : pandas.DataFrame
        Predictions, one row per clip, with the columns ``label, prediction, subject`` and, if it has one, ``dataset``.
    metric : str, optional
        One of ``accuracy``, ``uf1``, ``uar``.
    by : str or sequence of str, optional
        Column or columns that say who is in a clip; ``"subject"`` means (data set, subject) where there is a data set.
    n : int, optional
        Resamples.
    level : float, optional
        Probability that the interval covers, in (0, 1).
    seed : int, optional
        Random seed of the resampling; same table and seed, same interval.
    classes : sequence of str or None, optional
        Classes to score, as in :func:`~fleeting.metrics.uf1`.

    Returns
    -------
    Interval
        The figure with its interval. With one subject it is NaN; where all resamples agree (all clips right, for
        instance) its width is zero, which is no certainty: ``reason`` says so in both cases.

    Raises
    ------
    UsageError
        If the table lacks rows or columns, or the metric, ``n`` or ``level`` is impossible.

    Examples
    --------
    >>> table = pd.DataFrame({"subject": list("aabbccdd"), "label": list("xyxyxyxy")})
    >>> table["prediction"] = list("xyxyxyyx")
    >>> bootstrap_interval(table, "accuracy")
    Interval(value=0.75, low=0.25, high=1.0, level=0.95, units=4, reason='')
    """
    if metric not in METRICS:
        raise unknown_choice("metric", metric, METRICS)
    if n < 1 or not 0.0 < level < 1.0:
        raise UsageError(
            f"found n={n} resamples and level={level}; expected n of at least 1 and a level between 0 and 1"
        )
    columns = [by] if isinstance(by, str) else list(by)
    if columns == ["subject"] and "dataset" in table.columns:
        columns = ["dataset", "subject"]
    check_predictions(table, columns)
    names = class_names(
        classes,
        as_labels("column 'label'", table["label"].to_numpy()),
        as_labels("column 'prediction'", table["prediction"].to_numpy()),
    )
    counts = subject_confusions(table, columns, names)
    score = METRICS[metric]
    units, value = len(counts), float(score(counts.sum(axis=0)))
    if units < 2:
        return Interval(value, np.nan, np.nan, level, units, "one subject only: nothing to resample")
    # How often each subject is drawn stands for the draw itself, so all resamples are one matrix product.
    times = np.random.default_rng(seed).multinomial(units, np.full(units, 1.0 / units), size=n)
    resampled = (times @ counts.reshape(units, -1)).reshape(n, len(names), len(names))
    low, high = np.quantile(score(resampled), [(1.0 - level) / 2.0, (1.0 + level) / 2.0])
    reason = "" if high > low else "all resamples agree: the width of zero is no certainty"
    return Interval(value, float(low), float(high), level, units, reason)
