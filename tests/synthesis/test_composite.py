"""The synthetic composite: the size of MEGC 2019's, people with habits, exact truth, the same bytes for a seed."""

import csv
import hashlib
import json
import os
import subprocess
import sys
from collections import Counter, defaultdict
from importlib.resources import files

import cv2
import numpy as np
import pytest

from fleeting.app.cli import main
from fleeting.clips import FrameSource, clips_table
from fleeting.datasets import apply_scheme, load_clips
from fleeting.errors import UsageError
from fleeting.parallel import map_jobs
from fleeting.synthesis import EMOTIONS, LAYOUTS, CompositeSettings, composite_clips, make_clip
from fleeting.synthesis import composite as module
from fleeting.synthesis.filming import sample_field

# See et al. 2019, table 1.
TABLE = {
    "smic": ((70, 51, 43), 16),
    "casme2": ((88, 32, 25), 24),
    "samm": ((92, 26, 15), 28),
}
CLASSES = ("negative", "positive", "surprise")
STILL = {"jitter": 0.0, "drift": 0.0, "blinks": 0.0, "noise": 0.0}
SMALL = {"scale": 0.02}


@pytest.fixture(scope="module")
def clips():
    return composite_clips(seed=1)


@pytest.fixture
def small_pictures(monkeypatch):
    parts = {}
    for name, part in module.COMPOSITE.items():
        camera = module.Camera((140, 170), part.camera.grey, part.camera.noise, part.camera.flicker)
        parts[name] = module.Part(part.counts, part.subjects, camera, part.apex_error, part.absent)
    monkeypatch.setattr(module, "COMPOSITE", parts)


def people(clips):
    found = defaultdict(list)
    for clip in clips:
        found[clip.dataset, clip.subject].append(clip)
    return found


@pytest.mark.parametrize("seed", [0, 1, 7])
def test_counts_and_people_are_those_of_the_challenge(seed):
    table = clips_table(apply_scheme(composite_clips(seed), "megc2019"))
    assert len(table) == 442
    for name, (counts, subjects) in TABLE.items():
        here = table[table.dataset == name]
        assert tuple(sum(here.emotion == label) for label in CLASSES) == counts
        assert here.subject.nunique() == subjects
    assert not table.duplicated(["dataset", "subject", "clip"]).any()


def test_counts_are_those_that_the_package_has_from_the_paper():
    rows = csv.DictReader((files("fleeting.datasets") / "published.csv").read_text().splitlines())
    published = {(r["dataset"], r["label"]): int(r["count"]) for r in rows if r["scheme"] == "megc2019"}
    assert published == {
        (name, label): sum(of.values()) for name, part in module.COMPOSITE.items() for label, of in part.counts.items()
    }


def test_words_and_names_are_those_of_the_sets(clips):
    for clip in clips:
        layout = LAYOUTS[clip.dataset]
        assert clip.emotion in layout.vocabulary.values()
        assert clip.subject.removeprefix("s") in layout.subjects
        assert clip.fps == layout.fps
        assert clip.frames.size == (640, 480)
    words = Counter((clip.dataset, clip.emotion) for clip in clips)
    assert words["samm", "Anger"] == 57
    assert words["casme2", "repression"] == 27
    names = {(clip.dataset, clip.subject, clip.name) for clip in clips}
    assert not names & {("casme2", "04", "EP12_01f"), ("casme2", "05", "EP09_05f")}


def test_clips_fall_to_people_as_unevenly_as_in_the_real_sets(clips):
    shown = {who: {c.emotion for c in apply_scheme(own, "megc2019")} for who, own in people(clips).items()}
    sizes = sorted(len(own) for own in people(clips).values())
    assert sum(len(labels) < 3 for labels in shown.values()) > 68 / 2
    assert sizes[0] <= 2
    assert sizes[-1] > 3 * 442 / 68


def test_a_subject_is_one_person_with_one_style_and_nobody_occurs_twice(clips):
    faces = []
    for own in people(clips).values():
        style = own[0].frames.style
        assert all(clip.frames.style == style for clip in own)
        faces.append(style.identity)
    assert len(set(faces)) == 68
    assert sum(name.endswith("m") for name in faces) == 20  # 48 heads, and variants of some


def test_habits_come_along_with_whatever_is_felt(clips):
    for clip in clips:
        frames = clip.frames
        assert frames.style.habits.keys() <= frames.intensities.keys()
        assert any(combination.keys() <= frames.intensities.keys() for combination in EMOTIONS[frames.emotion])
        assert LAYOUTS[clip.dataset].label(frames.emotion) == clip.emotion
        if clip.dataset != "smic":
            assert set(clip.action_units.split("+")) == set(frames.intensities)
    without = composite_clips(1, habits=0.0, asymmetry=0.0, level=0.0)
    assert all(not clip.frames.style.habits for clip in without)
    assert {(clip.frames.style.asymmetry, clip.frames.style.level) for clip in without} == {(0.0, 1.0)}


def test_another_seed_gives_other_people(clips):
    one, other = people(clips), people(composite_clips(2))
    assert one.keys() == other.keys()
    styles = [(one[who][0].frames.style, other[who][0].frames.style) for who in one]
    assert all(a.habits != b.habits and a.drift != b.drift for a, b in styles)
    assert np.mean([a.identity == b.identity for a, b in styles]) < 0.2
    assert np.mean([len(one[who]) == len(other[who]) for who in one]) < 0.5


def test_the_coded_apex_is_near_the_true_one_and_worse_in_smic(clips):
    off = defaultdict(list)
    for clip in clips:
        timing = clip.frames.timing
        assert (clip.onset, clip.offset) == (timing.onset, timing.offset)
        assert clip.onset < clip.apex < clip.offset < len(clip)
        off[clip.dataset].append((clip.apex - timing.apex) / clip.fps)
        assert clip.dataset != "smic" or (clip.onset, clip.offset) == (0, len(clip) - 1)
    spread = {name: np.std(values) for name, values in off.items()}
    assert spread["smic"] > 1.3 * spread["samm"] > 0.01
    exact = composite_clips(1, apex_error=0.0)
    assert all(clip.apex == clip.frames.timing.apex for clip in exact)


def test_what_is_said_of_a_clip_without_rendering_it_is_true(small_pictures):
    for clip in composite_clips(6, **SMALL)[::4]:
        truth, frames = clip.frames.truth(), clip.frames
        assert (truth.onset, truth.apex, truth.offset) == (clip.onset, frames.timing.apex, clip.offset)
        assert (truth.emotion, truth.intensities) == (frames.emotion, frames.intensities)
        assert (truth.identity, truth.fps, len(truth)) == (frames.style.identity, clip.fps, len(clip))


def test_the_same_bytes_in_any_process_and_order(tmp_path):
    clip = composite_clips(3, **SMALL)[-1]
    assert isinstance(clip.frames, FrameSource)
    here = [hashlib.sha256(frame.tobytes()).hexdigest() for _, frame in clip.frames.read([clip.apex, clip.onset])]
    assert here[1] == hashlib.sha256(clip.frames[clip.apex].tobytes()).hexdigest()
    assert here[0] == hashlib.sha256(clip.frames[clip.onset - len(clip)].tobytes()).hexdigest()
    code = (
        "import hashlib; from fleeting.synthesis import composite_clips; c = composite_clips(3, scale=0.02)[-1]; "
        "print(c.frames.digest(), *(hashlib.sha256(c.frames[i].tobytes()).hexdigest() for i in (c.onset, c.apex)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONHASHSEED": "77"},
    )
    assert done.stdout.split() == [clip.frames.digest(), *here]
    with pytest.raises(IndexError, match="expected 0 to"):
        clip.frames[len(clip)]


def test_digests_tell_clips_seeds_and_settings_apart():
    a, b, c = composite_clips(3, **SMALL), composite_clips(4, **SMALL), composite_clips(3, **SMALL, noise=0.5)
    digests = [clip.frames.digest() for clip in (*a, *b, *c)]
    assert len(set(digests)) == len(digests)
    assert [clip.frames.digest() for clip in composite_clips(3, **SMALL)] == digests[: len(a)]


def _apex_of(clip):
    return clip.frames[clip.apex]


def test_clips_go_to_other_processes(small_pictures):
    two = composite_clips(3, **SMALL)[:2]
    found = dict(map_jobs(_apex_of, two, jobs=2))
    for position, clip in enumerate(two):
        np.testing.assert_array_equal(found[position], clip.frames[clip.apex])


def test_cameras_differ_as_the_sets_do(small_pictures):
    noise, grey = {}, {}
    for clip in composite_clips(0, **SMALL):
        if clip.dataset not in noise:
            first, second = clip.frames.truth([0, 1]).frames.astype(float)
            # Top corner: background, in which nothing moves by much.
            noise[clip.dataset] = np.median(np.abs(second - first)[:20, :20])
            grey[clip.dataset] = bool((np.ptp(clip.frames[0], axis=2) == 0).all())
    assert grey == {"smic": False, "casme2": False, "samm": True}
    assert noise["smic"] > noise["casme2"]


def test_the_apex_shows_the_displacement_that_the_truth_says():
    """A picture without noise, looked up where the truth says that its points went, is the onset frame again."""
    for number, clip in enumerate(composite_clips(5, **SMALL, **STILL, amplitude=(2.0, 2.2), level=0.0)[::5]):
        truth = clip.frames.truth([clip.onset, clip.apex])
        onset, apex = (cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY).astype(np.float32) for frame in truth.frames)
        height, width = onset.shape
        yy, xx = np.mgrid[0:height, 0:width].astype(np.float32)
        share = float(truth.profile[clip.apex])
        went = truth.field * np.float32(share)
        back = cv2.remap(apex, xx + went[..., 0], yy + went[..., 1], cv2.INTER_CUBIC)
        moving = np.linalg.norm(truth.field, axis=2) > 0.3 * truth.amplitude_pixels
        # Flicker and furrows change brightness slowly over the picture: edges alone are compared.
        edges = [image - cv2.GaussianBlur(image, (0, 0), 3) for image in (onset, apex, back)]
        unmoved, undone = (float(np.abs(other - edges[0])[moving].mean()) for other in edges[1:])
        assert share > 0.3, number
        assert undone < 0.35 * unmoved, (number, undone, unmoved)
        assert np.linalg.norm(truth.field, axis=2).max() == pytest.approx(truth.amplitude_pixels, rel=1e-4)
        moved = truth.landmarks[clip.apex] - truth.landmarks[clip.onset]
        np.testing.assert_allclose(moved, share * sample_field(truth.field, truth.landmarks[clip.onset]), atol=1e-3)


# ---------------------------------------------------------------- what make_clip learnt for it


def test_frames_filmed_alone_are_those_of_the_whole_clip():
    how = {"fps": 60.0, "seed": 9, "blink": 6, "asymmetry": 0.4, "drift": (9.0, -4.0, 0.1, 0.05), "size": (140, 170)}
    whole = make_clip("03", "fear", **how)
    some = make_clip("03", "fear", **how, film=[12, 0, 7])
    assert (some.filmed, len(some)) == ((12, 0, 7), len(whole))
    np.testing.assert_array_equal(some.frames, whole.frames[[12, 0, 7]])
    np.testing.assert_array_equal(some.landmarks, whole.landmarks)
    assert whole.filmed is None
    with pytest.raises(UsageError, match="leave out film"):
        some.to_clip()
    assert make_clip("03", "fear", **how, film=[]).frames.shape == (0, 170, 140, 3)


def test_an_uneven_face_moves_more_on_its_own_left():
    fields = [
        make_clip("03", "happiness", seed=2, pose=0, action_units={"12": 1.0}, asymmetry=a, film=[])
        for a in (-0.5, 0.5)
    ]
    # The person's left is on the picture's right: mouth corners 48 and 54.
    right, left = (
        np.linalg.norm(np.stack([sample_field(f.field, f.landmarks[0][[k]])[0] for f in fields]), axis=1)
        for k in (48, 54)
    )
    assert left[1] > 1.5 * right[1]
    assert right[0] > 1.5 * left[0]


def test_drift_is_exact_and_a_second_long():
    drift = (10.0, -5.0, 0.2, 0.1)
    clip = make_clip("03", None, fps=50, n_frames=51, jitter=0, drift=drift, size=(560, 680), film=[])
    np.testing.assert_allclose(clip.head[50], [20.0, -10.0, 0.2, 0.1])
    still = make_clip("03", None, fps=50, n_frames=51, jitter=0, size=(560, 680), film=[])
    assert not still.head.any()
    middle = clip.landmarks.mean(1) - clip.centre
    np.testing.assert_allclose(middle[50] - [20.0, -10.0], 1.1 * _turned(middle[0], 0.2), atol=1e-6)


def _turned(point, angle):
    c, s = np.cos(angle), np.sin(angle)
    return np.array([c * point[0] - s * point[1], s * point[0] + c * point[1]])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"film": [68]}, r"film 68: no such frame in a clip of 68 frames \(0 to 67\)"),
        ({"film": [-1]}, "film -1"),
        ({"film": [3, 3]}, "each frame once"),
        ({"asymmetry": 1.5}, r"asymmetry 1\.5"),
        ({"drift": (1.0, 2.0)}, "four numbers"),
        ({"drift": (1.0, 2.0, np.nan, 0.0)}, "four numbers"),
    ],
)
def test_make_clip_refuses(arguments, message):
    with pytest.raises(UsageError, match=message):
        make_clip("03", "fear", **arguments)


# ---------------------------------------------------------------- arguments and the command line


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"seed": -1}, "seed -1"),
        ({"seed": 1.5}, r"seed 1\.5"),
        ({"scale": 0.0}, "more than 0"),
        ({"scale": 1.5}, "at most 1"),
        ({"habit": 0.3}, "habit: Extra inputs.*the fields are amplitude, level"),
        ({"blend": 2.0}, "blend: Input should be less"),
        ({"amplitude": (2.0, 1.0)}, "the lowest, then the highest"),
        ({"amplitude": (0.0, 1.0)}, "above 0"),
        ({"settings": CompositeSettings(), "blend": 0.1}, "leave out blend"),
    ],
)
def test_nonsense_is_refused(arguments, message):
    with pytest.raises(UsageError, match=message):
        composite_clips(**arguments)


@pytest.mark.parametrize("scale", [0.001, 0.05, 0.3])
def test_a_small_composite_has_all_of_its_parts(scale):
    clips = apply_scheme(composite_clips(0, scale=scale), "megc2019")
    cells = Counter((clip.dataset, clip.emotion) for clip in clips)
    assert cells.keys() == {(name, label) for name in TABLE for label in CLASSES}
    assert min(cells.values()) >= 2
    subjects = Counter(dataset for dataset, _ in people(clips))
    assert min(subjects.values()) >= 2
    assert all(subjects[name] <= TABLE[name][1] for name in TABLE)


def test_the_command_writes_what_the_flow_loader_reads(tmp_path, capsys, small_pictures):
    out = tmp_path / "flüsse"
    command = ["synth-composite", str(out), "--seed", "3", "--scale", "0.001", "--jobs", "1", "--quiet", "--json"]
    assert main(command) == 0
    made = json.loads(capsys.readouterr().out)
    planned = apply_scheme(composite_clips(3, scale=0.001), "megc2019")
    read = load_clips([f"flow:{out}"])
    assert made["n_clips"] == len(read) == len(planned)
    assert not made["skipped"]
    assert sorted((c.key, c.emotion) for c in read) == sorted((c.key, c.emotion) for c in planned)
    images = {path.name: path.read_bytes() for path in out.glob("*.png")}
    assert all(name.endswith(" .png") for name in images)
    assert len(set(images.values())) == len(images)
    assert main(command) == 0
    assert {path.name: path.read_bytes() for path in out.glob("*.png")} == images
    assert main([*command[:2], "--scale", "2"]) == 2
    assert "at most 1" in capsys.readouterr().err
