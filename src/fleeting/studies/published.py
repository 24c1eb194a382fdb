"""The papers' tables, as data with their sources."""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING

from fleeting.errors import unknown_choice

if TYPE_CHECKING:
    import pandas as pd


@lru_cache(maxsize=1)
def _all() -> pd.DataFrame:
    import pandas as pd

    with (files("fleeting.studies") / "data" / "published.csv").open(encoding="utf-8") as file:
        return pd.read_csv(file, dtype=str, keep_default_na=False)


def published(study: str, table: str) -> dict[tuple[str, str], str]:
    """Look up what a paper printed in one table: ``(row, column)`` to the figure as text, in the paper's order.

    Percentages stay percentages (``"43.7"``), shapes are ``"36x128x128x16"``.

    Raises
    ------
    UsageError
        If the study or the table is unknown.

    Examples
    --------
    >>> published("talluri2022", "table3")[("smic", "apex")]
    '43.7'
    """
    rows = _all()
    rows = rows[rows["study"] == study]
    if rows.empty:
        raise unknown_choice("study", study, _all()["study"].unique())
    part = rows[rows["table"] == table]
    if part.empty:
        raise unknown_choice(f"table of {study}", table, rows["table"].unique())
    return {(str(r), str(c)): str(v) for r, c, v in zip(part["row"], part["column"], part["value"], strict=True)}


def share(value: str | None) -> float | None:
    """Give a printed percentage as a share in [0, 1]."""
    return None if value is None else float(value) / 100
