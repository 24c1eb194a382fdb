"""Columns that the tables of studies share, with their units and roles."""

from __future__ import annotations

from fleeting.records import StudyColumn

__all__ = [
    "majority_column",
    "outcome_columns",
    "percent_columns",
    "published_column",
    "state_column",
]


def published_column(key: str = "published", group: str = "", *, state: str = "status") -> StudyColumn:
    """Describe a column of figures that a paper printed, as shares."""
    return StudyColumn(key=key, label="published", unit="share", role="published", group=group, state=state)


def majority_column(key: str, label: str = "majority class", group: str = "", *, state: str = "status") -> StudyColumn:
    """Describe a column of accuracies of always answering the commonest class."""
    return StudyColumn(key=key, label=label, unit="share", role="majority", group=group, state=state)


def state_column(key: str, group: str = "") -> StudyColumn:
    """Describe a column without a heading that says whether a row was run."""
    return StudyColumn(key=key, unit="state", group=group)


def percent_columns(prefix: str, group: str) -> list[StudyColumn]:
    """Describe the columns of one measured accuracy: the figure with its interval, the majority class, what collapsed.

    Parameters
    ----------
    prefix : str
        Beginning of the columns' names in the CSV file.
    group : str
        Heading that they share.
    """
    state = f"{prefix}_status"
    return [
        _measured(f"{prefix}_accuracy", "accuracy", group, state, ends=prefix),
        majority_column(f"{prefix}_majority", "majority", group, state=state),
        _collapsed(prefix, group),
    ]


def outcome_columns(prefix: str, group: str, *, interval: bool = False) -> list[StudyColumn]:
    """Describe the columns of one training on a hold-out: accuracy of its last and its best epoch, and what is beside.

    Parameters
    ----------
    prefix : str
        Beginning of the columns' names in the CSV file.
    group : str
        Heading that they share.
    interval : bool, optional
        If True, the last epoch's accuracy has an interval.
    """
    state = f"{prefix}_status"
    return [
        _measured(f"{prefix}_last", "last epoch", group, state, ends=prefix if interval else ""),
        _measured(f"{prefix}_best", "best (optimistic)", group, state),
        majority_column(f"{prefix}_majority", "majority", group, state=state),
        _collapsed(prefix, group),
        state_column(state, group),
    ]


def _measured(key: str, label: str, group: str, state: str, *, ends: str = "") -> StudyColumn:
    low, high = (f"{ends}_low", f"{ends}_high") if ends else ("", "")
    return StudyColumn(
        key=key, label=label, unit="share", role="measured", low=low, high=high, group=group, state=state
    )


def _collapsed(prefix: str, group: str) -> StudyColumn:
    return StudyColumn(
        key=f"{prefix}_collapsed", label="collapsed", role="collapsed", group=group, state=f"{prefix}_status"
    )
