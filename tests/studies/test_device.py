import pytest
import torch

from fleeting.app.cli import main
from fleeting.errors import UsageError
from fleeting.experiments import Collection
from fleeting.studies import Talluri2022, run_study


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
