"""The command line as a whole."""

import os
import re
import shlex
import subprocess
import sys

import pytest

from fleeting.app.cli import VERBS, app, main


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


def helps(capsys):
    """The help of each verb by its words."""
    words = []
    for name in (name for name in app if not name.startswith("-")):
        inner = [sub for sub in app[name] if not sub.startswith("-")]
        words += [[name, sub] for sub in inner] or [[name]]
    for verb in words:
        assert main([*verb, "--help"]) == 0
        yield " ".join(verb), capsys.readouterr().out


def test_every_verb_has_help_with_an_example_that_works(capsys):
    seen = set()
    for verb, text in helps(capsys):
        flat = " ".join(text.split())
        found = re.findall(rf"Example: (fleeting {verb}.*?)(?= Example:| ╭|$)", flat)
        assert found, verb
        for example in found:
            function, bound, _ = app.parse_args(shlex.split(example)[1:], exit_on_error=False, print_error=False)
            assert bound is not None and function.__module__.startswith("fleeting.app")
        seen.add(verb)
    assert {"synth", "data check", "study talluri2022", "study irawan2023", "study leakage", "sweep", "info"} <= seen
    assert len(seen) == len(VERBS) + 2  # data has one verb, study three


def test_help_is_complete_and_offers_nothing_without_a_meaning(capsys):
    for verb, text in helps(capsys):
        assert "--empty-" not in text, verb
        assert set(re.findall(r"--no-[\w-]+", text)) <= {"--no-samples", "--no-explain", "--no-video"}, verb
        # An option stands in the first column, its meaning beside it.
        for row in re.findall(r"^│ .*--[\w-]+.*│$", text, flags=re.M):
            option, _, meaning = row.strip("│ ").partition("  ")
            assert meaning.strip() or row.startswith("│   "), (verb, option)


@pytest.mark.parametrize("error", [OSError(28, "No space left on device", "/somewhere"), MemoryError("9 GiB")])
def test_what_the_machine_refuses_is_no_fault_of_ours(error, monkeypatch, capsys):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr("fleeting.models.list_models", fail)
    assert main(["models"]) == 1
    told = capsys.readouterr().err
    assert "internal error" not in told
    assert "/somewhere: No space left on device" in told or "memory" in told


def test_what_is_a_fault_of_ours_asks_to_be_reported(monkeypatch, capsys):
    monkeypatch.setattr("fleeting.models.list_models", lambda pattern: 1 / 0)
    assert main(["models"]) == 1
    assert "internal error: ZeroDivisionError: division by zero. Run it again with --debug" in capsys.readouterr().err


@pytest.mark.parametrize(
    "variables", [{"COLUMNS": "0"}, {"COLUMNS": "1"}, {"PYTHONIOENCODING": "ascii"}, {"LC_ALL": "C"}]
)
@pytest.mark.parametrize("command", [["models", "model_a"], ["spot", "--help"]], ids=lambda command: command[0])
def test_odd_terminals(command, variables):
    done = subprocess.run(
        [sys.executable, "-m", "fleeting", *command],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **variables},
        timeout=120,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert ("Model-A" if command[0] == "models" else "Example: fleeting spot") in done.stdout


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
