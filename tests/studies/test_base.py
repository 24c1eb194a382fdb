"""Every study: found by name, refused if it cannot be run, sent to the device that was asked for."""

import pytest
import torch

from fleeting.app.cli import main
from fleeting.errors import UsageError
from fleeting.experiments import Collection
from fleeting.studies import Irawan2023, Talluri2022, find_study, list_studies, run_study

SETS = {name: f"{name}:/nowhere/{name}" for name in ("casme2", "smic", "samm")}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"sets": {}}, "--casme2, --smic, --samm"),
        ({"sets": {"samn": "x"}}, "did you mean 'samm'"),
        ({"sets": SETS, "only": ("table5",)}, "figure4, table3, table4"),
        ({"sets": SETS, "columns": ("best",)}, "independent, motion, published"),
        ({"sets": SETS, "epochs": 0}, "at least 1"),
    ],
)
def test_impossible_studies_say_what_is_possible(arguments, message):
    with pytest.raises(UsageError, match=message):
        Talluri2022(**arguments)


def test_studies_are_found_by_name(tmp_path):
    assert list_studies() == ["irawan2023", "talluri2022"]
    assert list_studies("talluri*") == ["talluri2022"]
    assert find_study("Talluri2022") is Talluri2022
    with pytest.raises(UsageError, match="did you mean 'irawan2023'"):
        run_study("irawan2022", tmp_path / "out", sets=SETS)
    with pytest.raises(UsageError, match="needs a data set: --smic"):
        run_study("irawan2023", tmp_path / "out")
    with pytest.raises(UsageError, match="found epochs beside a study"):
        run_study(Irawan2023(sets={"smic": SETS["smic"]}), tmp_path / "out", epochs=1)
    assert not (tmp_path / "out").exists()


def test_every_run_of_a_study_goes_to_the_device(tmp_path, monkeypatch):
    class StopError(Exception):
        pass

    def conduct(self, planned, **options):
        assert planned and {one.config.device for one in planned} == {"auto"}
        raise StopError

    monkeypatch.setattr(Collection, "conduct", conduct)
    monkeypatch.setattr(Talluri2022, "clips", lambda self: {})
    study = Talluri2022(sets={"smic": "smic:absent"}, only=("table4",), columns=("published",))
    with pytest.raises(StopError):
        run_study(study, tmp_path / "study", device="auto")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_an_absent_card_is_told_before_anything_is_prepared(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("fleeting.experiments.collection.prepare_clips", lambda *_, **__: pytest.fail("prepared"))
    monkeypatch.setattr("fleeting.experiments.plan.prepare_clips", lambda *_, **__: pytest.fail("prepared"))
    monkeypatch.setattr(Talluri2022, "clips", lambda self: {})
    study = Talluri2022(sets={"smic": "smic:absent"}, only=("table4",), columns=("published",))
    with pytest.raises(UsageError, match="no CUDA device"):
        run_study(study, tmp_path / "study", device="cuda")
    for verb in (
        ["evaluate", "--data", "synthetic:absent", "--out"],
        ["train", "--data", "synthetic:absent", "--out"],
        ["sweep", "--data", "synthetic:absent", "--grid", "training.epochs=1,2", "--out"],
    ):
        assert main([*verb, str(tmp_path / verb[0]), "--device", "cuda"]) != 0
        assert "no CUDA device" in capsys.readouterr().err
