"""Metrics against scikit-learn, by hand, and at their edges."""

from __future__ import annotations

import math
import time
import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score
from sklearn.metrics import confusion_matrix as sklearn_confusion

from fleeting.errors import UsageError
from fleeting.metrics import (
    METRICS,
    accuracy,
    bootstrap_interval,
    confusion_matrix,
    majority_accuracy,
    score_all,
    scores_by,
    uar,
    uf1,
)

pairs = st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from("abcd")), min_size=1, max_size=60)


@settings(max_examples=150, deadline=None)
@given(pairs)
def test_parity_with_scikit_learn(rows: list[tuple[str, str]]) -> None:
    truth, found = zip(*rows)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns of classes that are only predicted
        expected = balanced_accuracy_score(truth, found)
    assert uar(truth, found) == pytest.approx(expected)
    assert uf1(truth, found) == pytest.approx(f1_score(truth, found, average="macro"))
    assert accuracy(truth, found) == pytest.approx(accuracy_score(truth, found))
    names = list("dcba")
    np.testing.assert_array_equal(confusion_matrix(truth, found, names), sklearn_confusion(truth, found, labels=names))


@settings(max_examples=60, deadline=None)
@given(pairs, st.permutations("abcd"), st.randoms())
def test_scores_do_not_depend_on_order_or_names(rows: list[tuple[str, str]], names: list[str], random) -> None:  # type: ignore[no-untyped-def]
    truth, found = zip(*rows)
    renamed = dict(zip("abcd", names))
    shuffled = list(rows)
    random.shuffle(shuffled)
    other_truth, other_found = zip(*((renamed[t], renamed[f]) for t, f in shuffled))
    for score in (accuracy, uf1, uar):
        assert 0 <= score(truth, found) <= 1
        assert score(truth, found) == pytest.approx(score(other_truth, other_found))
        assert score(truth, truth) == 1


def test_majority_class_by_the_published_counts() -> None:
    # SMIC: 70 negative of 164, so a constant answer reaches 42.7 %.
    labels = ["negative"] * 70 + ["positive"] * 51 + ["surprise"] * 43
    constant = ["negative"] * 164
    assert majority_accuracy(labels, labels).label == "negative"
    assert majority_accuracy(labels, labels).accuracy == pytest.approx(0.4268, abs=1e-4)
    assert accuracy(labels, constant) == majority_accuracy(labels, labels).accuracy
    assert uar(labels, constant) == pytest.approx(1 / 3)


def test_majority_comes_from_training_and_ties_go_to_the_first_name() -> None:
    assert majority_accuracy(["b", "b", "a"], ["a", "b", "b", "b"]) == ("b", 0.75)
    assert majority_accuracy(["b", "a"], ["b"]) == ("a", 0.0)
    assert majority_accuracy(["c"], ["a"]).accuracy == 0


def test_absent_classes_by_definition() -> None:
    # 'c' is answered but never shown: F1 of 0, no recall. 'd' is neither: left out of both.
    truth, found, names = ["a", "a", "b"], ["a", "a", "c"], list("abcd")
    assert uf1(truth, found, names) == pytest.approx((1 + 0 + 0) / 3)
    assert uar(truth, found, names) == pytest.approx((1 + 0) / 2)
    assert uf1(["a"], ["a"], names) == uar(["a"], ["a"], names) == 1


@pytest.mark.parametrize(
    ("truth", "found", "classes", "says"),
    [
        ([], [], None, "at least one label"),
        (["a"], ["a", "b"], None, "1 true labels but 2 predictions"),
        (["a"], ["b"], ["a"], "'b', not among the classes: a"),
        (["a", None], ["a", "a"], None, "missing label"),
        (["a", float("nan")], ["a", "a"], None, "missing label"),
        (["a"], ["a"], ["a", "a"], "each once"),
        ([["a"]], [["a"]], None, "one dimension"),
    ],
)
def test_bad_labels(truth: list[str], found: list[str], classes: list[str] | None, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        uf1(truth, found, classes)


def table(people: int = 12, each: int = 6, skill: float = 0.7, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    label = rng.choice(list("abc"), people * each)
    right = rng.random(people * each) < skill
    return pd.DataFrame(
        {
            "dataset": np.repeat(["x", "y"], people * each // 2),
            "subject": np.tile(np.repeat(np.arange(people // 2).astype(str), each), 2),
            "label": label,
            "prediction": np.where(right, label, rng.choice(list("abc"), people * each)),
        }
    )


@pytest.mark.parametrize("metric", list(METRICS))
def test_interval_is_what_resampling_subject_by_subject_gives(metric: str) -> None:
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


def test_interval_depends_on_people_and_not_on_rows_order() -> None:
    predictions = table()
    one = bootstrap_interval(predictions)
    assert one == bootstrap_interval(predictions.sample(frac=1, random_state=1))
    assert bootstrap_interval(predictions, "uf1", n=50) != bootstrap_interval(predictions, "uf1", n=50, seed=1)
    # Clips of one person stick together, so repeating them all teaches nothing and narrows nothing.
    doubled = bootstrap_interval(pd.concat([predictions, predictions]))
    assert (doubled.low, doubled.high) == pytest.approx((one.low, one.high))


def test_interval_widens_with_its_level() -> None:
    wide, narrow = (bootstrap_interval(table(), level=level) for level in (0.99, 0.5))
    assert wide.low < narrow.low < narrow.high < wide.high


def test_subjects_of_two_data_sets_are_two() -> None:
    assert bootstrap_interval(table()).units == 12
    assert bootstrap_interval(table().drop(columns="dataset")).units == 6


def test_coverage_is_near_its_level() -> None:
    hits = 0
    for seed in range(60):
        interval = bootstrap_interval(table(people=30, skill=0.55, seed=seed), n=300)
        hits += interval.low <= 0.55 + 0.45 / 3 <= interval.high
    assert hits >= 50


def test_one_subject_has_no_interval_and_says_why() -> None:
    interval = bootstrap_interval(table(people=2).iloc[:6])
    assert math.isnan(interval.low) and math.isnan(interval.high) and "one subject" in interval.reason
    assert 0 <= interval.value <= 1


def test_all_right_has_no_width_and_says_so() -> None:
    interval = bootstrap_interval(table(skill=1.1))
    assert (interval.low, interval.high) == (1, 1) and "no certainty" in interval.reason


def test_interval_takes_milliseconds() -> None:
    predictions = table(people=68, each=7)
    bootstrap_interval(predictions)
    start = time.perf_counter()
    bootstrap_interval(predictions, "uf1", n=2000)
    assert time.perf_counter() - start < 0.5


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
def test_bad_requests(change: dict[str, object], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        bootstrap_interval(table(), **change)  # type: ignore[arg-type]


def test_score_all_has_the_columns_of_results() -> None:
    predictions = table()
    scores = score_all(predictions, list("abc"), y_train=["a", "a", "b"], intervals=True, n=200)
    assert set(scores) == {
        "n", "accuracy", "accuracy_low", "accuracy_high", "uf1", "uf1_low", "uf1_high", "uar", "uar_low", "uar_high",
        "majority_accuracy", "majority_class",
    }  # fmt: skip
    assert scores["majority_class"] == "a"
    assert scores["majority_accuracy"] == pytest.approx((predictions["label"] == "a").mean())
    assert scores["accuracy"] == pytest.approx((predictions["label"] == predictions["prediction"]).mean())


def test_scores_by_data_set() -> None:
    predictions = table()
    parts = scores_by(predictions, "dataset", list("abc"))
    assert list(parts) == ["x", "y"]
    one = predictions[predictions["dataset"] == "y"]
    assert parts["y"]["uf1"] == pytest.approx(uf1(one["label"].to_numpy(), one["prediction"].to_numpy()))
    with pytest.raises(UsageError, match="0 rows"):
        scores_by(predictions.iloc[:0], "dataset")
