"""Hold-outs have the sizes and class shares that they promise."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleeting.errors import UsageError
from fleeting.protocols import create_protocol, folds_of
from fleeting.protocols.holdout import held_out_counts

SMIC = {"negative": (70, 56, 14), "positive": (51, 41, 10), "surprise": (43, 34, 9)}


def sides(table, fold):
    return (
        table["emotion"].iloc[fold.train].value_counts().to_dict(),
        table["emotion"].iloc[fold.test].value_counts().to_dict(),
    )


@pytest.mark.parametrize("seed", range(3))
def test_irawan_table_1_on_smic(smic, seed):
    (fold,) = folds_of(create_protocol("holdout", seed=seed), smic)
    train, test = sides(smic, fold)
    assert train == {name: n for name, (_, n, _) in SMIC.items()}
    assert test == {name: n for name, (_, _, n) in SMIC.items()}
    assert (len(fold.train), len(fold.test)) == (131, 33)


@settings(deadline=None, max_examples=200)
@given(st.lists(st.integers(2, 200), min_size=2, max_size=7), st.floats(0.01, 0.99))
def test_held_out_counts_keep_every_class_on_both_sides(counts, share):
    counts = np.array(counts)
    found = held_out_counts(counts, share)
    assert (found >= 1).all() and (found <= counts - 1).all()
    wanted = min(max(round(counts.sum() * share), len(counts)), counts.sum() - len(counts))
    assert found.sum() == wanted
    inside = (counts * share > 1) & (counts * share < counts - 1)
    if inside.all():
        assert (np.abs(found - counts * (wanted / counts.sum())) < 1).all()


def test_repeated_holdouts_differ_repeat_and_begin_with_the_holdout(smic):
    folds = folds_of(create_protocol("repeated-holdout", repeats=5, seed=3), smic)
    assert len({fold.test.tobytes() for fold in folds}) == 5
    again = folds_of(create_protocol("repeated-holdout", repeats=5, seed=3), smic)
    assert [f.test.tolist() for f in folds] == [f.test.tolist() for f in again]
    (one,) = folds_of(create_protocol("holdout", seed=3), smic)
    assert one.test.tolist() == folds[0].test.tolist()
    for fold in folds:
        assert sides(smic, fold)[1] == {"negative": 14, "positive": 10, "surprise": 9}
        assert sorted([*fold.train, *fold.test]) == list(range(164))


@pytest.mark.parametrize("name", ["subject-holdout", "repeated-subject-holdout"])
def test_people_are_held_out_whole_and_every_class_is_on_both_sides(smic, name):
    people = smic["subject"].to_numpy()
    folds = folds_of(create_protocol(name, seed=1), smic)
    assert len({fold.test.tobytes() for fold in folds}) == len(folds) == (5 if "repeated" in name else 1)
    for fold in folds:
        assert not set(people[fold.train]) & set(people[fold.test])
        train, test = sides(smic, fold)
        assert set(train) == set(test) == set(SMIC)
        assert len(fold.test) == pytest.approx(33, abs=8)
        for emotion, (total, _, _) in SMIC.items():
            assert test[emotion] / len(fold.test) == pytest.approx(total / 164, abs=0.15)


def test_people_holdouts_that_cannot_be_say_why():
    rows = [("d", "a", "x"), ("d", "b", "x"), ("d", "c", "x"), ("d", "a", "y"), ("d", "b", "y")]
    table = pd.DataFrame(rows, columns=["dataset", "subject", "emotion"]).assign(clip=list("12345"))
    with pytest.raises(UsageError, match=r"only \d different ways.*fewer repeats"):
        folds_of(create_protocol("repeated-subject-holdout", repeats=9), table)
    with pytest.raises(UsageError, match=r"'y' in one subject only \(d/a\)"):
        folds_of(create_protocol("subject-holdout"), table.iloc[:4])
    pairs = [("a", "x"), ("b", "x"), ("b", "y"), ("c", "y"), ("a", "z"), ("c", "z")]
    table = pd.DataFrame(pairs, columns=["subject", "emotion"]).assign(dataset="d", clip=list("123456"))
    # Whoever is held out, the other two still show all three classes; of two held out, never.
    with pytest.raises(UsageError, match="found no way to hold out about 67 %"):
        folds_of(create_protocol("subject-holdout", test_size=0.67), table)


@pytest.mark.parametrize("bad", [{"test_size": 0}, {"test_size": 1}, {"test_size": "0.2"}, {"test_size": True}])
def test_test_size_is_a_share(bad):
    with pytest.raises(UsageError, match="a share between 0 and 1"):
        create_protocol("holdout", **bad)


def test_a_single_clip_of_a_class_cannot_be_held_out(smic):
    table = pd.concat([smic, smic.iloc[:1].assign(emotion="fear", clip="x")], ignore_index=True)
    with pytest.raises(UsageError, match="a single clip of class 'fear'"):
        folds_of(create_protocol("holdout"), table)
