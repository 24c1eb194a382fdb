"""What ships is whole, small, says what it is, and does what its card says, on people it has not seen."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

import fleeting
from fleeting.analysis import about_weights, default_model
from fleeting.analysis import weights as module
from fleeting.app.cli import main
from fleeting.errors import ModelFileError
from fleeting.sequences import recipe_from_dict
from fleeting.synthesis import emotion_names, list_identities, make_clip

FOLDER = Path(fleeting.__file__).parent / "weights"


@pytest.fixture
def copied(tmp_path, monkeypatch):
    """The weights in a folder of their own, loaded anew."""
    shutil.copytree(FOLDER, tmp_path / "weights")
    monkeypatch.setattr(module, "_folder", lambda: tmp_path / "weights")
    for load in (default_model,):
        load.cache_clear()
    yield tmp_path / "weights"
    for load in (default_model,):
        load.cache_clear()


def test_files_are_small_and_have_cards():
    assert sum(file.stat().st_size for file in FOLDER.rglob("*.safetensors")) < 3_000_000
    card = (FOLDER / "recogniser" / "README.md").read_text(encoding="utf-8").lower()
    for said in ("cc0", "synthetic", "real faces", "feel", "scripts/train_weights.py", module.RECOGNISER_SHA256[:12]):
        assert said in card
    assert (FOLDER / "spotter" / "README.md").is_file()


def test_they_know_what_they_are():
    model = default_model()
    assert sorted(model.classes) == sorted(emotion_names())
    about = about_weights()["recogniser"]
    assert about["sha256"] == module.RECOGNISER_SHA256 == model.config.weights_sha256
    assert about["classes"] == list(model.classes)
    assert "synthetic" in about["trained_on"]
    assert any("real" in sentence for sentence in about["limits"])
    assert not model.config.collapsed


@pytest.mark.parametrize("fps", [25.0, 60.0, 200.0])
def test_it_recognises_expressions_of_people_it_has_not_seen(fps):
    model = default_model()
    recipe = recipe_from_dict(model.recipe)
    right = []
    for number, emotion in enumerate(emotion_names()):
        made = make_clip(list_identities()[36 + number], emotion, amplitude=3.0, fps=fps, seed=(901, number))
        found = model.predict(recipe.build(made.to_clip()).frames[None])
        right.append(found[0] == emotion)
    # One in eight would be chance.
    assert np.mean(right) >= 0.6


def test_weights_that_were_changed_are_refused(copied):
    file = copied / "recogniser" / "model.safetensors"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(bytes(content))
    with pytest.raises(ModelFileError, match="have been changed"):
        default_model()


def test_weights_that_are_missing_say_what_to_do(copied):
    (copied / "recogniser" / "model.safetensors").unlink()
    with pytest.raises(ModelFileError, match="install Fleeting again"):
        default_model()


def test_the_verb_export_takes_them(tmp_path, capsys, monkeypatch):
    pytest.importorskip("onnx", reason="needs pip install 'fleeting[export]'")
    monkeypatch.chdir(tmp_path)
    assert main(["export"]) == 0
    assert (tmp_path / "recogniser.onnx").stat().st_size > 100_000
    assert "surprise" in capsys.readouterr().out
    assert main(["export", str(FOLDER / "recogniser"), "--out", "a/b.onnx", "--json"]) == 0
    assert (tmp_path / "a/b.onnx").read_bytes() == (tmp_path / "recogniser.onnx").read_bytes()
    assert main(["export", str(tmp_path / "nothing")]) == 1
    assert "no such file or folder" in capsys.readouterr().err
