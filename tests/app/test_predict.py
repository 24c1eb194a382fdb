"""``fleeting predict``."""

import json

from fleeting.app.cli import main


def test_a_verdict_in_words_in_json_and_as_a_figure(small_set, small_run, tmp_path, capsys):
    figure = tmp_path / "v.png"
    command = ["predict", str(small_set / "s01" / "c01"), "--model", str(small_run.path), "--fps", "60"]
    assert main([*command, "--figure", str(figure)]) == 0
    assert "Apex: frame" in capsys.readouterr().out
    assert figure.stat().st_size > 10_000
    assert main([*command, "--json"]) == 0
    verdict = json.loads(capsys.readouterr().out)
    assert set(verdict["probabilities"]) == {"disgust", "happiness", "surprise"}


def test_no_face_is_exit_code_1(video, small_run, capsys):
    assert main(["predict", str(video("no_face.mp4")), "--model", str(small_run.path)]) == 1
    captured = capsys.readouterr()
    assert "no face" in captured.err
    assert captured.out == ""
