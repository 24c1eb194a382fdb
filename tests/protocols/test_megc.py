"""The challenge's protocols: the composite as published, and every way to stray from it."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleeting.datasets.composites import composite_subjects, people_of
from fleeting.datasets.facts import read_facts
from fleeting.errors import LeakageError, UsageError
from fleeting.protocols import check_split, create_protocol, folds_of, split_notes

# From the paper's table, not from the package.
COUNTS = {"casme2": (88, 32, 25, 24), "smic": (70, 51, 43, 16), "samm": (92, 26, 15, 28)}
CLASSES = ("negative", "positive", "surprise")


def composite(**counts):
    rows = []
    for dataset, (*classes, people) in (counts or COUNTS).items():
        labels = [name for name, n in zip(CLASSES, classes) for _ in range(n)]
        # A stride that shares no factor with the number of people gives everybody of each class.
        rows += [(dataset, f"{i % people:03d}", f"c{i}", label) for i, label in enumerate(labels)]
    return pd.DataFrame(rows, columns=["dataset", "subject", "clip", "emotion"])


@pytest.fixture(scope="module")
def whole():
    return composite()


def test_the_whole_composite_has_68_folds_of_one_person(whole):
    folds = folds_of(create_protocol("cde"), whole)
    assert len(folds) == 68 and len(whole) == 442
    who = list(zip(whole["dataset"], whole["subject"]))
    for fold in folds:
        (tested,) = {who[row] for row in fold.test}
        assert tested not in {who[row] for row in fold.train}
        assert len(fold.train) + len(fold.test) == 442
        # Everybody else of all data sets is learnt from.
        assert len({who[row] for row in fold.train}) == 67
    loso = folds_of(create_protocol("loso"), whole)
    assert [f.test.tolist() for f in folds] == [f.test.tolist() for f in loso]


def test_the_whole_composite_is_said_to_be_whole(whole):
    notes = split_notes(create_protocol("cde"), whole, folds_of(create_protocol("cde"), whole))
    assert notes[0].startswith("The clips have all numbers of the MEGC 2019 composite: 442 clips, 68 subjects")
    assert not any("Composite:" in note for note in notes)
    assert create_protocol("loso").notes(whole) == []


def test_every_deviation_is_told(whole):
    table = whole[whole["dataset"] != "samm"]
    table = table[~((table["dataset"] == "casme2") & (table["subject"] == "003"))].reset_index(drop=True)
    extra = pd.DataFrame(
        [
            ("casme2", "04", "EP12_01f", "negative"),
            ("casme2", "05", "EP09_05f", "negative"),
            ("smic-nir", "s77", "s77_ne_01", "negative"),
            ("own", "p", "q", "surprise"),
        ],
        columns=table.columns,
    )
    notes = create_protocol("cde").notes(pd.concat([table, extra], ignore_index=True))
    assert "442 clips and 68 subjects" in notes[0]
    told = " ".join(notes[1:])
    assert "samm is absent, which has 133 clips of 28 people" in told
    lost = whole[(whole["dataset"] == "casme2") & (whole["subject"] == "003")]["emotion"].value_counts()
    assert f"{88 - lost['negative'] + 2} negative instead of 88" in told
    assert f"{32 - lost['positive']} positive instead of 32" in told
    assert "casme2 shows 25 people instead of 24" in told
    assert "casme2/04/EP12_01f is here" in told and "casme2/05/EP09_05f is here" in told
    assert "smic-nir is no part of the composite; of these people it takes smic." in told
    assert "own is no part of the composite." in told
    assert "smic shows" not in told


def test_hs_e_is_not_the_composites_smic(whole):
    table = whole.replace({"dataset": {"smic": "smic-hs-e"}})
    assert len(folds_of(create_protocol("cde"), table)) == 68
    told = " ".join(create_protocol("cde").notes(table))
    assert "smic is absent" in told and "smic-hs-e is no part of the composite; of these people it takes smic" in told


def test_a_set_held_out_is_learnt_from_by_no_one(whole):
    folds = folds_of(create_protocol("hde"), whole)
    assert [set(whole["dataset"].iloc[fold.test]) for fold in folds] == [{"casme2"}, {"samm"}, {"smic"}]
    for fold in folds:
        assert not set(whole["dataset"].iloc[fold.train]) & set(whole["dataset"].iloc[fold.test])
        assert len(fold.train) + len(fold.test) == 442
    assert "all numbers of the MEGC 2019 composite" in split_notes(create_protocol("hde"), whole, folds)[0]


@pytest.mark.parametrize("name", ["cde", "hde"])
@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda t: t[t["emotion"] != "surprise"], "no clip of 'surprise'.*negative, positive, surprise"),
        (lambda t: t[t["emotion"] == "negative"], "one class only"),
        (lambda t: t.replace({"emotion": {"negative": "disgust"}}), "'disgust'.*label scheme 'megc2019'.*'loso'"),
        (lambda t: t.replace({"dataset": {"casme2": "smic-vis"}}), "smic and smic-vis, which show the same people"),
        (lambda t: t.replace({"dataset": {"samm": "smic-hs-e"}}), "smic and smic-hs-e"),
        (lambda t: t.iloc[:0], "no rows"),
        (lambda t: t.drop(columns="subject"), "subject"),
        (lambda t: t.assign(subject=""), "name no data set or no subject"),
    ],
)
def test_what_cannot_be_the_composite_is_refused(whole, name, change, says):
    with pytest.raises(UsageError, match=says):
        folds_of(create_protocol(name), change(whole).reset_index(drop=True))


def test_too_few_people_or_sets(whole):
    alone = whole[whole["dataset"] == "smic"].assign(subject="s01").reset_index(drop=True)
    with pytest.raises(UsageError, match="'cde' found one subject only"):
        folds_of(create_protocol("cde"), alone)
    with pytest.raises(UsageError, match="'hde' found one data set only"):
        folds_of(create_protocol("hde"), alone)
    table = pd.DataFrame(
        [("a", "1", "1", "negative"), ("b", "1", "2", "positive"), ("b", "2", "3", "surprise")], columns=whole.columns
    )
    with pytest.raises(UsageError, match="'hde': without b only the class 'negative'"):
        folds_of(create_protocol("hde"), table)


def test_a_face_under_two_names_is_a_leak_in_any_subject_independent_split():
    rows = [
        (dataset, f"s{s:02d}", f"{dataset}{s}{e}", e)
        for dataset in ("smic", "smic-vis")
        for s in range(6)
        for e in "ab"
    ]
    table = pd.DataFrame(rows, columns=["dataset", "subject", "clip", "emotion"])
    with pytest.raises(LeakageError, match=r"smic/s00 is smic-vis/s00.*one of these data sets only"):
        folds_of(create_protocol("loso"), table)
    with pytest.raises(LeakageError, match="shows the same people"):
        folds_of(create_protocol("cross-dataset", source="smic", target="smic-vis"), table)
    train, test = np.flatnonzero(table["subject"] < "s03"), np.flatnonzero(table["subject"] >= "s03")
    check_split(table, train, test, subject_independent=True)
    # The same names in sets of other people are other people.
    other = table.replace({"dataset": {"smic-vis": "samm"}})
    assert len(folds_of(create_protocol("loso"), other)) == 12


tables = st.lists(
    st.tuples(st.sampled_from(["casme2", "smic", "samm"]), st.integers(1, 5).map(str), st.sampled_from(CLASSES)),
    min_size=6,
    max_size=40,
)


@settings(max_examples=60, deadline=None)
@given(tables, st.sampled_from(["cde", "hde"]), st.randoms())
def test_folds_do_not_depend_on_the_order_of_rows(rows, name, random):
    table = pd.DataFrame(rows, columns=["dataset", "subject", "emotion"]).assign(
        clip=[f"c{i}" for i in range(len(rows))]
    )
    order = list(range(len(rows)))
    random.shuffle(order)
    try:
        folds = folds_of(create_protocol(name), table)
    except UsageError as error:
        assert any(
            text in str(error) for text in ("no clip of", "one class", "one subject", "one data set", "only the class")
        )
        return
    again = folds_of(create_protocol(name), table.iloc[order].reset_index(drop=True))
    assert [set(f.test) for f in folds] == [{order[row] for row in f.test} for f in again]


def test_facts_have_sources_and_agree():
    for name in ("composites.csv", "people.csv"):
        assert all(row["source"] for row in read_facts(name))
    assert composite_subjects("megc2019") == {name: row[3] for name, row in COUNTS.items()}
    assert composite_subjects("original") == {}
    assert {people_of(f"smic{x}") for x in ("", "-hs-e", "-vis", "-nir")} == {"SMIC"} and people_of("x") == "x"


def test_what_a_run_keeps_of_them():
    said = create_protocol("cde").describe()
    assert said["name"] == "cde" and said["subject_independent"] and "CDE" in said["sentence"]
    assert create_protocol("hde").scheme == create_protocol("cde").scheme == "megc2019"
    assert create_protocol("loso").scheme is None
