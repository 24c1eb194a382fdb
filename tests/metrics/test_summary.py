"""All scores of a table together, and of its parts."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import pytest

from fleeting.errors import UsageError
from fleeting.metrics import (
    score_all,
    scores_by,
    uf1,
)


def test_score_all_has_the_columns_of_results(table: Callable[..., pd.DataFrame]) -> None:
    predictions = table()
    scores = score_all(predictions, list("abc"), y_train=["a", "a", "b"], intervals=True, n=200)
    assert set(scores) == {
        "n", "accuracy", "accuracy_low", "accuracy_high", "uf1", "uf1_low", "uf1_high", "uar", "uar_low", "uar_high",
        "majority_accuracy", "majority_class",
    }  # fmt: skip
    assert scores["majority_class"] == "a"
    assert scores["majority_accuracy"] == pytest.approx((predictions["label"] == "a").mean())
    assert scores["accuracy"] == pytest.approx((predictions["label"] == predictions["prediction"]).mean())


def test_scores_by_data_set(table: Callable[..., pd.DataFrame]) -> None:
    predictions = table()
    parts = scores_by(predictions, "dataset", list("abc"))
    assert list(parts) == ["x", "y"]
    one = predictions[predictions["dataset"] == "y"]
    assert parts["y"]["uf1"] == pytest.approx(uf1(one["label"].to_numpy(), one["prediction"].to_numpy()))
    with pytest.raises(UsageError, match="0 rows"):
        scores_by(predictions.iloc[:0], "dataset")
