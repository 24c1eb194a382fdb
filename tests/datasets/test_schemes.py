"""Label schemes and their published counts."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleeting.clips import ArrayFrames, Clip, clips_table
from fleeting.datasets import (
    apply_scheme,
    left_out,
    list_schemes,
    published_counts,
    scheme_classes,
    scheme_discrepancies,
)
from fleeting.datasets.facts import known_counts
from fleeting.errors import UsageError

FRAMES = ArrayFrames(np.zeros((2, 2, 2), np.uint8))


def clip(dataset, emotion, subject="01", name="c"):
    return Clip(dataset, subject, name, FRAMES, emotion=emotion)


def complete(*datasets):
    """The complete sets, by class."""
    return [
        clip(d, emotion, name=f"{emotion}{i}")
        for d in datasets
        for emotion, n in known_counts(d).items()
        for i in range(n)
    ]


def count(clips):
    return pd.Series([c.emotion for c in clips]).value_counts().to_dict()


def megc_casme2():
    clips = complete("casme2")
    # The two clips that the challenge leaves out are among the disgusts.
    disgusts = [i for i, c in enumerate(clips) if c.emotion == "disgust"]
    clips[disgusts[0]] = clip("casme2", "disgust", "04", "EP12_01f")
    clips[disgusts[1]] = clip("casme2", "disgust", "05", "EP09_05f")
    return clips


def test_classes_of_each_scheme():
    assert list_schemes() == ["megc2019", "original", "talluri2022"]
    assert scheme_classes("talluri2022") == ("happy", "disgust", "surprise")
    assert set(scheme_classes("megc2019")) == {"negative", "positive", "surprise"}
    assert scheme_classes("original") == ()


def test_the_composite_of_the_grand_challenge_has_its_published_size():
    clips = [*megc_casme2(), *complete("smic", "samm")]
    found = apply_scheme(clips, "megc2019")
    assert len(found) == 442
    assert count(found) == {"negative": 250, "positive": 109, "surprise": 83}
    assert scheme_discrepancies(clips, "megc2019") == []
    out = {p.clip: p.reason for p in left_out(clips, "megc2019")}
    assert "no apex was coded" in out["EP12_01f"] and "the apex is the onset" in out["EP09_05f"]
    assert len(out) + len(found) == len(clips)


def test_the_discrepancies_of_the_paper_are_shown():
    clips = complete("casme2", "smic", "samm")
    found = {(d.dataset, d.label): d for d in scheme_discrepancies(clips, "talluri2022")}
    assert {key: (d.found, d.published) for key, d in found.items()} == {
        ("casme2", "surprise"): (25, 28),
        ("samm", "disgust"): (9, 15),
        ("samm", "surprise"): (15, 9),
    }
    assert "swaps the two" in found["samm", "disgust"].note
    assert "25 surprise" in found["casme2", "surprise"].note
    assert "published 28 (Talluri et al. 2022, table 1)" in str(found["casme2", "surprise"])
    # From a table, and of clips that have the scheme's labels already, it is the same.
    again = [scheme_discrepancies(x, "talluri2022") for x in (clips_table(clips), apply_scheme(clips, "talluri2022"))]
    assert again[0] == again[1] == list(found.values())
    assert count(apply_scheme(clips, "talluri2022")) == {"happy": 109, "disgust": 142, "surprise": 83}


def test_an_incomplete_set_is_no_slip_of_the_paper():
    clips = complete("samm")
    clips.remove(next(c for c in clips if c.emotion == "Disgust"))
    found = scheme_discrepancies(clips, "talluri2022")
    note = {d.label: d.note for d in found}
    assert "swaps" not in note["disgust"] and "incomplete" in note["disgust"]
    assert "swaps" in note["surprise"]
    assert {d.label for d in scheme_discrepancies([clip("samm", "Happiness")], "original")} == set(known_counts("samm"))
    assert scheme_discrepancies(complete("samm"), "original") == []
    assert scheme_discrepancies([clip("folder", "fear")], "megc2019") == []


def test_published_counts():
    assert published_counts("talluri2022")["samm", "disgust"] == 15
    assert sum(n for (d, _), n in published_counts("talluri2022").items() if d == "casme2") == 123
    assert sum(published_counts("megc2019").values()) == 442
    assert published_counts("original")["smic-hs-e", "surprise"] == 41


def test_labels_of_subsets_own_folders_and_odd_spellings():
    found = apply_scheme(
        [
            clip("smic-hs-e", "positive"),
            clip("smic-vis", "negative"),
            clip("folder", "Happiness"),
            clip("synthetic", "contempt"),
            clip("samm", "HAPPINESS "),
        ],
        "talluri2022",
    )
    assert [c.emotion for c in found] == ["happy", "disgust", "happy", "happy"]
    assert apply_scheme([], "megc2019") == []
    kept = [clip("folder", None), clip("folder", "bored")]
    assert apply_scheme(kept, "original") == kept
    assert left_out(kept, "original") == []
    assert next(p.reason for p in left_out([clip("samm", None), *kept[1:]], "megc2019")) == "the clip has no label"


def test_what_a_scheme_cannot_do():
    with pytest.raises(UsageError, match="did you mean 'talluri2022'"):
        apply_scheme([], "taluri2022") or scheme_classes("taluri2022")
    with pytest.raises(UsageError, match=r"knows none of the labels bored; expected words such as happiness"):
        apply_scheme([clip("folder", "bored")], "talluri2022")
    # That all are left out knowingly is no slip.
    assert apply_scheme([clip("samm", "Other")], "talluri2022") == []


@given(st.lists(st.sampled_from(complete("casme2", "smic", "samm")), max_size=30), st.sampled_from(list_schemes()))
def test_applying_twice_is_applying_once(clips, scheme):
    once = apply_scheme(clips, scheme)
    assert apply_scheme(once, scheme) == once
    assert len(once) + len(left_out(clips, scheme)) == len(clips)
    assert {c.key for c in once} <= {c.key for c in clips}
