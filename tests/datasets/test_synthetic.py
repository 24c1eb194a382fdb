"""The synthetic set and its truth."""

import os
import shutil

import pytest

from fleeting.datasets import (
    Synthetic,
    Truth,
)
from fleeting.errors import FleetingError, UsageError
from fleeting.records import SyntheticHead
from fleeting.synthesis import write_dataset


def test_the_synthetic_set_and_its_truth(synthetic):
    d = Synthetic(synthetic)
    clips = d.clips()
    assert d.problems == []
    assert len(clips) == 6
    for clip in clips:
        truth = d.truth(clip)
        assert (truth.onset, truth.apex, truth.offset) == (clip.onset, clip.apex, clip.offset)
        assert (truth.emotion, truth.action_units, truth.fps) == (clip.emotion, clip.action_units, clip.fps)
        assert truth.landmarks.shape == (len(clip.frames), 68, 2)
        assert clip.frames.size == (70, 85)
        assert clip.fps == 50
    assert d.table()["dataset"].unique().tolist() == ["synthetic"]
    with pytest.raises(FleetingError, match="ground truth cannot be read"):
        d.truth(type(clips[0])("synthetic", "s99", "c01", clips[0].frames))


def test_truth_in_a_pipe_is_an_error_and_no_hang(tmp_path):
    os.mkfifo(tmp_path / "a.npz")
    with pytest.raises(FleetingError, match=r"ground truth cannot be read \(is a pipe or device"):
        Truth.load(tmp_path / "a.npz")


def test_what_is_no_synthetic_set_says_how_to_get_one(tmp_path):
    with pytest.raises(UsageError, match="fleeting synth"):
        Synthetic(tmp_path / "none")
    with pytest.raises(UsageError, match=r"folder:.*"):
        Synthetic(tmp_path)
    for content in ("[]", "[" * 100_000, "{", '{"parameters": {}}', '{"parameters": {"layout": 1}}'):
        (tmp_path / "synthetic.json").write_text(content)
        with pytest.raises(UsageError, match="damaged"):
            Synthetic(tmp_path)
    root = write_dataset(tmp_path / "smic", layout="smic", size=(70, 85), subjects=1, clips_per_subject=1, fps=25).path
    with pytest.raises(UsageError, match="smic:"):
        Synthetic(root)


def test_an_unfinished_set_is_used_with_a_word(synthetic, tmp_path):
    root = tmp_path / "copy"
    shutil.copytree(synthetic, root)
    head = SyntheticHead.read(root / "synthetic.json")
    head.model_copy(update={"complete": False}).write(root / "synthetic.json")
    assert "unfinished" in Synthetic(root).problems[0].reason
    (root / "clips.csv").unlink()
    with pytest.raises(UsageError, match="run the same `fleeting synth` again"):
        Synthetic(root)
