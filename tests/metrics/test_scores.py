"""Scores against scikit-learn, by hand, and at their edges."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score
from sklearn.metrics import confusion_matrix as sklearn_confusion

from fleeting.errors import UsageError
from fleeting.metrics import (
    accuracy,
    confusion_matrix,
    majority_accuracy,
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
