"""How units are dealt to processes."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from fleeting.errors import FleetingError, UsageError
from fleeting.experiments import execute
from fleeting.experiments.unit import FoldSide, TrainingJob, UnitJob, run_unit
from fleeting.parallel import available_cores
from fleeting.training import TrainingConfig


@pytest.fixture
def job(tmp_path):
    rng = np.random.default_rng(0)
    paths = []
    for number in range(6):
        paths.append(tmp_path / f"{number}.npy")
        np.save(paths[-1], rng.integers(0, 256, (18, 9, 9, 1), dtype=np.uint8))
    clips = FoldSide(tuple(paths), ("a", "b") * 3, tuple(("set", "s", str(number)) for number in range(6)))
    training_job = TrainingJob(
        key="fold0",
        seed=0,
        folder=tmp_path / "fold0",
        side=clips.take(range(4)),
        classes=("a", "b"),
        model="model_b",
        shape={"n_classes": 2, "n_frames": 18, "height": 9, "width": 9, "in_channels": 1},
        model_options={},
        training=TrainingConfig.for_model("model_b", epochs=1),
        recipe={},
    )
    return UnitJob(0, training_job, clips.take([4, 5]))


def other(job, **changes):
    return replace(job, training_job=replace(job.training_job, **changes))


def test_without_a_number_every_core_gets_units_and_a_card_a_few(job, monkeypatch):
    jobs = [job] * 99
    for asked in (0, None):
        assert execute.processes_for(jobs, asked) == available_cores()
    assert execute.processes_for(jobs, 3) == 3
    monkeypatch.setattr(execute, "resolve_device", lambda name: torch.device("cpu" if name == "cpu" else "cuda"))
    on_the_card = [other(job, device="auto")] * 99
    for asked in (0, None):
        assert execute.processes_for(jobs, asked) == available_cores()
        assert execute.processes_for(on_the_card, asked) == execute.UNITS_PER_CARD
    assert execute.processes_for(on_the_card, 7) == 7


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_an_absent_card_is_told_before_processes_start(job, monkeypatch):
    monkeypatch.setattr(execute, "map_jobs", lambda *_, **__: pytest.fail("started"))
    with pytest.raises(UsageError, match="no CUDA device"):
        execute.run_units([other(job, device="cuda")], 1, jobs=0)


def test_the_longest_units_go_first_when_several_run_at_once(job, monkeypatch):
    seen = []

    def record(function, items, **_):
        seen.extend(items)
        return iter(())

    monkeypatch.setattr(execute, "map_jobs", record)
    training_job = job.training_job
    short, longer = other(job, key="short", side=training_job.side.take([0, 1])), other(job, key="longer")
    longest = other(job, key="longest", training=training_job.training.model_copy(update={"epochs": 9}))
    execute.run_units([short, longest, longer], 3, jobs=2)
    assert [one.key for one in seen] == ["longest", "longer", "short"]
    seen.clear()
    execute.run_units([short, longest, longer], 3, jobs=1)
    assert [one.key for one in seen] == ["short", "longest", "longer"]


def test_a_unit_says_where_and_how_it_was_trained(job):
    done = run_unit(job)
    assert (done.device, done.steps) == ("cpu", "eager")


def test_a_sequence_that_was_lost_is_named(job):
    Path(job.test.paths[0]).unlink()
    with pytest.raises(FleetingError, match=r"4\.npy: cannot be read.*run the same command again"):
        run_unit(job)
