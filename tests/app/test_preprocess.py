"""``fleeting preprocess``."""

import json

import pytest

from fleeting.app.cli import main


@pytest.mark.parametrize("option", ["--out", "--cache"])
def test_sequences_are_kept_where_evaluate_finds_them(option, small_set, tmp_path, capsys):
    command = ["preprocess", "--data", f"synthetic:{small_set}", "--recipe", "talluri2022,frames=9,height=32,width=32"]
    assert main([*command, "--jobs", "1", option, str(tmp_path / "kept")]) == 0
    assert "18 sequences, 0 clips skipped" in capsys.readouterr().out
    assert len(list(tmp_path.glob("kept/*/*.npy"))) == 18


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
