"""Protocols keep their promises on hard tables, and the guard catches those that do not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn.dummy import DummyClassifier
from sklearn.model_selection import StratifiedGroupKFold, cross_val_score

from fleeting.errors import LeakageError, UsageError
from fleeting.protocols import (
    Fold,
    KFoldProtocol,
    Protocol,
    StratifiedKFoldProtocol,
    SubjectKFoldProtocol,
    check_split,
    create_protocol,
    folds_of,
    list_protocols,
    register_protocol,
    split_notes,
    subject_codes,
)
from fleeting.protocols.balance import balanced_groups


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


def test_whole_subjects_are_dealt_more_evenly_than_by_the_greedy_splitter() -> None:
    rng = np.random.default_rng(0)
    ours, greedy, holes = 0.0, 0.0, 0
    for trial in range(10):
        # As in SAMM: few clips of rare classes, spread unevenly over 28 people.
        counts = np.stack([rng.multinomial(n, rng.dirichlet(np.full(28, 0.7))) for n in (26, 9, 15)], axis=1)
        counts = counts[counts.sum(axis=1) > 0]
        labels = np.concatenate([np.repeat(np.arange(3), row) for row in counts])
        people = np.repeat(np.arange(len(counts)), counts.sum(axis=1))
        theirs = np.empty(len(counts), dtype=int)
        splitter = StratifiedGroupKFold(5, shuffle=True, random_state=trial)
        for fold, (_, test) in enumerate(splitter.split(labels, labels, people)):
            theirs[np.unique(people[test])] = fold

        def deviation(folds: np.ndarray, counts: np.ndarray = counts) -> float:
            found = np.zeros((5, 3))
            np.add.at(found, folds, counts)
            return float((np.abs(found - counts.sum(axis=0) / 5) / counts.sum(axis=0)).mean())

        mine = balanced_groups(counts.astype(np.int64), 5, trial)
        ours, greedy = ours + deviation(mine), greedy + deviation(theirs)
        found = np.zeros((5, 3))
        np.add.at(found, mine, counts)
        possible = np.minimum(5, (counts > 0).sum(axis=0))
        holes += int((possible - (found > 0).sum(axis=0)).sum())
    assert ours < 0.9 * greedy
    assert holes == 0


def test_same_subject_number_in_two_data_sets_is_two_people() -> None:
    codes, names = subject_codes(clips([("b", "01", "x"), ("a", "01", "x"), ("b", "01", "y")]))
    assert codes.tolist() == [1, 0, 1]
    assert names == ["a/01", "b/01"]


def test_names_with_slashes_do_not_merge_people() -> None:
    codes, _ = subject_codes(clips([("a/b", "c", "x"), ("a", "b/c", "x")]))
    assert len(set(codes.tolist())) == 2


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


@pytest.mark.parametrize(
    "bad", [{"folds": 1}, {"folds": True}, {"folds": 2.5}, {"folds": "5"}, {"seed": -1}, {"seed": 2**32}]
)
def test_bad_options_are_usage_errors(bad: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        create_protocol("subject-kfold", **bad)


def test_numpy_integers_are_whole_numbers() -> None:
    assert create_protocol("subject-kfold", folds=np.int64(3)).describe()["folds"] == 3


@pytest.mark.parametrize(
    ("train", "test", "says"),
    [
        ([0, 1], [1, 2], "in training and in test: rows 1"),
        ([0, 1], [99], "outside the table of 72 clips: 99"),
        ([-1, 1], [2], "outside the table"),
        ([0, 0], [1], "more than once: rows 0"),
        ([0], [], "test side of the split is empty"),
        ([], [0], "training side of the split is empty"),
        (np.array([True, False]), [3], "array of bool"),
        ([0.0], [3], "array of float64"),
        ([[0]], [3], "one-dimensional"),
        ([0, 6], [1], r"1 of 1 test subjects is also in training: demo/s00"),
    ],
)
def test_guard(train: list[int], test: list[int], says: str) -> None:
    with pytest.raises(LeakageError, match=says):
        check_split(demo(), train, test, subject_independent=True)


def test_guard_lets_mixed_subjects_pass_where_nothing_is_promised() -> None:
    train, test = check_split(demo(), [0, 6], [1], subject_independent=False)
    assert train.tolist() == [0, 6] and test.tolist() == [1]


@dataclass(frozen=True)
class Dishonest(KFoldProtocol):
    """Promises to keep people apart, and deals clips instead."""

    name: ClassVar[str] = "dishonest"
    subject_independent: ClassVar[bool] = True

    def split(self, table: pd.DataFrame) -> Iterator[Fold]:
        yield from StratifiedKFoldProtocol(self.folds, seed=self.seed).split(table)


@dataclass(frozen=True)
class Forgetful(KFoldProtocol):
    """Tests one half of the clips twice."""

    name: ClassVar[str] = "forgetful"
    subject_independent: ClassVar[bool] = False

    def split(self, table: pd.DataFrame) -> Iterator[Fold]:
        halves = np.split(np.arange(len(table)), 2)
        for index in range(self.folds):
            yield Fold(index, halves[1], halves[0])


def test_a_dishonest_protocol_is_caught() -> None:
    with pytest.raises(
        LeakageError, match=r"fold 0 of protocol 'dishonest'.*test subjects are also in training: demo/s"
    ):
        folds_of(Dishonest(), demo())
    with pytest.raises(LeakageError, match="promises to test every clip once"):
        folds_of(Forgetful(2), demo())


def test_too_few_folds_are_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    protocol = StratifiedKFoldProtocol()
    first = list(protocol.split(demo()))[:4]
    monkeypatch.setattr(StratifiedKFoldProtocol, "split", lambda self, table: iter(first))
    with pytest.raises(LeakageError, match="yields 4 folds; it promises 5"):
        folds_of(protocol, demo())


def test_registry(own_registries: None) -> None:
    assert {"stratified-kfold", "subject-kfold", "loso", "holdout", "cross-dataset"} <= set(list_protocols())
    with pytest.raises(UsageError, match=r"did you mean 'subject-kfold'\?.*stratified-kfold, subject-"):
        create_protocol("subject-kfolds")
    assert create_protocol("Subject_KFold").name == "subject-kfold"
    with pytest.raises(UsageError, match=r"unknown option of protocol.*'fold'.*folds, label, seed"):
        create_protocol("subject-kfold", fold=3)
    with pytest.warns(FutureWarning, match=r"write @register_protocol\('dishonest'\)"):
        register_protocol(Dishonest)
    assert isinstance(create_protocol("dishonest", folds=3), Dishonest)

    @dataclass(frozen=True)
    class Other(Forgetful):
        name: ClassVar[str] = "other"

    with pytest.raises(UsageError, match="registered already"):
        register_protocol("other")(Other)
        register_protocol("other")(Other)
    with pytest.raises(UsageError, match="calls itself 'other' and is registered as 'another'"):
        register_protocol("another")(Other)


@pytest.mark.parametrize("name", ["stratified-kfold", "subject-kfold"])
def test_scikit_learn_accepts_the_splitter(name: str) -> None:
    table = demo()
    splitter = create_protocol(name).as_sklearn()
    scores = cross_val_score(
        DummyClassifier(), np.zeros((72, 1)), table["emotion"], groups=table[["dataset", "subject"]], cv=splitter
    )
    assert len(scores) == splitter.get_n_splits() == 5
    expected = [fold.test.tolist() for fold in folds_of(create_protocol(name), table)]
    assert [test.tolist() for _, test in splitter.split(table)] == expected


def test_splitter_asks_for_what_it_needs() -> None:
    splitter = create_protocol("subject-kfold").as_sklearn()
    with pytest.raises(UsageError, match="needs groups"):
        next(splitter.split(np.zeros(6), list("ababab")))
    with pytest.raises(UsageError, match="needs the labels y"):
        next(splitter.split(np.zeros(6)))
    with pytest.raises(UsageError, match="one subject per sample"):
        next(splitter.split(np.zeros(6), list("ababab"), [1, 2]))
    with pytest.raises(UsageError, match="one label per sample"):
        next(splitter.split(np.zeros(6), list("ab"), [1, 2]))


def test_notes_name_folds_that_test_no_clip_of_a_class() -> None:
    table = demo()
    assert split_notes(SubjectKFoldProtocol(), table, folds_of(SubjectKFoldProtocol(), table)) == []
    rare = clips([("d", str(i), "a") for i in range(10)] + [("d", str(i), "rare") for i in (1, 2)])
    (note,) = split_notes(SubjectKFoldProtocol(), rare, folds_of(SubjectKFoldProtocol(), rare))
    assert "(of 5) test no clip of 'rare'" in note


@dataclass(frozen=True)
class Counted(Protocol):
    """A protocol from outside that only says how it splits."""

    name: ClassVar[str] = "counted"
    subject_independent: ClassVar[bool] = False

    def split(self, table: pd.DataFrame) -> Iterator[Fold]:
        for index, part in enumerate(np.array_split(np.arange(len(table)), 3)):
            yield Fold(index, np.setdiff1d(np.arange(len(table)), part), part)


def test_a_protocol_needs_no_more_than_a_split() -> None:
    assert len(folds_of(Counted(), demo())) == 3
    assert Counted(seed=2).describe() == {
        "name": "counted", "seed": 2, "subject_independent": False, "noun": "fold", "sentence": "",
    }  # fmt: skip
