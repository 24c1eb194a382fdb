"""Pooled figures, whole and by data set, against scikit-learn; and means over folds, which are something else."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score, recall_score

from fleeting.errors import UsageError
from fleeting.metrics import bootstrap_interval, composite_scores, fold_means

CLASSES = ["negative", "positive", "surprise"]


def answers(rows):
    table = pd.DataFrame(rows, columns=["dataset", "subject", "label", "prediction"])
    people = sorted(set(zip(table["dataset"], table["subject"])))
    table["fold"] = [people.index(pair) for pair in zip(table["dataset"], table["subject"])]
    return table.assign(clip=[f"c{i}" for i in range(len(table))], seed=0)


tables = st.lists(
    st.tuples(
        st.sampled_from(["casme2", "smic", "samm"]),
        st.integers(1, 4).map(str),
        st.sampled_from(CLASSES),
        st.sampled_from(CLASSES),
    ),
    min_size=1,
    max_size=60,
).map(answers)


def reference(part):
    """Macro F1 and recall by scikit-learn, over the classes that they are defined for."""
    truth, found = part["label"], part["prediction"]
    f1 = f1_score(truth, found, labels=sorted({*truth, *found}), average="macro", zero_division=0)
    return f1, recall_score(truth, found, labels=sorted(set(truth)), average="macro", zero_division=0)


@settings(max_examples=25, deadline=None)
@given(tables)
def test_pooled_figures_are_scikit_learns_whole_and_by_data_set(table):
    found = composite_scores(table, CLASSES, n=5)
    assert found["scope"].tolist() == ["full"] + ["dataset"] * table["dataset"].nunique()
    for row in found.to_dict("records"):
        part = table if row["scope"] == "full" else table[table["dataset"] == row["dataset"]]
        uf1, uar = reference(part)
        assert row["uf1"] == pytest.approx(uf1) and row["uar"] == pytest.approx(uar)
        assert row["accuracy"] == pytest.approx((part["label"] == part["prediction"]).mean())
        assert row["n_answers"] == row["n_clips"] == len(part)
        assert row["n_subjects"] == row["n_folds"] == part["fold"].nunique()
        folds = [reference(one) for _, one in part.groupby("fold")]
        assert [row["uf1_fold_mean"], row["uar_fold_mean"]] == pytest.approx(np.mean(folds, axis=0).tolist())


def test_the_formula_of_the_challenge_by_hand():
    # negative: TP 2, FN 1, FP 1; positive: TP 1, FN 1, FP 1; surprise: TP 1, FN 1, FP 1.
    pairs = [("negative", "negative")] * 2 + [
        ("negative", "positive"),
        ("positive", "positive"),
        ("positive", "surprise"),
    ]
    pairs += [("surprise", "surprise"), ("surprise", "negative")]
    table = answers([("smic", str(i % 3), *pair) for i, pair in enumerate(pairs)])
    full = composite_scores(table, CLASSES).iloc[0]
    assert full["uf1"] == pytest.approx((4 / 6 + 2 / 4 + 2 / 4) / 3)
    assert full["uar"] == pytest.approx((2 / 3 + 1 / 2 + 1 / 2) / 3)


def test_the_mean_over_folds_is_another_number():
    # Two people who show one class each: every fold is all right or all wrong.
    table = answers([("smic", "1", "negative", "negative")] * 9 + [("smic", "2", "surprise", "negative")])
    full = composite_scores(table, CLASSES).iloc[0]
    assert full["uf1_fold_mean"] == full["uar_fold_mean"] == 0.5
    assert full["uf1"] == pytest.approx((18 / 19) / 2) and full["uar"] == 0.5
    assert full["accuracy"] == 0.9 and full["accuracy_fold_mean"] == 0.5


def test_each_data_sets_interval_is_over_its_own_subjects():
    rng = np.random.default_rng(0)
    rows = [
        (dataset, f"{s}", label, label if rng.random() < 0.7 else "negative")
        for dataset, people in (("casme2", 8), ("smic", 5))
        for s in range(people)
        for label in CLASSES * 2
    ]
    table = answers(rows)
    found = composite_scores(table, CLASSES, n=400, seed=3).set_index("dataset")
    for dataset in ("casme2", "smic"):
        part = table[table["dataset"] == dataset]
        for metric in ("uf1", "uar", "accuracy"):
            interval = bootstrap_interval(part, metric, n=400, seed=3, classes=CLASSES)
            assert (interval.low, interval.high) == tuple(found.loc[dataset, [f"{metric}_low", f"{metric}_high"]])
            assert interval.low <= found.loc[dataset, metric] <= interval.high
    assert found.loc["smic", "n_subjects"] == 5


def test_several_seeds_and_no_folds():
    one = answers([("smic", str(i), label, label) for i in range(3) for label in CLASSES])
    two = pd.concat([one, one.assign(seed=1, prediction="negative")], ignore_index=True)
    full = composite_scores(two, CLASSES).iloc[0]
    assert (full["n_answers"], full["n_clips"], full["n_subjects"], full["n_folds"]) == (18, 9, 3, 3)
    # Six trainings, three of which got all right: recalls of 1 and 1/3.
    assert full["uar_fold_mean"] == pytest.approx((1 + 1 / 3) / 2)
    bare = composite_scores(one.drop(columns=["fold", "seed", "dataset"]), CLASSES)
    assert bare["scope"].tolist() == ["full"] and bare["uf1"].tolist() == [1] and bare["uf1_fold_mean"].isna().all()
    assert all(np.isnan(value) for value in fold_means(one.drop(columns="fold")).values())


def test_nothing_to_score():
    with pytest.raises(UsageError, match="at least one row"):
        composite_scores(answers([]).iloc[:0])
    with pytest.raises(UsageError, match="subject"):
        composite_scores(pd.DataFrame({"label": ["a"], "prediction": ["a"]}))
