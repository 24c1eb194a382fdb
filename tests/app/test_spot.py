"""``fleeting spot``."""

import csv
import json

import numpy as np
import pytest

from fleeting.app.cli import main
from fleeting.clips import open_clip


def test_spot_writes_scores_and_a_figure(small_set, tmp_path, capsys):
    scores, figure = tmp_path / "Werte ü.csv", tmp_path / "Verlauf ü.png"
    clip = str(small_set / "s01" / "c01")
    assert main(["spot", clip, "--fps", "60", "--scores", str(scores), "--figure", str(figure)]) == 0
    out = capsys.readouterr().out
    assert "Apex: frame" in out and " s; motion" in out
    rows = list(csv.DictReader(scores.read_text(encoding="utf-8").splitlines()))
    frame = int(out.split("frame ")[1].split()[0])
    (apex,) = (row for row in rows if int(row["frame"]) == frame)
    assert float(apex["score"]) > 0.95 * max(float(row["score"]) for row in rows)
    assert float(apex["seconds"]) == pytest.approx(frame / 60, abs=1e-4)
    assert figure.stat().st_size > 5_000


def test_spot_answers_in_json_and_without_a_frame_rate(small_set, capsys):
    clip = str(small_set / "s01" / "c02")
    assert main(["spot", clip, "--method", "ma2017,bins=12", "--json"]) == 0
    captured = capsys.readouterr()
    result = json.loads(captured.out)
    assert result["method"] == "ma2017,bins=12" and "2017" in result["paper"]
    assert 0 <= result["onset_frame"] <= result["apex_frame"] < result["n_frames"]
    assert result["apex_seconds"] is None and "--fps" in result["warnings"][0]
    assert "frame rate" in captured.err


def test_spot_says_what_cannot_be_done(small_set, video, tmp_path, capsys):
    clip = str(small_set / "s01" / "c01")
    assert main(["spot", clip, "--method", "liong2016"]) == 2
    assert "liong2015" in capsys.readouterr().err
    assert main(["spot", clip, "--method", "motion,width=3"]) == 2
    assert main(["spot", clip, "--figure", str(tmp_path / "x.gif")]) == 2
    assert "png" in capsys.readouterr().err
    assert main(["spot", str(tmp_path / "nothing.mp4")]) == 1
    assert main(["spot", str(video("no_face.mp4"))]) == 1
    assert "no face" in capsys.readouterr().err


def test_spot_leaves_out_what_shows_no_face(small_set, write_frames, capsys):
    frames = list(open_clip(small_set / "s01" / "c01").frames)
    folder = write_frames([np.zeros_like(frames[0])] * 9 + frames[::2])
    assert main(["spot", str(folder), "--fps", "30", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["frames"] == [9, result["n_frames"] - 1]
    assert "left out" in result["warnings"][0]
