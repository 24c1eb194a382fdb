from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace

import numpy as np
import pytest
import safetensors.torch
import torch

from fleeting.errors import ModelFileError, UsageError
from fleeting.models import create_model
from fleeting.training import load_model, save_model

RECIPE = {"name": "talluri2022", "frames": 9, "nested": {"é": [1, 2.5, None]}}


@pytest.fixture(scope="module")
def saved(trained, tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved") / "model"
    save_model(folder, trained, recipe=RECIPE, extra={"fps": 200})
    return folder


@pytest.fixture
def folder(saved, tmp_path):
    return shutil.copytree(saved, tmp_path / "copy")


def edit(folder, change):
    path = folder / "config.json"
    config = json.loads(path.read_text())
    change(config)
    path.write_text(json.dumps(config))


def test_there_and_back(saved, trained, clips):
    for path in (saved, str(saved), saved / "model.safetensors", saved / "config.json"):
        loaded = load_model(path)
        np.testing.assert_array_equal(loaded.predict_proba(clips[0]), trained.predict_proba(clips[0]))
    assert loaded.classes == ("disgust", "happy", "surprise")
    assert loaded.recipe == RECIPE
    assert loaded.motion == "difference"
    assert loaded.training == trained.config
    assert loaded.standardisation == trained.standardisation
    assert loaded.spec == trained.model.spec
    assert loaded.config.extra.to_json() == {"fps": 200}
    assert loaded.config.facts.fps == 200 and not loaded.config.collapsed
    assert loaded.config.collapse.to_json() == {"collapsed": False, "reasons": [], "epoch": None}
    assert loaded.config.seed == 1
    with pytest.warns(FutureWarning, match=r"write \.seed"):
        assert (loaded.config["seed"], loaded.config.get("seed"), loaded.config.get("no", 5)) == (1, 1, 5)
    assert set(loaded.predict(clips[0])) <= set(clips[1])
    assert sorted(p.name for p in saved.iterdir()) == ["config.json", "model.safetensors"]


def test_what_was_loaded_can_be_saved_again(saved, tmp_path):
    loaded = load_model(saved)
    save_model(tmp_path / "again", loaded)
    assert (tmp_path / "again" / "config.json").read_bytes() == (saved / "config.json").read_bytes()
    assert (tmp_path / "again" / "model.safetensors").read_bytes() == (saved / "model.safetensors").read_bytes()
    save_model(tmp_path / "named", loaded, classes=["x", "y", "z"], recipe={}, extra={"note": 1})
    assert load_model(tmp_path / "named").classes == ("x", "y", "z")
    assert load_model(tmp_path / "named").recipe == {}


def test_without_a_recipe(trained, tmp_path):
    save_model(tmp_path, trained)
    assert load_model(tmp_path).recipe is None


@pytest.mark.parametrize("classes", [["a", "b"], ["a", "b", "b"]])
def test_classes_must_fit(trained, tmp_path, classes):
    with pytest.raises(UsageError, match="3 different"):
        save_model(tmp_path, trained, classes=classes)


def test_only_plain_values(trained, tmp_path):
    with pytest.raises(UsageError, match="JSON"):
        save_model(tmp_path, trained, extra={"x": object()})
    with pytest.raises(UsageError, match="JSON"):
        save_model(tmp_path, trained, recipe={"x": float("nan")})
    assert not list(tmp_path.iterdir())


def test_a_failed_save_leaves_what_was_there(trained, folder, monkeypatch):
    before = {p.name: p.read_bytes() for p in folder.iterdir()}
    monkeypatch.setattr("fleeting.training.checkpoint.safetensors.torch.save", lambda state: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        save_model(folder, trained)
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == before


def test_killed_between_the_two_files_is_noticed(trained, folder, monkeypatch):
    model = create_model("model_a", n_frames=9, height=18, width=18, seed=5)
    other = replace(trained, model=model)

    def kill(path, value):
        raise KeyboardInterrupt

    monkeypatch.setattr("fleeting.records.base.write_json", kill)
    with pytest.raises(KeyboardInterrupt):
        save_model(folder, other)
    with pytest.raises(ModelFileError, match="checksum"):
        load_model(folder)


class TestDamage:
    def refused(self, path, says, names):
        with pytest.raises(ModelFileError, match=says) as caught:
            load_model(path)
        assert str(names) in str(caught.value)
        assert isinstance(caught.value, OSError)

    def test_nothing_there(self, tmp_path):
        self.refused(tmp_path / "no", "no such file", tmp_path / "no")
        self.refused(tmp_path, "no model.safetensors", tmp_path)

    @pytest.mark.parametrize("name", ["model.safetensors", "config.json"])
    def test_missing_file(self, folder, name):
        (folder / name).unlink()
        self.refused(folder, "missing|no model", folder)

    @pytest.mark.parametrize("keep", [0, 4, 200, -1])
    def test_truncated_weights(self, folder, keep):
        path = folder / "model.safetensors"
        path.write_bytes(path.read_bytes()[:keep])
        self.refused(folder, "damaged", path)

    def test_one_flipped_bit(self, folder):
        path = folder / "model.safetensors"
        content = bytearray(path.read_bytes())
        content[-5] ^= 1
        path.write_bytes(content)
        self.refused(folder, "checksum", path)

    @pytest.mark.parametrize(
        "content",
        [b"", b"{", b"\xff\xfe\x00", b"[]", b'{"a": 1}', b"[" * 200_000, b'{"kind": ' + b"[" * 200_000],
        ids=range(7),
    )
    def test_broken_config(self, folder, content):
        (folder / "config.json").write_bytes(content)
        self.refused(folder, "is not|not written by fleeting|nested too deeply", folder / "config.json")

    @pytest.mark.parametrize("name", ["model.safetensors", "config.json"])
    def test_a_pipe_is_no_file(self, folder, name):
        (folder / name).unlink()
        os.mkfifo(folder / name)
        self.refused(folder / "model.safetensors", "pipe", folder / name)

    def test_another_format_version(self, folder):
        edit(folder, lambda c: c.update(format=99))
        self.refused(folder, "format 99", folder / "config.json")

    @pytest.mark.parametrize("key", ["model", "classes", "standardisation", "training", "recipe"])
    def test_missing_entry(self, folder, key):
        edit(folder, lambda c: c.pop(key))
        self.refused(folder, key, folder / "config.json")

    @pytest.mark.parametrize(
        ("change", "field"),
        [
            (lambda c: c["model"].update(name="no_model"), "unknown model 'no_model'"),
            (lambda c: c["model"]["shape"].update(n_frames=2), "at least 9 frames"),
            (lambda c: c["model"]["shape"].update(n_frames=10**9), r"model\.shape\.n_frames.*found 1000000000"),
            (lambda c: c["model"]["shape"].update(height=10**5, width=10**5), r"fits into no memory"),
            (lambda c: c["model"].update(shape=[9, 18, 18]), r"model\.shape"),
            (lambda c: c["model"]["options"].update(no_option=1), "unknown option of model_a 'no_option'"),
            (lambda c: c["model"]["options"].update(dropout={"a": []}), "dropout"),
            (lambda c: c.update(training=5), "training"),
            (lambda c: c["training"].update(motion="flow"), "motion"),
            (lambda c: c.update(classes=["a"]), "classes: expected 3 different names"),
            (lambda c: c.update(classes=["a", "b", ["c"]]), r"classes\.2"),
            (lambda c: c.update(recipe="talluri2022"), "recipe"),
            (lambda c: c.update(extra=5), "extra"),
            (lambda c: c["extra"].update(data=7), r"extra\.data"),
            (lambda c: c["extra"].update(fps=float("inf")), r"extra\.fps"),
            (lambda c: c.update(collapse=[True]), "collapse"),
            (lambda c: c.update(seed="x"), "seed"),
            (lambda c: c["standardisation"].update(std=[0.0]), r"standardisation\.std\.0"),
            (lambda c: c["standardisation"].update(std=[float("inf")]), r"standardisation\.std\.0"),
            (lambda c: c["standardisation"].update(std=[1e300]), r"standardisation\.std\.0"),
            (lambda c: c["standardisation"].update(mean=[float("nan")]), r"standardisation\.mean\.0"),
            (lambda c: c["standardisation"].update(mean=[]), "standardisation: expected a mean"),
        ],
    )
    def test_impossible_entry(self, folder, change, field):
        edit(folder, change)
        self.refused(folder, field, folder / "config.json")

    def test_weights_of_another_shape(self, folder):
        edit(folder, lambda c: c["model"]["shape"].update(height=36))
        self.refused(folder, "hidden.weight of shape .*do not belong together", folder / "model.safetensors")

    def test_sizes_of_a_damaged_file_take_no_memory(self, folder, monkeypatch):
        edit(folder, lambda c: c["model"]["shape"].update(n_frames=1000, height=1000, width=1000))
        monkeypatch.setattr("fleeting.training.checkpoint.create_model", lambda *_, **__: pytest.fail("was built"))
        self.refused(folder, "hidden.weight of shape .*do not belong together", folder / "model.safetensors")

    def test_weights_of_another_network(self, folder):
        safetensors.torch.save_file({"w": torch.zeros(2)}, folder / "model.safetensors")
        self.refused(folder, "do not belong together", folder / "model.safetensors")

    def test_pickle_is_never_read(self, folder):
        path = folder / "model.pt"
        torch.save({"w": torch.zeros(1)}, path)
        self.refused(path, "only format", path)
        shutil.copy(path, folder / "model.safetensors")
        self.refused(folder, "damaged", folder / "model.safetensors")
