"""The study of Irawan et al. 2023."""

from fleeting.studies import Irawan2023

SETS = {name: f"{name}:/nowhere/{name}" for name in ("casme2", "smic", "samm")}


def test_irawans_sweeps_share_their_middle():
    plan = Irawan2023(sets={"smic": SETS["smic"]}, columns=("published",)).plan()
    assert len(plan) == 7
    epochs = sorted(run.config.training.epochs for run in plan)
    assert epochs == [80, 100, 100, 100, 100, 100, 120]
    assert {run.config.protocol for run in plan} == {"holdout"}
