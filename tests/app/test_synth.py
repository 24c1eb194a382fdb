"""``fleeting synth``, and where the verbs that write a folder write it."""

import json

import pytest

from fleeting.app.cli import main

TINY = ["--subjects", "1", "--clips-per-subject", "2", "--fps", "30", "--jobs", "1", "--json"]


def test_a_set_is_written_and_read_again(tmp_path, capsys):
    out = str(tmp_path / "clips")
    assert main(["synth", out, *TINY, "--emotions", "happiness,surprise"]) == 0
    made = json.loads(capsys.readouterr().out)
    assert (made["n_clips"], made["emotions"], made["path"]) == (2, {"happiness": 1, "surprise": 1}, out)
    # By place or by name: the same folder, and the same set is there already.
    assert main(["synth", "--out", out, *TINY, "--emotions", "happiness,surprise"]) == 0
    assert json.loads(capsys.readouterr().out) == made
    assert main(["data", "check", f"synthetic:{out}"]) == 0


@pytest.mark.parametrize("verb", ["synth", "synth-long", "synth-composite", "flow-folder"])
def test_the_folder_is_given_once(verb, small_set, tmp_path, capsys):
    data = ["--data", f"synthetic:{small_set}"] if verb == "flow-folder" else []
    assert main([verb, *data]) == 2
    assert "Give the folder or file to write" in capsys.readouterr().err
    assert main([verb, str(tmp_path / "a"), "--out", str(tmp_path / "b"), *data]) == 2
    assert "is given once, as the first word or with --out" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("option", "value"), [("--subjects", "1.5"), ("--seed", "0.5"), ("--seed", "0x10")])
def test_whole_numbers_are_not_guessed(option, value, tmp_path, capsys):
    assert main(["synth", str(tmp_path / "clips"), option, value]) == 2
    assert f"Found {value}; expected a whole number" in capsys.readouterr().err
