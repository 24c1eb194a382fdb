"""``fleeting sweep``."""

import json

import pytest

from fleeting.app.cli import main


def test_a_sweep_from_the_command_line(small_set, small_run, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("FLEETING_CACHE", str(small_run.path.parent / "cache"))
    out = tmp_path / "sweep"
    command = ["sweep", "--data", f"synthetic:{small_set}", "--recipe", "talluri2022,frames=9,height=32,width=32"]
    command += ["--motion", "difference", "--protocol", "subject-kfold,folds=2", "--epochs", "1", "--jobs", "1"]
    grid = ["--grid", "training.learning_rate=0.001,0.0001", "--grid", "model.dropout=0.1"]
    assert main([*command, *grid, "--out", str(out)]) == 0
    text = capsys.readouterr().out
    assert "training.learning_rate" in text and "0.0001" in text
    assert len(list(out.glob("runs/*/report.html"))) == 2
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "lacks what the figure shows" not in page
    assert main([*command, *grid, "--out", str(out), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["report"].endswith("report.html")
    assert main(["report", str(out)]) == 0
    # Another sweep does not go into the same folder.
    assert main([*command, "--grid", "model.dropout=0.2", "--out", str(out)]) == 2


@pytest.mark.parametrize(("arguments", "message"), [
    (["sweep", "--data", "synthetic:x", "--out", "s"], "either --grid or --definition"),
    (["sweep", "--data", "synthetic:x", "--definition", "nobody", "--out", "s"], "irawan2023"),
    (["sweep", "--data", "synthetic:x", "--grid", "rate=1", "--out", "s"], "OWNER.FIELD"),
])  # fmt: skip
def test_wrong_usage(arguments, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert message in " ".join((captured.out + captured.err).split())


def test_a_field_is_given_with_all_its_values(tmp_path, capsys):
    grid = ["--grid", "model.dropout=0.1", "--grid", "model.dropout=0.2"]
    assert main(["sweep", "--data", "synthetic:x", *grid, "--out", str(tmp_path / "s")]) == 2
    assert "model.dropout is given twice" in capsys.readouterr().err
