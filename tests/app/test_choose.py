"""``--choose`` and ``study leakage`` on the command line."""

import json

import pytest

from fleeting.app.cli import main
from fleeting.app.experiment import experiment_from
from fleeting.app.options import SelectionOptions
from fleeting.errors import UsageError


def test_what_was_chosen_is_in_the_run_folder(small_set, tmp_path, capsys):
    command = ["evaluate", "--data", f"synthetic:{small_set}", "--recipe", "talluri2022,frames=18,height=32,width=32"]
    command += ["--model", "model_b", "--protocol", "subject-holdout", "--epochs", "2", "--inner-folds", "2"]
    command += ["--choose", "epochs", "--choose", "training.learning_rate=0.001,0.01", "--choose-by", "uar"]
    command += ["--out", str(tmp_path / "run"), "--cache", str(tmp_path / "cache"), "--jobs", "1", "--json"]
    assert main(command) == 0, capsys.readouterr().err
    run = json.loads((tmp_path / "run" / "run.json").read_text(encoding="utf-8"))
    assert run["config"]["selection"]["grid"] == {"training.learning_rate": [0.001, 0.01]}
    unit = json.loads(next((tmp_path / "run" / "units").glob("*/unit.json")).read_text(encoding="utf-8"))
    assert set(unit["selection"]["chosen"]) == {"epochs", "training.learning_rate"}
    assert len(unit["selection"]["candidates"]) == 2 and len(unit["selection"]["inner_folds"]) == 2
    # The same command finds everything done; another choice is another run.
    assert main(command) == 0
    assert main([part if part != "uar" else "uf1" for part in command]) == 2
    assert "selection.metric" in capsys.readouterr().err


def test_nothing_is_chosen_unless_asked_for():
    assert SelectionOptions().selection() is None
    with pytest.raises(UsageError, match=r"--choose 'rate': expected OWNER.FIELD=v1,v2"):
        SelectionOptions(choose=["rate"]).selection()


def test_a_model_brings_its_recipe(monkeypatch):
    def made(recipe, model):
        return experiment_from(["x:y"], recipe=recipe, model=model).recipe

    assert made(None, "model_a").name == "talluri2022"
    assert made("irawan2023", "model_a").name == "irawan2023"


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
