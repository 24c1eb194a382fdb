"""Flow as images and a table: what is written is what the loader reads."""

import csv
import json
from dataclasses import replace

import cv2
import numpy as np
import pytest

from fleeting.app.cli import main
from fleeting.clips import ArrayFrames, Clip, FrameFolder
from fleeting.datasets import open_dataset
from fleeting.errors import FleetingError, UsageError
from fleeting.sequences import Flow, prepare, write_flow_folder

KEYS = ("casme2/01/EP02_01f", "smic/s03/s03_ne_02", "samm/006/006_1_2", "own set/anna/c 1")
WORDS = ("happiness", "negative", "Surprise", "disgust")
LABELS = ("positive", "negative", "surprise", "negative")


@pytest.fixture(scope="module")
def clips(portrait):
    small = cv2.resize(portrait, None, fx=0.4, fy=0.4, interpolation=cv2.INTER_AREA)
    yy, xx = np.mgrid[0 : small.shape[0], 0 : small.shape[1]].astype(np.float32)
    made = []
    for number, (key, word) in enumerate(zip(KEYS, WORDS)):
        weight = np.exp(-((xx - 100 - 8 * number) ** 2 + (yy - 110) ** 2) / 200).astype(np.float32)
        frames = [small, cv2.remap(small, xx - 2 * weight, yy + weight, cv2.INTER_CUBIC)]
        made.append(Clip(*key.split("/"), ArrayFrames(np.stack(frames)), emotion=word, onset=0, apex=1))
    return made


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("size", [28, 37])
def test_what_is_written_is_what_is_read(clips, tmp_path, size):
    folder = tmp_path / "größe" / "flow, 1"
    made = write_flow_folder(clips, folder, recipe=Flow(size=size), cache=tmp_path / "cache")
    assert (made.n_clips, made.skipped) == (4, ())
    assert made.counts[("casme2", "positive")] == 1
    assert names(folder) == [
        "006_006_1_2 .png",
        "anna_c 1 .png",
        "flow.csv",
        "s03_s03_ne_02 .png",
        "sub01_EP02_01f .png",
    ]
    rows = list(csv.reader((folder / "flow.csv").read_text().splitlines()))
    assert rows[:2] == [
        ["dataset", "sub", "filename_o", "label", "apex", "imagename", "sub_filename"],
        ["casme2", "sub01", "EP02_01f", "1", "1", "sub01_EP02_01f.jpg", ""],
    ]
    data = open_dataset(f"flow:{folder}")
    read = data.clips()
    assert data.problems == [] and [clip.key for clip in read] == list(KEYS)
    assert [clip.emotion for clip in read] == list(LABELS)
    # The raw path and the precomputed one give the same array.
    raw = prepare(clips, Flow(size=size), root=tmp_path / "cache").array()
    again = prepare(read, Flow(size=size), root=tmp_path / "cache").array()
    assert np.array_equal(raw, again) and raw.shape == (4, 1, size, size, 3) and raw.dtype == np.uint8
    assert len({frame.tobytes() for frame in raw}) == 4
    # And a stranger reads red first.
    blue_first = cv2.imdecode(np.fromfile(folder / "006_006_1_2 .png", np.uint8), cv2.IMREAD_UNCHANGED)
    assert np.array_equal(blue_first[..., ::-1], raw[2, 0])


def test_again_it_does_only_what_is_missing(clips, tmp_path, monkeypatch):
    folder = tmp_path / "flow"
    write_flow_folder(clips, folder, cache=tmp_path / "cache")
    before = {path: path.stat().st_mtime_ns for path in folder.glob("*.png")}
    gone = folder / "006_006_1_2 .png"
    content = gone.read_bytes()
    gone.unlink()
    (folder / "flow.csv").unlink()
    (folder / "anna_c 1 .png").write_bytes(b"half")
    monkeypatch.setattr(Flow, "build", lambda *_: pytest.fail("computed again"))
    made = write_flow_folder(clips, folder, cache=tmp_path / "cache")
    assert made.n_clips == 4 and gone.read_bytes() == content
    kept = ("sub01_EP02_01f .png", "s03_s03_ne_02 .png")
    assert all((folder / name).stat().st_mtime_ns == before[folder / name] for name in kept)
    assert len(open_dataset(f"flow:{folder}").clips()) == 4


def test_clips_that_cannot_be_computed_are_listed(clips, tmp_path):
    blank = Clip("samm", "007", "007_1_1", ArrayFrames(np.zeros((3, 90, 90, 3), np.uint8)), emotion="Anger")
    other = replace(clips[0], name="EP09_09", emotion="others")
    excluded = replace(clips[0], subject="04", name="EP12_01f")
    made = write_flow_folder([blank, *clips, other, excluded], tmp_path / "flow", cache=tmp_path / "cache")
    why = {item.clip.key: item.reason for item in made.skipped}
    assert made.n_clips == 4 and len(why) == 3
    assert "no face" in why["samm/007/007_1_1"] and "has no class" in why["casme2/01/EP09_09"]
    assert "leaves this clip out" in why["casme2/04/EP12_01f"]
    assert len(open_dataset(f"flow:{tmp_path / 'flow'}").clips()) == 4


def test_names_that_meet_or_do_not_fit(clips, tmp_path):
    frames = clips[0].frames
    same = [Clip(kind, "s01", "c1", frames, emotion="negative", onset=0, apex=1) for kind in ("a", "b")]
    odd = Clip("a", "s01", "x:y", frames, emotion="surprise", onset=0, apex=1)
    folder = tmp_path / "flow"
    write_flow_folder([*same, odd], folder, cache=tmp_path / "cache")
    assert names(folder) == ["a_s01_c1 .png", "b_s01_c1 .png", "flow.csv", "s01_x_y .png"]
    data = open_dataset(f"flow:{folder}")
    assert [clip.key for clip in data.clips()] == ["a/s01/c1", "b/s01/c1", "a/s01/x:y"] and not data.problems
    clash = [*same[:1], replace(same[0], name="C1"), replace(same[0], dataset="A")]
    with pytest.raises(UsageError, match="would have one image's name; rename one"):
        write_flow_folder(clash, tmp_path / "clash", cache=tmp_path / "cache")


def test_the_apex_is_numbered_as_its_frame_is(clips, write_frames, tmp_path):
    source = FrameFolder(write_frames(list(clips[0].frames), pattern="reg_img{}.png", first=46))
    clip = Clip("casme2", "02", "EP01_11f", source, emotion="disgust", onset=0, apex=1)
    made = write_flow_folder([clip], tmp_path / "flow", cache=tmp_path / "cache")
    assert made.table.read_text().splitlines()[1] == "casme2,sub02,EP01_11f,0,47,sub02_EP01_11f.jpg,"


def test_wrong_usage(clips, tmp_path, read_only):
    folder = tmp_path / "flow"
    write_flow_folder(clips[:2], folder, cache=tmp_path / "cache")
    with pytest.raises(UsageError, match=r"holds 2 images of other clips \(s03_s03_ne_02 \.png, sub01"):
        write_flow_folder(clips[2:], folder, cache=tmp_path / "cache")
    for bad, options, message in [
        ([], {}, "no clips"),
        ([clips[0], clips[0]], {}, "occur more than once"),
        (clips, {"recipe": Flow(scaling="none")}, "scaling='none'"),
        ([replace(clips[3], emotion="joy")], {}, "knows none of the labels joy"),
    ]:
        with pytest.raises(UsageError, match=message):
            write_flow_folder(bad, tmp_path / "other", cache=tmp_path / "cache", **options)
    with pytest.raises(UsageError, match="a file; expected a folder"):
        write_flow_folder(clips, folder / "flow.csv", cache=tmp_path / "cache")
    # Before any work; in a folder of this fixture nobody can write.
    with pytest.raises(FleetingError, match=r"a part of this path is a file|cannot be"):
        write_flow_folder(clips[:1], read_only / "flow", cache=tmp_path / "cache")


def test_the_verb(clips, tmp_path, write_frames, capsys):
    root = tmp_path / "clip" / "data"
    rows = ["subject,clip,onset,apex,offset,emotion"]
    for number, word in enumerate(("happiness", "disgust")):
        write_frames(list(clips[number].frames), name=f"clip/data/s{number}/c1")
        rows.append(f"s{number},c1,0,1,1,{word}")
    (root / "clips.csv").write_text("\n".join([*rows, "s9,gone,0,1,1,disgust"]))
    arguments = ["flow-folder", str(tmp_path / "out"), "--data", f"folder:{root}", "--size", "21", "--jobs", "1"]
    assert main([*arguments, "--json"]) == 0
    output = capsys.readouterr()
    told = json.loads(output.out)
    assert told["n_clips"] == 2 and {row["label"] for row in told["counts"]} == {"negative", "positive"}
    assert "folder/s9/gone" in output.err
    assert main(["data", "check", "flow", str(tmp_path / "out")]) == 0
    assert "folder 2" in capsys.readouterr().out
    assert open_dataset(f"flow:{tmp_path / 'out'}").clips()[0].frames.size == (21, 21)
    assert main([*arguments[:-4], "--size", "2"]) == 2


@pytest.mark.slow
def test_flow_of_people_who_do_not_exist_says_so_as_far_as_the_page(clips, tmp_path, small_set, capsys):
    """Beside a published figure nobody may take it for the real composite."""
    write_flow_folder(clips, tmp_path / "real", cache=tmp_path / "cache")
    assert not open_dataset(f"flow:{tmp_path / 'real'}").synthetic
    command = ["flow-folder", str(tmp_path / "flow"), "--data", f"synthetic:{small_set}", "--jobs", "1", "--quiet"]
    assert main([*command, "--cache", str(tmp_path / "cache")]) == 0
    data = f"flow:{tmp_path / 'flow'}"
    assert open_dataset(data).synthetic and open_dataset(data).problems == []
    run = ["evaluate", "--data", data, "--model", "pca_logistic", "--protocol", "cde", "--jobs", "1", "--quiet"]
    assert main([*run, "--out", str(tmp_path / "run"), "--cache", str(tmp_path / "cache")]) == 0
    kept = json.loads((tmp_path / "run" / "run.json").read_text(encoding="utf-8"))
    assert kept["config"]["synthetic"] == [True]
    assert any("synthetic" in note for note in kept["notes"])
    assert "These clips are synthetic" in (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
