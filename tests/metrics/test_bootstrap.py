"""Intervals are what resampling people one by one gives, and say where they mean nothing."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from fleeting.errors import UsageError
from fleeting.metrics import (
    METRICS,
    accuracy,
    bootstrap_interval,
    uar,
    uf1,
)


@pytest.mark.parametrize("metric", list(METRICS))
def test_interval_is_what_resampling_subject_by_subject_gives(table: Callable[..., pd.DataFrame], metric: str) -> None:
    predictions = table()
    score = {"accuracy": accuracy, "uf1": uf1, "uar": uar}[metric]
    interval = bootstrap_interval(predictions, metric, n=300, seed=5)
    people = [part for _, part in predictions.groupby(["dataset", "subject"], sort=True)]
    times = np.random.default_rng(5).multinomial(12, np.full(12, 1 / 12), size=300)
    values = []
    for draw in times:
        drawn = pd.concat([part for part, often in zip(people, draw) for _ in range(often)])
        values.append(score(drawn["label"].to_numpy(), drawn["prediction"].to_numpy()))
    assert (interval.low, interval.high) == pytest.approx(tuple(np.quantile(values, [0.025, 0.975])))
    assert interval.units == 12
    assert interval.low < interval.value < interval.high


def test_interval_depends_on_people_and_not_on_rows_order(table: Callable[..., pd.DataFrame]) -> None:
    predictions = table()
    one = bootstrap_interval(predictions)
    assert one == bootstrap_interval(predictions.sample(frac=1, random_state=1))
    assert bootstrap_interval(predictions, "uf1", n=50) != bootstrap_interval(predictions, "uf1", n=50, seed=1)
    # Clips of one person stick together, so repeating them all teaches nothing and narrows nothing.
    doubled = bootstrap_interval(pd.concat([predictions, predictions]))
    assert (doubled.low, doubled.high) == pytest.approx((one.low, one.high))


def test_interval_widens_with_its_level(table: Callable[..., pd.DataFrame]) -> None:
    wide, narrow = (bootstrap_interval(table(), level=level) for level in (0.99, 0.5))
    assert wide.low < narrow.low < narrow.high < wide.high


def test_subjects_of_two_data_sets_are_two(table: Callable[..., pd.DataFrame]) -> None:
    assert bootstrap_interval(table()).units == 12
    assert bootstrap_interval(table().drop(columns="dataset")).units == 6


def test_coverage_is_near_its_level(table: Callable[..., pd.DataFrame]) -> None:
    hits = 0
    for seed in range(60):
        interval = bootstrap_interval(table(people=30, skill=0.55, seed=seed), n=300)
        hits += interval.low <= 0.55 + 0.45 / 3 <= interval.high
    assert hits >= 50


def test_one_subject_has_no_interval_and_says_why(table: Callable[..., pd.DataFrame]) -> None:
    interval = bootstrap_interval(table(people=2).iloc[:6])
    assert math.isnan(interval.low) and math.isnan(interval.high) and "one subject" in interval.reason
    assert 0 <= interval.value <= 1


def test_all_right_has_no_width_and_says_so(table: Callable[..., pd.DataFrame]) -> None:
    interval = bootstrap_interval(table(skill=1.1))
    assert (interval.low, interval.high) == (1, 1) and "no certainty" in interval.reason


def test_all_resamples_are_scored_at_once(table: Callable[..., pd.DataFrame], monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = []

    def score(confusion: np.ndarray) -> np.ndarray:
        sizes.append(confusion.shape)
        return METRICS["uf1"](confusion)

    monkeypatch.setattr("fleeting.metrics.bootstrap.METRICS", {"uf1": score})
    bootstrap_interval(table(people=68, each=7), "uf1", n=2000)
    assert sizes == [(3, 3), (2000, 3, 3)]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"metric": "f1"}, "did you mean 'uf1'"),
        ({"n": 0}, "n=0"),
        ({"level": 1.0}, "level"),
        ({"by": "person"}, "expected at least one row and label, prediction, person"),
        ({"classes": ["a", "b"]}, "'c', not among"),
    ],
)
def test_bad_requests(table: Callable[..., pd.DataFrame], change: dict[str, object], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        bootstrap_interval(table(), **change)  # type: ignore[arg-type]
