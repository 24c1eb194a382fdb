"""Several methods on the same clips, beside each other and against the first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from fleeting.errors import UsageError
from fleeting.metrics.composite import COMPOSITE_COLUMNS, composite_scores
from fleeting.metrics.paired import paired_permutation_test

__all__ = ["compare_methods"]

_PAIRED = ("uf1", "uar")
_COLUMNS = [
    "method",
    *COMPOSITE_COLUMNS,
    *(f"{metric}_{part}" for metric in _PAIRED for part in ("difference", "difference_low", "difference_high", "p")),
]


def compare_methods(
    tables: Mapping[str, pd.DataFrame],
    classes: Sequence[str] | None = None,
    *,
    n: int = 10000,
    seed: int = 0,
) -> pd.DataFrame:
    """Score methods whole and by data set, and test each against the first on the same clips.

    Parameters
    ----------
    tables : mapping
        Predictions by the method's name, as :func:`composite_scores` and
        :func:`~fleeting.metrics.paired_permutation_test` take them.
    classes : sequence of str or None, optional
        The classes of the task; by default all that occur in any table.
    n, seed : int, optional
        Exchanges of the paired test, and the seed of all that is drawn.

    Returns
    -------
    pandas.DataFrame
        Pandas.DataFrame with a row for each method and part: ``method``, the columns of :func:`composite_scores`, and
        for ``uf1`` and ``uar`` ``<metric>_difference`` (method minus the first), its interval
        ``<metric>_difference_low`` and ``_high``, and ``<metric>_p``, two-sided. They are NaN for the first. P-values
        are those of single comparisons: they are not corrected for their number.

    Raises
    ------
    UsageError
        If there is no method, or one did not answer the clips of the first with the same labels.
    """
    if not tables:
        raise UsageError("nothing to compare; expected at least one table of predictions")
    if classes is None:
        classes = sorted(
            {str(name) for table in tables.values() for column in ("label", "prediction") for name in table[column]}
        )
    first_name, first = next(iter(tables.items()))
    rows: list[dict[str, Any]] = []
    for name, table in tables.items():
        for row in composite_scores(table, classes, seed=seed).to_dict("records"):
            paired: dict[str, float] = {}
            for metric in _PAIRED if name != first_name else ():
                ours, theirs = (one if row["scope"] == "full" else _part(one, row["dataset"]) for one in (table, first))
                try:
                    found = paired_permutation_test(ours, theirs, metric, n=n, seed=seed, classes=classes)
                except UsageError as exc:
                    raise UsageError(f"{name} (the first) against {first_name} (the second): {exc}") from exc
                paired |= {
                    f"{metric}_difference": found.difference,
                    f"{metric}_difference_low": found.low,
                    f"{metric}_difference_high": found.high,
                    f"{metric}_p": found.p_value,
                }
            rows.append({"method": name, **{str(key): value for key, value in row.items()}, **paired})
    return pd.DataFrame(rows).reindex(columns=_COLUMNS, fill_value=np.nan)


def _part(table: pd.DataFrame, dataset: str) -> pd.DataFrame:
    return table[table["dataset"].astype(str) == dataset]
