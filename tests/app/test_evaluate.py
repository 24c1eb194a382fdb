"""``fleeting evaluate``."""

import json
import signal
import subprocess
import sys
import time

from fleeting.app.cli import main
from fleeting.experiments import RunFolder

TINY = ["--recipe", "talluri2022,frames=9,height=32,width=32", "--motion", "difference"]
TINY += ["--protocol", "subject-kfold,folds=2"]


def test_a_run_is_trained_scored_and_shown(small_set, small_run, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("FLEETING_CACHE", str(small_run.path.parent / "cache"))
    out = tmp_path / "lauf ü"
    command = ["evaluate", "--data", f"synthetic:{small_set}", *TINY, "--epochs", "3", "--jobs", "1", "--out", str(out)]
    assert main(command) == 0
    text = capsys.readouterr().out
    assert "accuracy" in text and "always" in text and "report.html" in text
    assert (out / "report.html").stat().st_size > 20_000
    # The command line is the Python interface: same configuration, same units.
    assert {p.name for p in (out / "units").iterdir()} == {p.name for p in (small_run.path / "units").iterdir()}
    assert main([*command, "--json", "--quiet"]) == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out)["finished"] == 2
    assert captured.err == ""


def test_what_was_chosen_is_in_the_run_folder(small_set, tmp_path, capsys):
    command = ["evaluate", "--data", f"synthetic:{small_set}", "--recipe", "talluri2022,frames=18,height=32,width=32"]
    command += ["--model", "model_b", "--protocol", "subject-holdout", "--epochs", "2", "--inner-folds", "2"]
    command += ["--choose", "epochs", "--choose", "training.learning_rate=0.001,0.01", "--choose-by", "uar"]
    command += ["--out", str(tmp_path / "run"), "--cache", str(tmp_path / "cache"), "--jobs", "1", "--json"]
    assert main(command) == 0, capsys.readouterr().err
    run = json.loads((tmp_path / "run" / "run.json").read_text(encoding="utf-8"))
    assert run["config"]["selection"]["grid"] == {"training.learning_rate": [0.001, 0.01]}
    unit = json.loads(next((tmp_path / "run" / "units").glob("*/unit.json")).read_text(encoding="utf-8"))
    assert set(unit["selection"]["chosen"]) == {"epochs", "training.learning_rate"}
    assert len(unit["selection"]["candidates"]) == 2 and len(unit["selection"]["inner_folds"]) == 2
    # The same command finds everything done; another choice is another run.
    assert main(command) == 0
    assert main([part if part != "uar" else "uf1" for part in command]) == 2
    assert "selection.metric" in capsys.readouterr().err


def test_ctrl_c_says_what_becomes_of_the_work(small_set, small_run, tmp_path, monkeypatch):
    monkeypatch.setenv("FLEETING_CACHE", str(small_run.path.parent / "cache"))
    out = tmp_path / "run"
    command = ["evaluate", "--data", f"synthetic:{small_set}", *TINY, "--epochs", "2000", "--jobs", "2"]
    process = subprocess.Popen(
        [sys.executable, "-m", "fleeting", *command, "--out", str(out)],
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
