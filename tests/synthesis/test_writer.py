"""What lands on disk: names, numbers and spreadsheets of each layout, resuming, and refusals."""

import csv
import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from python_calamine import CalamineWorkbook

from fleeting.errors import FleetingError, UsageError
from fleeting.records import RecordError
from fleeting.synthesis import list_identities, load_identity, write_dataset

SMALL = {"size": (70, 85), "subjects": 2, "clips_per_subject": 3, "seed": 5}


def tree(root, *, skip=("synthetic.json",)):
    return {
        str(p.relative_to(root)): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(root.rglob("*"))
        if p.is_file() and p.name not in skip
    }


def numbers(folder):
    return sorted(int(re.findall(r"\d+", p.stem)[-1]) for p in folder.iterdir())


def sheet(path, name):
    book = CalamineWorkbook.from_path(str(path))
    assert book.sheet_names == [name]
    return book.get_sheet_by_name(name).to_python(skip_empty_area=False)


# ---------------------------------------------------------------- plain


def test_plain_layout(tmp_path):
    calls = []
    summary = write_dataset(tmp_path / "set", **SMALL, progress=lambda done, total: calls.append((done, total)))
    root = summary.path
    assert (summary.n_clips, summary.n_written, summary.layout) == (6, 6, "plain")
    assert summary.emotions == {"happiness": 2, "disgust": 2, "surprise": 2}
    assert calls == [(i, 6) for i in range(1, 7)]
    with (root / "clips.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    columns = ["subject", "clip", "onset", "apex", "offset", "emotion", "fps", "action_units", "amplitude"]
    assert list(rows[0]) == columns
    assert [(r["subject"], r["clip"]) for r in rows] == [(f"s0{i}", f"c0{k}") for i in (1, 2) for k in (1, 2, 3)]
    for subject in ("s01", "s02"):
        assert sorted(r["emotion"] for r in rows if r["subject"] == subject) == ["disgust", "happiness", "surprise"]
    frames = 0
    for row in rows:
        folder = root / row["subject"] / row["clip"]
        found = numbers(folder)
        frames += len(found)
        assert found == list(range(1, len(found) + 1))
        assert (folder / "img_00001.jpg").is_file()
        assert 0 <= int(row["onset"]) < int(row["apex"]) < int(row["offset"]) < len(found)
        assert 1 <= float(row["amplitude"]) <= 3
        assert row["fps"] == "200"
        with np.load(root / "truth" / f"{row['subject']}_{row['clip']}.npz", allow_pickle=False) as truth:
            assert truth["landmarks"].shape == (len(found), 68, 2)
            assert truth["field"].shape == (85, 70, 2)
            assert truth["field"].dtype == np.float16
            assert int(truth["apex"]) == int(row["apex"]) == int(truth["profile"].argmax())
            assert str(truth["action_units"]) == row["action_units"]
    assert frames == summary.n_frames
    manifest = json.loads((root / "synthetic.json").read_text())
    assert manifest["complete"] is True
    assert manifest["parameters"]["seed"] == 5
    assert "says nothing about real people" in manifest["caution"]
    assert not (root / ".unfinished").exists()


def test_the_same_parameters_give_the_same_files_in_more_processes(tmp_path):
    one = write_dataset(tmp_path / "one", **SMALL, jobs=1).path
    two = write_dataset(tmp_path / "two", **SMALL, jobs=2).path
    assert tree(one) == tree(two)
    # A clip depends on the seed, its subject and its index alone.
    more = write_dataset(tmp_path / "more", **{**SMALL, "subjects": 1, "first_subject": 1}).path
    assert {k: v for k, v in tree(one).items() if "s02" in k} == {k: v for k, v in tree(more).items() if "s02" in k}
    other = write_dataset(tmp_path / "other", **{**SMALL, "seed": 6}).path
    assert not set(tree(one).values()) & set(tree(other).values())


def test_emotions_are_balanced_and_amplitudes_and_rates_obeyed(tmp_path):
    root = write_dataset(
        tmp_path,
        size=(70, 85),
        subjects=4,
        clips_per_subject=5,
        emotions=["fear", "anger"],
        amplitude=(0.5, 0.6),
        fps=30,
        image_format="png",
    ).path
    with (root / "clips.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    counts = [r["emotion"] for r in rows].count("fear")
    assert counts == 10
    assert all(0.5 <= float(r["amplitude"]) <= 0.6 and r["fps"] == "30" for r in rows)
    assert len({p.suffix for p in root.glob("s*/*/*")}) == 1
    assert 8 <= len(list((root / "s01" / "c01").iterdir())) <= 13


def test_all_means_every_emotion_of_the_layout(tmp_path):
    summary = write_dataset(tmp_path / "a", size=(70, 85), subjects=1, clips_per_subject=8, emotions="all", fps=25)
    assert set(summary.emotions.values()) == {1}
    assert len(summary.emotions) == 8
    summary = write_dataset(
        tmp_path / "b", layout="samm", size=(70, 85), subjects=1, clips_per_subject=7, emotions="all", fps=25
    )
    assert sorted(summary.emotions) == ["Anger", "Contempt", "Disgust", "Fear", "Happiness", "Sadness", "Surprise"]


def test_neutral_clips_have_empty_times(tmp_path):
    root = write_dataset(
        tmp_path, size=(70, 85), subjects=1, clips_per_subject=2, emotions=["neutral", "fear"], fps=50
    ).path
    with (root / "clips.csv").open(newline="") as file:
        row = next(r for r in csv.DictReader(file) if r["emotion"] == "neutral")
    assert (row["onset"], row["apex"], row["offset"], row["amplitude"]) == ("", "", "", "")


def test_own_identities(tmp_path):
    own = [load_identity("20"), "21"]
    root = write_dataset(tmp_path, identities=own, size=(70, 85), subjects=2, clips_per_subject=1, jobs=2).path
    with np.load(root / "truth" / "s01_c01.npz") as truth:
        assert str(truth["identity"]) == "20"
    with pytest.raises(UsageError, match="there are 2 people"):
        write_dataset(tmp_path / "x", identities=own, subjects=3)


# ---------------------------------------------------------------- the real layouts


def test_casme2_layout(tmp_path):
    root = write_dataset(tmp_path, layout="casme2", size=(70, 85), subjects=26, clips_per_subject=1, fps=40).path
    assert {p.name for p in (root / "CASME2_RAW_selected").iterdir()} == {f"sub{i:02d}" for i in range(1, 27)}
    table = sheet(root / "CASME2-coding-20140508.xlsx", "Sheet1")
    assert table[0] == [
        *("Subject", "Filename", "", "OnsetFrame", "ApexFrame", "OffsetFrame", "", "Action Units"),
        "Estimated Emotion",
    ]
    assert [r[0] for r in table[1:]] == [f"{i:02d}" for i in range(1, 27)]  # text, not numbers
    for subject, name, blank, onset, apex, offset, blank2, units, emotion in table[1:]:
        assert re.fullmatch(r"EP\d\d_\d\df?", name)
        assert (blank, blank2) == ("", "")
        folder = root / "CASME2_RAW_selected" / f"sub{subject}" / name
        found = numbers(folder)
        assert found == list(range(found[0], found[-1] + 1))
        assert all(p.name == f"img{int(p.stem[3:])}.jpg" for p in folder.iterdir())  # unpadded
        assert found[0] <= onset < apex < offset <= found[-1]
        assert emotion in {"happiness", "disgust", "surprise"}
        assert units
    objective = sheet(root / "CASME2-ObjectiveClasses.xlsx", "Sheet1")
    assert objective[0] == ["Subject", "Filename", "Objective Class"]
    assert [r[:2] for r in objective[1:]] == [r[:2] for r in table[1:]]
    assert all(r[2] in range(1, 8) for r in objective[1:])


def test_smic_layout(tmp_path):
    summary = write_dataset(tmp_path, layout="smic", size=(70, 85), subjects=16, clips_per_subject=3, emotions="all")
    root = summary.path
    subjects = [f"s{i:02d}" for i in range(1, 21) if i not in (7, 10, 16, 17)]
    assert sorted(p.name for p in (root / "HS").iterdir()) == subjects
    assert not list(root.rglob("*.xlsx"))
    assert set(summary.emotions) == {"negative", "positive", "surprise"}
    short = {"negative": "ne", "positive": "po", "surprise": "sur"}
    clips = [p for p in root.glob("HS/*/micro/*/*") if p.is_dir()]
    assert len(clips) == 48
    for clip in clips:
        subject, _, label, name = clip.relative_to(root / "HS").parts
        assert re.fullmatch(rf"{subject}_{short[label]}_0[123]", name)
        found = numbers(clip)
        assert all(re.fullmatch(r"image\d{6}\.bmp", p.name) for p in clip.iterdir())
        # The files are the annotation: the first is the onset, the last the offset.
        with np.load(root / "truth" / f"{subject}_{name}.npz") as truth:
            assert int(truth["onset"]) == 0
            assert int(truth["offset"]) == len(found) - 1
            assert truth["profile"][0] == truth["profile"][-1] == 0
            assert truth["profile"][int(truth["apex"])] == 1
            assert float(truth["fps"]) == 100
        assert 14 <= len(found) <= 32


def test_samm_layout(tmp_path):
    root = write_dataset(tmp_path, layout="samm", size=(70, 85), subjects=29, clips_per_subject=1, fps=40).path
    subjects = [f"{i:03d}" for i in range(6, 38) if i not in (8, 27, 29)]
    assert sorted(p.name for p in (root / "SAMM").iterdir()) == subjects
    table = sheet(root / "SAMM_Micro_FACS_Codes_v2.xlsx", "MICRO_ONLY")
    assert table[13] == [
        *("Subject", "Filename", "Inducement Code", "Onset Frame", "Apex Frame", "Offset Frame", "Duration", "Micro"),
        *("Action Units", "Estimated Emotion", "Objective Classes", "Notes"),
    ]
    assert [r[0] for r in table[14:]] == subjects
    widths = set()
    for subject, name, code, onset, apex, offset, duration, _, _, emotion, objective, _ in table[14:]:
        assert re.fullmatch(rf"{subject}_{int(code)}_\d", name)
        folder = root / "SAMM" / subject / name
        found = numbers(folder)
        assert found[0] <= onset < apex < offset <= found[-1]
        assert duration == offset - onset + 1
        assert emotion in {"Happiness", "Disgust", "Surprise"}
        assert objective in range(1, 8)
        stems = [p.stem for p in folder.iterdir()]
        assert all(s.startswith(f"{subject}_") for s in stems)
        widths |= {len(s.split("_")[1]) for s in stems}
    assert len(widths) > 1  # the number of digits varies by clip
    image = cv2.imread(str(next(folder.iterdir())), cv2.IMREAD_UNCHANGED)
    assert image.ndim == 2  # grey


def test_default_rates_and_formats_are_those_of_the_real_sets(tmp_path):
    for layout, fps, suffix in (
        ("plain", 200, "jpg"),
        ("casme2", 200, "jpg"),
        ("smic", 100, "bmp"),
        ("samm", 200, "jpg"),
    ):
        root = write_dataset(tmp_path / layout, layout=layout, size=(70, 85), subjects=1, clips_per_subject=1).path
        values = json.loads((root / "synthetic.json").read_text())["parameters"]
        assert (values["fps"], values["image_format"]) == (fps, suffix)


def test_layouts_show_different_people_and_clips(tmp_path):
    seen = {}
    for layout in ("casme2", "smic", "samm"):
        root = write_dataset(
            tmp_path / layout, layout=layout, size=(70, 85), subjects=10, clips_per_subject=1, fps=25
        ).path
        seen[layout] = {str(np.load(p)["identity"]) for p in (root / "truth").iterdir()}
    assert not seen["casme2"] & seen["smic"]
    assert not seen["casme2"] & seen["samm"]
    assert not seen["smic"] & seen["samm"]


# ---------------------------------------------------------------- resuming and refusing


def test_a_second_call_writes_nothing_and_a_torn_set_is_completed(tmp_path):
    root = write_dataset(tmp_path / "set", **SMALL).path
    whole = tree(root)
    stamp = (root / "s01" / "c01" / "img_00001.jpg").stat().st_mtime_ns
    assert write_dataset(root, **SMALL).n_written == 0
    (root / "truth" / "s01_c02.npz").unlink()
    for path in (root / "s02" / "c03").iterdir():
        path.unlink()
    (root / "s02" / "c03").rmdir()
    (root / "clips.csv").unlink()
    calls = []
    summary = write_dataset(root, **SMALL, progress=lambda done, total: calls.append((done, total)))
    assert summary.n_written == 2
    assert calls == [(4, 6), (5, 6), (6, 6)]
    assert tree(root) == whole
    assert (root / "s01" / "c01" / "img_00001.jpg").stat().st_mtime_ns == stamp


@pytest.mark.skipif(sys.platform == "win32", reason="kills a process group")
def test_a_killed_run_leaves_only_whole_clips_and_resumes(tmp_path):
    code = (
        "import sys; from fleeting.synthesis import write_dataset\n"
        "if __name__ == '__main__':\n"
        "    write_dataset(sys.argv[1], subjects=4, clips_per_subject=6, size=(140, 170), seed=3, fps=100)\n"
    )
    script = tmp_path / "job.py"
    script.write_text(code)
    root = tmp_path / "set"
    process = subprocess.Popen([sys.executable, str(script), str(root)], start_new_session=True)
    deadline = time.monotonic() + 60
    while len(list(root.glob("s*/c*"))) < 3 and time.monotonic() < deadline:
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    early = list(root.glob("s*/c*"))
    assert 3 <= len(early) < 24
    assert not (root / "clips.csv").exists()
    arguments = {"subjects": 4, "clips_per_subject": 6, "size": (140, 170), "seed": 3, "fps": 100}
    summary = write_dataset(root, **arguments)
    assert summary.n_written <= 24 - len(early)
    assert tree(root) == tree(write_dataset(tmp_path / "fresh", **arguments).path)


def test_other_parameters_are_refused_and_named(tmp_path):
    root = write_dataset(tmp_path / "set", **{**SMALL, "subjects": 1, "clips_per_subject": 1}).path
    with pytest.raises(
        UsageError, match=r"other parameters \(subjects was 1, now 2; seed was 5, now 6; identities was"
    ):
        write_dataset(root, **{**SMALL, "clips_per_subject": 1, "seed": 6})
    (root / "synthetic.json").write_text("{")
    with pytest.raises(RecordError, match=r"synthetic\.json: is not JSON .* delete the folder"):
        write_dataset(root, **SMALL)


def test_a_foreign_folder_is_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(UsageError, match=r"holds other files \(thesis\.txt\); expected a new or empty"):
        write_dataset(tmp_path, **SMALL)
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.txt"]
    with pytest.raises(UsageError, match="is a file"):
        write_dataset(tmp_path / "thesis.txt", **SMALL)
    with pytest.raises(UsageError, match="a part of this path is a file"):
        write_dataset(tmp_path / "thesis.txt" / "below", **SMALL)


def test_a_folder_that_cannot_be_made_is_an_error_of_ours():
    if not Path("/proc/self").is_dir():
        pytest.skip("needs /proc, where nobody may make folders")
    with pytest.raises(FleetingError, match="cannot be used as a folder"):
        write_dataset("/proc/self/nothing/set", **SMALL)


def test_damaged_clips_are_made_anew(tmp_path):
    root = write_dataset(tmp_path, **SMALL).path
    whole = tree(root)
    (root / "truth" / "s01_c01.npz").write_bytes(b"PK nonsense")
    (root / "s02" / "c02" / "img_00004.jpg").unlink()
    # A loss of power may leave names without content.
    (root / "s02" / "c03" / "img_00004.jpg").write_bytes(b"")
    assert write_dataset(root, **SMALL).n_written == 3
    assert tree(root) == whole


def test_two_processes_may_write_the_same_set(tmp_path):
    code = (
        "import sys; from fleeting.synthesis import write_dataset\n"
        "write_dataset(sys.argv[1], subjects=2, clips_per_subject=3, size=(70, 85), seed=5)\n"
    )
    root = tmp_path / "set"
    both = [subprocess.Popen([sys.executable, "-c", code, str(root)]) for _ in range(2)]
    assert [p.wait(120) for p in both] == [0, 0]
    assert tree(root) == tree(write_dataset(tmp_path / "one", **SMALL).path)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"layout": "casme3"}, r"unknown layout 'casme3'.*casme2, plain, samm, smic"),
        ({"subjects": 0}, "at least one subject"),
        ({"clips_per_subject": 0}, "at least one subject"),
        ({"seed": -1}, "seed=-1"),
        ({"amplitude": (3, 1)}, "lowest, then the highest"),
        ({"amplitude": (0, 1)}, "above 0"),
        ({"amplitude": (1, 99)}, "at most 6"),
        ({"fps": 0}, "fps 0"),
        ({"fps": -200}, "fps -200"),
        ({"emotions": ["joy"]}, "unknown emotion for the plain layout 'joy'"),
        ({"emotions": []}, "no emotions"),
        ({"layout": "smic", "emotions": ["anger"]}, "emotion for the smic layout 'anger'"),
        ({"layout": "casme2", "emotions": ["neutral"]}, "emotion for the casme2 layout 'neutral'"),
        ({"layout": "smic", "subjects": 17}, "the smic layout has 16 subjects"),
        ({"layout": "samm", "subjects": 1, "first_subject": 29}, "the samm layout has 29 subjects"),
        ({"subjects": 100_000}, "shipped heads and their variants"),
        ({"image_format": "gif"}, "unknown image format 'gif'"),
        ({"size": (10, 10)}, "at least 70 x 85"),
        ({"blinks": 2}, "share of the clips"),
        ({"noise": -3}, "noise -3"),
        ({"identities": ["nobody"]}, "unknown identity"),
        ({"jobs": -1}, "jobs must be positive"),
    ],
)
def test_nonsense_is_refused_before_anything_is_written(tmp_path, arguments, message):
    with pytest.raises(UsageError, match=message):
        write_dataset(tmp_path / "set", **{**SMALL, **arguments})
    assert not (tmp_path / "set").exists()


def test_as_many_subjects_as_heads_and_variants(tmp_path):
    count = 2 * len(list_identities())
    root = write_dataset(tmp_path, size=(70, 85), subjects=1, first_subject=count - 1, clips_per_subject=1, fps=25).path
    assert (root / f"s{count}" / "c01").is_dir()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_in_place_of_a_truth_holds_nothing_up_and_is_made_anew(tmp_path):
    write_dataset(tmp_path / "set", subjects=1, clips_per_subject=1, fps=60)
    (truth,) = (tmp_path / "set" / "truth").rglob("*.npz")
    content = truth.read_bytes()
    truth.unlink()
    os.mkfifo(truth)
    write_dataset(tmp_path / "set", subjects=1, clips_per_subject=1, fps=60)
    assert truth.is_file() and truth.read_bytes() == content
