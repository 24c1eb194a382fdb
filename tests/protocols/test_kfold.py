"""K-fold keeps its promises on hard tables."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from fleeting.errors import UsageError
from fleeting.protocols import (
    Fold,
    StratifiedKFoldProtocol,
    SubjectKFoldProtocol,
    create_protocol,
    folds_of,
)


def clips(rows: list[tuple[str, str, str]]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=["dataset", "subject", "emotion"])
    table["clip"] = [f"c{i:04d}" for i in range(len(table))]
    return table


def demo(subjects: int = 12, each: int = 6) -> pd.DataFrame:
    return clips([("demo", f"s{s:02d}", "abc"[(s + i) % 3]) for s in range(subjects) for i in range(each)])


tables = st.lists(
    st.tuples(st.sampled_from(["casme2", "smic"]), st.integers(1, 9).map(str), st.sampled_from("abc")),
    min_size=10,
    max_size=80,
).map(clips)


def check_partition(table: pd.DataFrame, folds: list[Fold]) -> None:
    assert np.sort(np.concatenate([fold.test for fold in folds])).tolist() == list(range(len(table)))
    for fold in folds:
        assert fold.train.dtype == fold.test.dtype == np.int64
        assert np.all(np.diff(fold.test) > 0) and np.all(np.diff(fold.train) > 0)
        assert sorted([*fold.train, *fold.test]) == list(range(len(table)))


@settings(max_examples=60, deadline=None)
@given(tables, st.integers(2, 5), st.integers(0, 3))
def test_stratified_folds_partition_the_table_with_even_class_shares(table: pd.DataFrame, k: int, seed: int) -> None:
    counts = table["emotion"].value_counts()
    assume(len(counts) > 1 and counts.min() >= k)
    folds = folds_of(StratifiedKFoldProtocol(folds=k, seed=seed), table)
    check_partition(table, folds)
    for fold in folds:
        found = table["emotion"].iloc[fold.test].value_counts()
        for name, count in counts.items():
            assert abs(found.get(name, 0) - count / k) < 1


@settings(max_examples=60, deadline=None)
@given(tables, st.integers(2, 5), st.integers(0, 3))
def test_subject_folds_partition_the_table_and_never_share_a_person(table: pd.DataFrame, k: int, seed: int) -> None:
    try:
        folds = folds_of(SubjectKFoldProtocol(folds=k, seed=seed), table)
    except UsageError as error:
        assert any(text in str(error) for text in ("one class only", "one subject only", "has only", "found no way"))
        return
    check_partition(table, folds)
    people = list(zip(table["dataset"], table["subject"]))
    for fold in folds:
        assert not {people[i] for i in fold.train} & {people[i] for i in fold.test}
        assert set(table["emotion"].iloc[fold.train]) == set(table["emotion"])


@pytest.mark.parametrize("name", ["stratified-kfold", "subject-kfold"])
def test_folds_belong_to_clips_and_not_to_the_order_of_rows(name: str) -> None:
    table = demo()
    shuffled = table.sample(frac=1, random_state=3)
    for one, other in zip(
        folds_of(create_protocol(name, seed=4), table), folds_of(create_protocol(name, seed=4), shuffled)
    ):
        assert set(table["clip"].iloc[one.test]) == set(shuffled["clip"].iloc[other.test])


@pytest.mark.parametrize("name", ["stratified-kfold", "subject-kfold"])
def test_seeds_differ_and_repeat(name: str) -> None:
    def tests(seed: int) -> list[list[int]]:
        return [fold.test.tolist() for fold in folds_of(create_protocol(name, seed=seed), demo())]

    assert tests(1) == tests(1)
    assert tests(1) != tests(2)


@pytest.mark.parametrize(
    ("table", "name", "folds", "says"),
    [
        (demo(), "stratified-kfold", 40, r"40 folds.*only 24 clips.*folds=24"),
        (demo(3), "subject-kfold", 5, r"5 folds.*only 3 subjects.*folds=3"),
        (demo(1), "subject-kfold", 2, r"only 1 subject "),
        (clips([("d", str(i), "a") for i in range(9)]), "subject-kfold", 2, "one class only.*'a', 9 clips"),
        (clips([("d", str(i), "a") for i in range(9)]), "stratified-kfold", 2, "one class only"),
        (
            clips([("d", str(i), "b" if i == 4 else "a") for i in range(9)]),
            "subject-kfold",
            2,
            r"'b' in one subject.*d/4",
        ),
        (
            clips([("d", str(i), "b" if i == 4 else "a") for i in range(9)]),
            "stratified-kfold",
            2,
            "'b' has only 1 clip,",
        ),
        (demo().iloc[:0], "subject-kfold", 2, "no rows"),
        (demo().drop(columns="subject"), "subject-kfold", 2, "lacks the column subject"),
        (demo().drop(columns="emotion"), "stratified-kfold", 2, "lacks the column emotion"),
        (demo().assign(subject=["", *["x"] * 71]), "subject-kfold", 2, "1 of 72 clips name no data set or no subject"),
        (demo().assign(emotion=["", *["x"] * 71]), "stratified-kfold", 2, "1 of 72 clips have no label"),
    ],
)
def test_impossible_requests_say_what_was_found(table: pd.DataFrame, name: str, folds: int, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        folds_of(create_protocol(name, folds=folds), table)


def test_no_way_to_keep_every_class_in_training_is_said() -> None:
    pairs = [("a", "x"), ("b", "x"), ("b", "y"), ("c", "y"), ("a", "z"), ("c", "z")]
    with pytest.raises(UsageError, match="found no way to deal 3 subjects to 2 folds"):
        folds_of(SubjectKFoldProtocol(folds=2), clips([("d", who, what) for who, what in pairs]))
