"""``fleeting synth-long``."""

import json

from fleeting.app.cli import main
from fleeting.datasets import load_recordings


def test_recordings_are_written_and_read_again(tmp_path, capsys):
    out = tmp_path / "recordings"
    options = ["--subjects", "1", "--seconds", "4", "--fps", "20", "--size", "70", "85", "--micro", "30", "--json"]
    off = [word for name in ("macro", "speech", "absence", "cut", "turn") for word in (f"--{name}", "0")]
    assert main(["synth-long", str(out), *options, *off, "--jobs", "1"]) == 0
    made = json.loads(capsys.readouterr().out)
    assert (made["n_recordings"], made["n_frames"]) == (1, 80)
    (recording,) = load_recordings([f"recordings:{out}"])
    assert len(recording) == 80
    assert len(recording.events) == made["events"]["micro"]


def test_what_does_not_fit_is_a_wrong_usage(tmp_path, capsys):
    assert main(["synth-long", str(tmp_path / "x"), "--seconds", "3", "--micro", "100"]) == 2
    assert "fewer" in capsys.readouterr().err
    assert not (tmp_path / "x").exists()
