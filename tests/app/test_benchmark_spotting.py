"""``fleeting benchmark-spotting``."""

import csv
import json

import pytest

from fleeting.app.cli import main


@pytest.fixture(scope="module")
def two_clips(tmp_path_factory):
    from fleeting.synthesis import write_dataset

    root = tmp_path_factory.mktemp("sets") / "casme2"
    write_dataset(root, layout="casme2", subjects=1, clips_per_subject=2, seed=1, fps=30, amplitude=(2, 3))
    return root


def test_benchmark_spotting_prints_and_writes_the_errors(two_clips, tmp_path, capsys):
    out = tmp_path / "Ergebnis ü"
    methods = ["--methods", "motion", "liong2015,radius=1", "--jobs", "1"]
    assert main(["benchmark-spotting", f"casme2:{two_clips}", *methods, "--out", str(out)]) == 0
    text = capsys.readouterr().out
    assert "casme2: 2 clips" in text and "liong2015,radius=1" in text and "always the middle" in text
    assert "published: " in text
    rows = list(csv.DictReader((out / "errors.csv").read_text(encoding="utf-8").splitlines()))
    assert len(rows) == 2 * 3
    summary = list(csv.DictReader((out / "summary.csv").read_text(encoding="utf-8").splitlines()))
    errors = [float(row["error"]) for row in rows if row["method"] == "motion"]
    assert float(summary[0]["mae"]) == pytest.approx(sum(errors) / 2, abs=1e-5)
    assert float(summary[0]["median"]) <= 1


def test_benchmark_spotting_answers_in_json(two_clips, capsys):
    assert main(["benchmark-spotting", f"casme2:{two_clips}", "--methods", "liong2015", "--jobs", "1", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert [row["method"] for row in result["summary"]] == ["liong2015", "always the middle"]
    assert result["published"] and all("casme2" in row["datasets"] for row in result["published"])
    assert result["skipped"] == []


def test_a_set_without_apexes_is_said_to_have_none(tmp_path, capsys):
    from fleeting.synthesis import write_dataset

    root = tmp_path / "smic"
    write_dataset(root, layout="smic", subjects=1, clips_per_subject=1, seed=1, fps=30)
    assert main(["benchmark-spotting", f"smic:{root}", "--jobs", "1"]) == 1
    assert "no annotated apex" in capsys.readouterr().err
