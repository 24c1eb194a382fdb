"""Stand-ins of the true size, and clips dealt to subjects by counts."""

import csv
import json
from collections import Counter
from functools import partial
from importlib.resources import files

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleeting.app.cli import main
from fleeting.errors import UsageError
from fleeting.synthesis import LAYOUTS, LOOK_ALIKES, list_identities, look_alike, write_dataset, write_look_alike
from fleeting.synthesis.dealing import deal_counts
from fleeting.synthesis.look_alike import LEAST_CLIPS

QUICK = {"size": (70, 85), "seed": 5, "pose": 0, "jitter": 0, "noise": 0}


@pytest.fixture
def small_pictures(monkeypatch):
    monkeypatch.setattr(look_alike, "write_dataset", partial(look_alike.write_dataset, size=(70, 85)))


def labels(dataset):
    return Counter(
        {
            label: sum(n for e, n in LOOK_ALIKES[dataset].counts.items() if LAYOUTS[dataset].label(e) == label)
            for label in {LAYOUTS[dataset].label(e) for e in LOOK_ALIKES[dataset].counts}
        }
    )


def test_the_true_sizes():
    assert labels("casme2") == {"happiness": 32, "disgust": 63, "surprise": 28}
    assert labels("smic") == {"positive": 51, "negative": 70, "surprise": 43}
    assert labels("samm") == {"Happiness": 26, "Disgust": 9, "Surprise": 15}
    for name, model in LOOK_ALIKES.items():
        assert model.subjects == len(LAYOUTS[name].subjects)
        frames = np.mean(model.seconds) * LAYOUTS[name].fps
        assert frames == pytest.approx({"casme2": 68, "smic": 34, "samm": 75}[name], abs=0.5)


def test_the_true_sizes_are_those_of_the_published_table():
    source = files("fleeting.datasets") / "published.csv"
    rows = [r for r in csv.DictReader(source.read_text().splitlines()) if r["scheme"] == "talluri2022"]
    for name in LOOK_ALIKES:
        published = sorted(int(r["count"]) for r in rows if r["dataset"] == name)
        assert sorted(labels(name).values()) == published  # SAMM's two small classes are swapped there


@settings(deadline=None, max_examples=60)
@given(
    st.dictionaries(st.sampled_from(["happiness", "disgust", "surprise", "fear"]), st.integers(1, 40), min_size=1),
    st.integers(1, 40),
    st.integers(0, 5),
)
def test_dealing_keeps_the_counts_and_leaves_nobody_out(counts, subjects, seed):
    rng = np.random.default_rng(seed)
    if sum(counts.values()) < subjects:
        with pytest.raises(UsageError, match=f"at most {sum(counts.values())} subjects"):
            deal_counts(counts, subjects, rng)
        return
    dealt = deal_counts(counts, subjects, rng)
    assert len(dealt) == subjects
    assert min(map(len, dealt)) >= 1
    assert Counter(e for clips in dealt for e in clips) == counts
    for emotion, count in counts.items():
        assert sum(emotion in clips for clips in dealt) >= min(5, count, subjects)


def test_a_full_size_deal_is_as_uneven_as_real_sets():
    for model in LOOK_ALIKES.values():
        sizes = sorted(len(clips) for clips in deal_counts(model.counts, model.subjects, np.random.default_rng(0)))
        total = sum(sizes)
        assert sizes[-1] > 2 * total / len(sizes)  # someone shows more than twice the mean
        assert sizes[0] < total / len(sizes) / 1.5


@pytest.mark.parametrize(
    ("name", "fps"),
    [
        ("casme2", 200),
        ("smic", 100),  # samm: below, from the command line
    ],
)
def test_a_small_look_alike(tmp_path, name, fps, small_pictures):
    calls = []
    made = write_look_alike(tmp_path / name, name, scale=0.01, progress=lambda d, t: calls.append((d, t)))
    model = LOOK_ALIKES[name].scaled(0.01)
    assert set(model.counts.values()) == {LEAST_CLIPS}
    assert model.subjects == 5
    assert made.n_clips == made.n_written == LEAST_CLIPS * len(model.counts) == calls[-1][1]
    truths = [np.load(p, allow_pickle=False) for p in sorted((tmp_path / name / "truth").iterdir())]
    lengths = [len(t["profile"]) for t in truths]
    low, high = model.seconds
    assert all(round(low * fps) <= n <= round(high * fps) for n in lengths)
    assert {float(t["fps"]) for t in truths} == {fps}
    people = {str(t["identity"]) for t in truths}
    assert len(people) == 5
    assert people <= set(list_identities())  # heads, and no variants, as long as there are enough
    if name == "smic":
        assert all(int(t["onset"]) == 0 and int(t["offset"]) == n - 1 for t, n in zip(truths, lengths))
        assert all(t["profile"][int(t["apex"])] == 1 for t in truths)
    again = write_look_alike(tmp_path / name, name, scale=0.01)
    assert again.n_written == 0
    assert again.emotions == made.emotions
    with pytest.raises(UsageError, match="counts was"):
        write_look_alike(tmp_path / name, name, scale=0.5)


def test_no_head_is_in_two_full_sets():
    everyone = list_identities(variants=True)
    cast = {}
    for name, model in LOOK_ALIKES.items():
        first = LAYOUTS[name].first_identity
        cast[name] = set(everyone[first : first + model.subjects])
        assert len(cast[name]) == model.subjects
    assert not cast["casme2"] & cast["smic"]
    assert not cast["casme2"] & cast["samm"]
    assert not cast["smic"] & cast["samm"]
    assert sum(name.endswith("m") for names in cast.values() for name in names) == 71 - len(list_identities())


def test_counts_in_any_layout_and_process_number(tmp_path):
    counts = {"fear": 4, "anger": 1, "neutral": 2}
    one = write_dataset(tmp_path / "one", counts=counts, subjects=3, fps=25, **QUICK)
    two = write_dataset(tmp_path / "two", counts=counts, subjects=3, fps=25, jobs=2, **QUICK)
    assert one.emotions == counts
    assert (one.path / "clips.csv").read_bytes() == (two.path / "clips.csv").read_bytes()
    frames = sorted(p.relative_to(one.path) for p in one.path.rglob("*.jpg"))
    assert frames
    assert all((one.path / p).read_bytes() == (two.path / p).read_bytes() for p in frames)
    parameters = json.loads((one.path / "synthetic.json").read_text())["parameters"]
    assert parameters["counts"] == counts
    assert parameters["clips_per_subject"] is None


def test_longer_clips_on_request(tmp_path):
    made = write_dataset(tmp_path, subjects=1, clips_per_subject=3, fps=50, seconds=(1.0, 1.2), **QUICK)
    assert 150 <= made.n_frames <= 180


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"counts": {}}, "counts are empty"),
        ({"counts": {"joy": 3}}, "unknown emotion for the plain layout 'joy'"),
        ({"counts": {"fear": 0}}, "0 clips of fear"),
        ({"counts": {"fear": 2.5}}, r"2\.5 clips of fear"),
        ({"counts": {"fear": 2}, "subjects": 3}, "at most 2 subjects"),
        ({"counts": {"fear": 2}, "emotions": ["fear"]}, "leave out emotions"),
        ({"counts": {"fear": 2}, "clips_per_subject": 2}, "leave out emotions"),
        ({"seconds": (0.5, 0.4)}, "shortest, then the longest"),
        ({"seconds": (0.1, 0.4)}, r"do not hold a micro-expression; expected at least 0\.285"),
        ({"seconds": (0.01, 0.4), "layout": "smic"}, "do not hold"),
    ],
)
def test_nonsense_is_refused_before_anything_is_written(tmp_path, arguments, message):
    with pytest.raises(UsageError, match=message):
        write_dataset(tmp_path / "set", **{"subjects": 1, **arguments})
    assert not (tmp_path / "set").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--look-alike"], "casme2, samm, smic"),
        (["--look-alike", "--layout", "samm", "--subjects", "3"], "only --layout, --scale"),
        (["--look-alike", "--layout", "samm", "--scale", "1.5"], "at most 1"),
        (["--look-alike", "--layout", "samm", "--scale", "0"], "more than 0"),
        (["--scale", "0.5"], "add --look-alike"),
    ],
)
def test_the_command_line_refuses(tmp_path, arguments, message, capsys):
    assert main(["synth", str(tmp_path / "set"), *arguments]) == 2
    assert message in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "set").exists()


def test_the_command_line_writes_one(tmp_path, capsys, small_pictures):
    command = ["synth", str(tmp_path / "set"), "--layout", "samm", "--look-alike", "--scale", "0.01", "--jobs", "1"]
    assert main([*command, "--json", "--quiet"]) == 0
    counts = json.loads(capsys.readouterr().out)["emotions"]
    assert counts == dict.fromkeys(("Happiness", "Disgust", "Surprise"), LEAST_CLIPS)
