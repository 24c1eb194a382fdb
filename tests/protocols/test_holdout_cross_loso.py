"""Hold-outs, cross-data-set tests and leave-one-subject-out."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.dummy import DummyClassifier
from sklearn.model_selection import cross_val_score

from fleeting.errors import UsageError
from fleeting.protocols import create_protocol, folds_of, list_protocols, split_notes
from fleeting.protocols.holdout import held_out_counts

SMIC = {"negative": (70, 56, 14), "positive": (51, 41, 10), "surprise": (43, 34, 9)}


def table_of(counts, dataset="smic", subjects=16, seed=0):
    """Clips of each class dealt at random to people, as unevenly as in the real sets."""
    rng = np.random.default_rng(seed)
    shares = rng.dirichlet(np.full(subjects, 1.5))
    rows = [
        (dataset, f"s{s:02d}", emotion)
        for emotion, n in counts.items()
        for s, times in enumerate(rng.multinomial(n, shares))
        for _ in range(times)
    ]
    table = pd.DataFrame(rows, columns=["dataset", "subject", "emotion"])
    return table.assign(clip=[f"c{i:03d}" for i in range(len(table))])


@pytest.fixture(scope="module")
def smic():
    return table_of({name: total for name, (total, _, _) in SMIC.items()})


@pytest.fixture(scope="module")
def three(smic):
    casme2 = table_of({"negative": 63, "positive": 32, "surprise": 25}, "casme2", 24, 1)
    samm = table_of({"negative": 9, "positive": 26, "surprise": 15}, "samm", 18, 2)
    return pd.concat([smic, casme2, samm], ignore_index=True)


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


@pytest.mark.parametrize(("name", "within"), [("cross-dataset", "stratified"), ("cross-dataset-subject", "subject")])
def test_each_fold_of_the_source_is_tested_on_the_whole_target(three, smic, name, within):
    protocol = create_protocol(name, source="smic", target="samm", seed=2)
    folds = folds_of(protocol, three)
    alone = folds_of(create_protocol(f"{within}-kfold", seed=2), smic)
    where = three["dataset"].to_numpy()
    assert len(folds) == 5
    for fold, source in zip(folds, alone, strict=True):
        assert set(where[fold.train]) == {"smic"} and (where[fold.test] == "samm").all()
        assert len(fold.test) == 50
        # A network trained for one target serves another: the training side does not depend on the target.
        assert fold.train.tolist() == np.flatnonzero(where == "smic")[source.train].tolist()


def test_combined_sources_other_targets_and_the_whole_source(three):
    where = three["dataset"].to_numpy()
    folds = folds_of(create_protocol("cross-dataset", source="casme2+smic"), three)
    assert set(where[folds[0].train]) == {"casme2", "smic"} and set(where[folds[0].test]) == {"samm"}
    folds = folds_of(create_protocol("cross-dataset", source=["samm"]), three)
    assert set(where[folds[0].test]) == {"casme2", "smic"}
    (fold,) = folds_of(create_protocol("cross-dataset", source="casme2", target="smic", folds=1), three)
    assert (len(fold.train), len(fold.test)) == (120, 164)


@pytest.mark.parametrize(("options", "says"), [
    ({}, "given no source"), ({"source": "smic", "target": "casme2+smic"}, "smic as source and as target"),
    ({"source": "smik"}, "smik not among them"), ({"source": "casme2+smic+samm"}, "nothing but the source"),
    ({"source": "smic", "folds": 0}, "at least 1"),
])  # fmt: skip
def test_impossible_sources_say_what_is_there(three, options, says):
    with pytest.raises(UsageError, match=says):
        folds_of(create_protocol("cross-dataset", **options), three)


def test_a_class_that_the_target_lacks_is_noted_once(three):
    protocol = create_protocol("cross-dataset", source="smic", target="samm")
    table = three[~((three["dataset"] == "samm") & (three["emotion"] == "negative"))].reset_index(drop=True)
    assert split_notes(protocol, table, folds_of(protocol, table)) == ["No clip that is tested shows 'negative'."]


def test_loso_leaves_out_each_person_once(three):
    protocol = create_protocol("loso")
    folds = folds_of(protocol, three)
    people = (three["dataset"] + "/" + three["subject"]).to_numpy()
    assert [set(people[fold.test]) for fold in folds] == [{name} for name in sorted(set(people))]
    assert sorted(np.concatenate([fold.test for fold in folds])) == list(range(len(three)))
    (note,) = split_notes(protocol, three, folds)
    assert "only pooled figures" in note


def test_loso_notes_a_class_of_one_person_and_needs_two():
    rows = [("d", s, e) for s in "abc" for e in "xy"] + [("d", "b", "rare")]
    table = pd.DataFrame(rows, columns=["dataset", "subject", "emotion"]).assign(clip=[str(i) for i in range(7)])
    notes = split_notes(create_protocol("loso"), table, folds_of(create_protocol("loso"), table))
    assert "Fold 2 trains on no clip of 'rare', so it cannot be recognised there." in notes
    with pytest.raises(UsageError, match="one subject only"):
        folds_of(create_protocol("loso"), table[table["subject"] == "a"].reset_index(drop=True))
    with pytest.raises(UsageError, match="without subject d/b only the class 'x'"):
        folds_of(create_protocol("loso"), table.iloc[[0, 2, 3, 4]].reset_index(drop=True))


OPTIONS = {"cross-dataset": {"source": "smic"}, "cross-dataset-subject": {"source": "smic+casme2"}}


NAMES = [
    "cross-dataset", "cross-dataset-subject", "holdout", "loso", "repeated-holdout", "repeated-subject-holdout",
    "stratified-kfold", "subject-holdout", "subject-kfold",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_every_protocol_describes_itself_and_ignores_the_order_of_rows(three, name):
    assert name in list_protocols()
    protocol = create_protocol(name, seed=4, **OPTIONS.get(name, {}))
    told = json.loads(json.dumps(protocol.describe()))
    assert told["sentence"] and told["noun"] in ("fold", "split")
    assert told["subject_independent"] is protocol.subject_independent
    options = {key: told[key] for key in protocol.options() if key in told}
    assert create_protocol(name, **options) == protocol
    folds = folds_of(protocol, three)
    assert len(folds) == protocol.n_folds(three)
    shuffled = three.sample(frac=1, random_state=7)

    def clips(table, fold):
        rows = table.iloc[fold.test]
        return sorted(rows["dataset"] + rows["clip"])

    assert [clips(three, f) for f in folds] == [clips(shuffled, f) for f in folds_of(protocol, shuffled)]


def test_scikit_learn_takes_hold_outs_and_loso(smic):
    groups = smic["subject"]
    x = np.zeros((len(smic), 1))
    for name, n in (("loso", groups.nunique()), ("repeated-holdout", 5), ("holdout", 1)):
        splitter = create_protocol(name).as_sklearn()
        assert splitter.get_n_splits(x, smic["emotion"], groups) == n
        assert name == "loso" or splitter.get_n_splits() == n
        assert len(cross_val_score(DummyClassifier(), x, smic["emotion"], groups=groups, cv=splitter)) == n
    with pytest.raises(UsageError, match="depends on the samples"):
        create_protocol("loso").as_sklearn().get_n_splits()
