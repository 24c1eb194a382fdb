"""``fleeting export``."""

import json

from fleeting.app.cli import main


def test_the_folds_of_a_run_become_one_file(small_run, tmp_path, capsys):
    out = tmp_path / "folds ü.onnx"
    assert main(["export", str(small_run.path), "--out", str(out), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["model"] == str(out) and out.stat().st_size > 10_000
    # Motion takes one frame more than it gives.
    assert told["networks"] == 2 and told["input"] == [10, 32, 32, 1]
    assert set(told["classes"]) == {"disgust", "happiness", "surprise"}


def test_a_file_is_named_after_the_model(small_run, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["export", str(small_run.path)]) == 0
    assert "Model: run.onnx" in capsys.readouterr().out
    assert (tmp_path / "run.onnx").is_file()
