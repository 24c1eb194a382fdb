"""The guard catches protocols that do not keep their promises."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from fleeting.errors import LeakageError
from fleeting.protocols import (
    KFoldProtocol,
    StratifiedKFoldProtocol,
    SubjectKFoldProtocol,
    check_split,
    folds_of,
    split_notes,
    subject_codes,
)


def clips(rows: list[tuple[str, str, str]]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=["dataset", "subject", "emotion"])
    table["clip"] = [f"c{i:04d}" for i in range(len(table))]
    return table


def demo(subjects: int = 12, each: int = 6) -> pd.DataFrame:
    return clips([("demo", f"s{s:02d}", "abc"[(s + i) % 3]) for s in range(subjects) for i in range(each)])


def test_same_subject_number_in_two_data_sets_is_two_people() -> None:
    codes, names = subject_codes(clips([("b", "01", "x"), ("a", "01", "x"), ("b", "01", "y")]))
    assert codes.tolist() == [1, 0, 1]
    assert names == ["a/01", "b/01"]


def test_names_with_slashes_do_not_merge_people() -> None:
    codes, _ = subject_codes(clips([("a/b", "c", "x"), ("a", "b/c", "x")]))
    assert len(set(codes.tolist())) == 2


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


def test_a_dishonest_protocol_is_caught(dishonest: type[KFoldProtocol], forgetful: type[KFoldProtocol]) -> None:
    with pytest.raises(
        LeakageError, match=r"fold 0 of protocol 'dishonest'.*test subjects are also in training: demo/s"
    ):
        folds_of(dishonest(), demo())
    with pytest.raises(LeakageError, match="promises to test every clip once"):
        folds_of(forgetful(2), demo())


def test_too_few_folds_are_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    protocol = StratifiedKFoldProtocol()
    first = list(protocol.split(demo()))[:4]
    monkeypatch.setattr(StratifiedKFoldProtocol, "split", lambda self, table: iter(first))
    with pytest.raises(LeakageError, match="yields 4 folds; it promises 5"):
        folds_of(protocol, demo())


def test_notes_name_folds_that_test_no_clip_of_a_class() -> None:
    table = demo()
    assert split_notes(SubjectKFoldProtocol(), table, folds_of(SubjectKFoldProtocol(), table)) == []
    rare = clips([("d", str(i), "a") for i in range(10)] + [("d", str(i), "rare") for i in (1, 2)])
    (note,) = split_notes(SubjectKFoldProtocol(), rare, folds_of(SubjectKFoldProtocol(), rare))
    assert "(of 5) test no clip of 'rare'" in note
