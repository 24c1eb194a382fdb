import json
import os
import signal
import subprocess
import sys
import time

import pytest

from fleeting.app.cli import app, main
from fleeting.app.specs import parse_spec
from fleeting.errors import UsageError
from fleeting.experiments import RunFolder


@pytest.fixture
def cache(small_run, monkeypatch):
    monkeypatch.setenv("FLEETING_CACHE", str(small_run.path.parent / "cache"))


def _evaluate(small_set, out, *more):
    recipe = "talluri2022,frames=9,height=32,width=32"
    what = ["--data", f"synthetic:{small_set}", "--recipe", recipe, "--motion", "difference"]
    how = ["--protocol", "subject-kfold,folds=2", "--epochs", "3", "--jobs", "1", "--out", str(out)]
    return main(["evaluate", *what, *how, *more])


def test_evaluate_report_predict(small_set, small_run, cache, tmp_path, capsys):
    out = tmp_path / "lauf ü"
    assert _evaluate(small_set, out) == 0
    text = capsys.readouterr().out
    assert "accuracy" in text and "always" in text and "report.html" in text
    assert (out / "report.html").stat().st_size > 20_000
    # The command line is the Python interface: same configuration, same units.
    assert {p.name for p in (out / "units").iterdir()} == {p.name for p in (small_run.path / "units").iterdir()}
    assert _evaluate(small_set, out, "--json", "--quiet") == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out)["finished"] == 2
    assert captured.err == ""
    assert main(["report", str(out)]) == 0
    figure = tmp_path / "v.png"
    clip = small_set / "s01" / "c01"
    assert main(["predict", str(clip), "--model", str(out), "--fps", "60", "--figure", str(figure)]) == 0
    assert "Apex: frame" in capsys.readouterr().out
    assert figure.stat().st_size > 10_000
    assert main(["predict", str(clip), "--model", str(out), "--fps", "60", "--json"]) == 0
    verdict = json.loads(capsys.readouterr().out)
    assert set(verdict["probabilities"]) == {"disgust", "happiness", "surprise"}


def test_a_partial_run_is_refused_by_report_unless_asked(small_set, cache, tmp_path, capsys):
    out = tmp_path / "run"
    assert _evaluate(small_set, out) == 0
    next(out.glob("units/*/unit.json")).unlink()
    capsys.readouterr()
    assert main(["report", str(out)]) == 1
    assert "1 of 2 units" in capsys.readouterr().err
    assert main(["report", str(out), "--partial"]) == 0
    assert "partial" in capsys.readouterr().err
    assert "partial" in (out / "report.html").read_text().lower()


def test_synth_preprocess_train(tmp_path, capsys):
    clips = tmp_path / "clips"
    command = ["synth", str(clips), "--subjects", "2", "--clips-per-subject", "2", "--fps", "30", "--jobs", "1"]
    assert main([*command, "--emotions", "happiness,surprise", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["n_clips"] == 4
    spec = "talluri2022,frames=9,height=32,width=32"
    assert main(["preprocess", "--data", f"synthetic:{clips}", "--recipe", spec, "--jobs", "1"]) == 0
    assert "4 sequences, 0 clips skipped" in capsys.readouterr().out
    train = ["train", "--data", f"synthetic:{clips}", "--recipe", spec, "--epochs", "1", "--out", str(tmp_path / "m")]
    assert main([*train, "--jobs", "1"]) == 0
    assert (tmp_path / "m" / "model.safetensors").is_file()
    assert main(["predict", str(clips / "s01" / "c01"), "--model", str(tmp_path / "m")]) == 0


def test_the_steps_of_a_recipe_are_drawn_for_a_clip_or_a_set(small_set, tmp_path, capsys):
    out = tmp_path / "steps ü.png"
    clip = str(small_set / "s01" / "c01")
    assert main(["preprocess", clip, "--recipe", "irawan2023", "--show-steps", str(out), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["steps"][0] == "Face found" and told["steps"][-1] == "Sequence"
    assert out.stat().st_size > 50_000
    spec = f"synthetic:{small_set}"
    assert main(["preprocess", "--data", spec, "--recipe", "reddy2019", "--show-steps", str(tmp_path / "s.svg")]) == 0
    assert (tmp_path / "s.svg").is_file()
    for wrong in ([], [clip], [clip, "--data", spec, "--show-steps", str(out)]):
        capsys.readouterr()
        assert main(["preprocess", *wrong]) == 2
        assert "either --data KIND:PATH, or a video" in capsys.readouterr().err


def test_no_face_is_exit_code_1(video, small_run, capsys):
    assert main(["predict", str(video("no_face.mp4")), "--model", str(small_run.path)]) == 1
    captured = capsys.readouterr()
    assert "no face" in captured.err
    assert captured.out == ""


@pytest.mark.parametrize(("arguments", "code", "message"), [
    (["evaluat"], 2, "evaluate"),
    (["synth"], 2, "--out"),
    (["synth", "x", "--layout", "casme3"], 2, "casme2"),
    (["synth", "x", "--subjects", "none"], 2, "subjects"),
    (["evaluate", "--data", "synthetic:/nowhere", "--out", "r"], 2, "fleeting synth"),
    (["evaluate", "--data", "nope:/x", "--out", "r"], 2, "synthetic"),
    (["evaluate", "--data", "synthetic", "--out", "r"], 2, "KIND:PATH"),
    (["evaluate", "--data", "synthetic:x", "--model", "model_x", "--out", "r"], 2, "model_a"),
    (["evaluate", "--data", "synthetic:x", "--recipe", "talluri2022,frame=3", "--out", "r"], 2, "its fields are"),
    (["evaluate", "--data", "synthetic:x", "--recipe", "talluri2022,frames", "--out", "r"], 2, "field=value"),
    (["evaluate", "--data", "synthetic:x", "--seeds", "a", "--out", "r"], 2, "whole numbers"),
    (["evaluate", "--data", "synthetic:x", "--epochs", "-1", "--out", "r"], 2, "epochs"),
    (["predict", "/nowhere.mp4", "--model", "/nowhere"], 1, "/nowhere"),
    (["report", "/nowhere"], 1, "not a run folder"),
])  # fmt: skip
def test_wrong_usage_says_what_and_has_no_traceback(arguments, code, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == code
    captured = capsys.readouterr()
    flat = " ".join((captured.err + captured.out).split())
    assert message in flat
    assert "Traceback" not in flat


def test_debug_shows_the_traceback(capsys):
    assert main(["report", "/nowhere", "--debug"]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_every_verb_has_help_with_an_example(capsys):
    verbs = [name for name in app if not name.startswith("-")]
    assert {"synth", "preprocess", "evaluate", "train", "predict", "report", "models", "info"} <= set(verbs)
    for verb in verbs:
        assert main([verb, "--help"]) == 0
        assert f"Example: fleeting {verb}" in capsys.readouterr().out


def test_models_and_info(capsys):
    assert main(["models", "--json"]) == 0
    listed = {m["name"]: m for m in json.loads(capsys.readouterr().out)}
    assert {"model_a", "model_b", "modified_micro_exp_stcnn"} <= set(listed)
    assert listed["model_a"]["training"]["batch_size"] == 4
    assert main(["info"]) == 0
    text = capsys.readouterr().out
    assert "torch" in text and "300-W" in text


def test_importing_is_cheap_and_the_script_runs():
    heavy = ["torch", "dlib", "cv2", "pandas", "sklearn", "matplotlib"]
    code = f"import sys, fleeting, fleeting.app.cli; print([m for m in {heavy!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    done = subprocess.run(
        [sys.executable, "-m", "fleeting", "nonsense"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "NO_COLOR": "1"},
    )
    assert done.returncode == 2
    assert "\x1b[" not in done.stderr


@pytest.mark.parametrize("text", ["", ",a=1", "a,b", "a,=1", "a,b=1,b=2"])
def test_bad_specs(text):
    with pytest.raises(UsageError):
        parse_spec(text)


def test_specs_read_numbers_truths_and_text():
    assert parse_spec("m, a=1 ,b=0.5,c=true,d=null,e=apex") == (
        "m",
        {"a": 1, "b": 0.5, "c": True, "d": None, "e": "apex"},
    )


def test_ctrl_c_says_what_becomes_of_the_work(small_set, small_run, cache, tmp_path):
    command = ["evaluate", "--data", f"synthetic:{small_set}", "--recipe", "talluri2022,frames=9,height=32,width=32"]
    command += ["--motion", "difference", "--protocol", "subject-kfold,folds=2", "--jobs", "2"]
    out = tmp_path / "run"
    process = subprocess.Popen(
        [sys.executable, "-m", "fleeting", *command, "--epochs", "2000", "--out", str(out)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    deadline = time.monotonic() + 120
    while not (out / "run.json").is_file() and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    text, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "interrupted" in text and "Traceback" not in text
    assert RunFolder(out).missing()
