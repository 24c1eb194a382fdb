"""``fleeting data check``."""

import json
import sys
from pathlib import Path

import pytest

from fleeting.app.cli import main

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "data"))

import look_alike_casme2
import look_alike_smic


@pytest.fixture(scope="module")
def casme2(tmp_path_factory):
    return look_alike_casme2.write(tmp_path_factory.mktemp("casme2") / "[red]ü")


def test_a_usable_set(casme2, capsys):
    assert main(["data", "check", "casme2", str(casme2)]) == 0
    captured = capsys.readouterr()
    # Brackets in a path are no markup.
    assert "[red]ü" in captured.out and "[selected]" in captured.out
    assert "CASME II: 11 of 255 clips" in captured.out
    assert "disgust            2     63" in captured.out
    for what in ("EP07_03", "EP99_99", "EP01_11f", "To do: unpack the missing clips again"):
        assert what in captured.out
    assert main(["data", "check", "casme2", str(casme2), "--quiet"]) == 0
    captured = capsys.readouterr()
    assert captured.out == captured.err == ""


def test_json(casme2, capsys):
    assert main(["data", "check", "casme2", str(casme2), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["usable"], found["complete"], found["n_clips"], found["wrong_folder"]) == (True, False, 11, False)
    assert {"name": "disgust", "found": 2, "known": 63} in found["emotions"]
    assert found["missing_clips"] == ["03/EP07_03", "26/EP18_50"]
    assert all(problem["remedy"] for problem in found["problems"])


def test_a_wrong_folder_and_an_empty_one(casme2, tmp_path, capsys):
    assert main(["data", "check", "samm", str(casme2)]) == 1
    assert "It looks like casme2:" in capsys.readouterr().err
    assert main(["data", "check", "samm", str(casme2), "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert (found["usable"], found["wrong_folder"], found["looks_like"]) == (False, True, ["casme2"])
    assert main(["data", "check", "smic", str(tmp_path / "none"), "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["wrong_folder"] is False
    (casme2 / "CASME2-coding-20140508.xlsx").rename(tmp_path / "away.xlsx")
    assert main(["data", "check", "casme2", str(casme2)]) == 1
    captured = capsys.readouterr()
    assert "copy CASME2-coding-20140508.xlsx from the release" in captured.out
    assert "no usable clip of CASME II" in captured.err
    (tmp_path / "away.xlsx").rename(casme2 / "CASME2-coding-20140508.xlsx")


def test_subsets_and_other_kinds(tmp_path, capsys):
    look_alike_smic.write(tmp_path)
    assert main(["data", "check", "smic-hs-e", str(tmp_path)]) == 0
    assert "SMIC HS-E: 5 of 162 clips" in capsys.readouterr().out
    assert main(["data", "check", "smik", str(tmp_path)]) == 2
    assert "did you mean 'smic'" in capsys.readouterr().err
    (tmp_path / "own" / "a" / "b").mkdir(parents=True)
    (tmp_path / "own" / "clips.csv").write_text("subject,clip\na,b\n")
    assert main(["data", "check", "folder", str(tmp_path / "own")]) == 1
    assert "no frames" in capsys.readouterr().err
