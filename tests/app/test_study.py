"""``fleeting study``."""

import json

import pytest

from fleeting.app.cli import main


def test_a_study_of_look_alikes_from_the_command_line(tmp_path, capsys):
    out = tmp_path / "study"
    command = ["study", "irawan2023", "--look-alike", "--scale", "0.02", "--epochs", "1", "--only", "table4"]
    assert main([*command, "--columns", "motion", "--out", str(out), "--cache", str(tmp_path / "cache")]) == 0
    assert "Report:" in capsys.readouterr().out
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "look-alikes at 2 % of the true size" in page
    assert page.index("Look-alikes") < page.index("Table I.") < page.index("Table II.") < page.index("Table IV.")
    assert "68.90" in page


def test_the_study_of_leakage_runs_on_data_of_ones_own(small_set, tmp_path, capsys):
    command = ["study", "leakage", "--model", "model_b", "--recipe", "talluri2022,frames=18,height=16,width=16"]
    command += ["--epochs", "2", "--folds", "2", "--only", "mixed", "--out", str(tmp_path / "study"), "--jobs", "1"]
    command += ["--cache", str(tmp_path / "cache"), "--json"]
    assert main(command) == 2
    assert "either --data KIND:PATH or --look-alike; found neither" in capsys.readouterr().err
    assert main([*command, "--data", f"synthetic:{small_set}"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert len(printed["summary"]) == 4 and (tmp_path / "study" / "report.html").is_file()
    assert {path.name for path in (tmp_path / "study" / "runs").iterdir()} == {"independent", "mixed"}


@pytest.mark.parametrize(("arguments", "message"), [
    (["study", "talluri2022", "--out", "s"], "--look-alike"),
    (["study", "talluri2022", "--smic", "/nowhere", "--out", "s"], "/nowhere"),
    (["study", "talluri2022", "--smic", "x", "--look-alike", "--out", "s"], "leave out --smic"),
    (["study", "talluri2022", "--smic", "x", "--only", "table9", "--out", "s"], "figure4, table3, table4"),
    (["study", "meng2024", "--out", "s"], "irawan2023, leakage, talluri2022"),
    (["study", "Talluri-2022x"], "did you mean 'talluri2022'"),
    (["study", "own", "--plugin", "{own}"], "study own needs --out"),
    (["study", "own", "--plugin", "{own}", "--out", "s"], "study own needs a data set: --smic"),
    (["study", "own", "--plugin", "{own}", "--out", "s", "--data", "samm:x"], "unknown data set of study own 'samm'"),
    (["study", "own", "--plugin", "{own}", "--out", "s", "--data", "smic"], "expected KIND:PATH"),
    (["study", "own", "--plugin", "{own}", "--out", "s", "--data", "smic:a", "--data", "smic:b"], "each kind of data set"),
    (["study", "own", "--plugin", "{own}", "--out", "s", "--data", "smic:/nowhere"], "/nowhere"),
])  # fmt: skip
def test_wrong_usage(arguments, message, capsys, tmp_path, monkeypatch, own_registries):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.py").write_text(
        "from fleeting.studies import Irawan2023, register_study\n\n\n"
        "@register_study('own')\nclass Own(Irawan2023):\n    pass\n"
    )
    assert main([word.replace("{own}", "own.py") for word in arguments]) == 2
    captured = capsys.readouterr()
    assert message in " ".join((captured.out + captured.err).split())


def test_without_a_name_the_studies_are_listed(capsys):
    assert main(["study"]) == 0
    told = capsys.readouterr().out
    assert "fleeting study NAME" in told and all(name in told for name in ("irawan2023", "leakage", "talluri2022"))
