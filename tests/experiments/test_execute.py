"""Units over processes: dealt out, killed, gone on with, and the same whatever happened."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest
import torch

from fleeting.errors import UsageError
from fleeting.experiments import (
    Observer,
    evaluate,
    execute,
    train_on_all,
)
from fleeting.parallel import available_cores
from fleeting.training import load_model


def _weights(run):
    return {path.parent.name: path.read_bytes() for path in run.path.glob("units/*/model.safetensors")}


def other(job, **changes):
    return replace(job, training_job=replace(job.training_job, **changes))


def test_the_same_run_is_bit_for_bit_the_same_also_over_processes(small_run, small_config, cache, tmp_path):
    again = evaluate(small_config, tmp_path / "again", cache=cache, jobs=2)
    assert _weights(again) == _weights(small_run)
    assert again.predictions().equals(small_run.predictions())


def test_a_finished_run_is_not_trained_again(copied, small_config, cache, monkeypatch):
    monkeypatch.setattr("fleeting.experiments.execute.run_unit", lambda *_: pytest.fail("trained again"))
    evaluate(small_config, copied.path, cache=cache)


def test_only_the_missing_unit_is_trained(copied, small_config, cache, small_run):
    keys = [unit.key for unit in copied.read().units]
    (copied.unit_folder(keys[0]) / "unit.json").unlink()
    before = (copied.unit_folder(keys[1]) / "unit.json").read_bytes()
    trained = set()
    evaluate(small_config, copied.path, cache=cache, observer=Observer(epoch=lambda key, _: trained.add(key)))
    assert trained == {keys[0]}
    assert (copied.unit_folder(keys[1]) / "unit.json").read_bytes() == before
    assert _weights(copied) == _weights(small_run)


_RUN = """
import sys
from fleeting.experiments import ExperimentConfig, evaluate
if __name__ == "__main__":
    config = ExperimentConfig.model_validate_json(sys.argv[1])
    print("ready", flush=True)
    evaluate(config, sys.argv[2], cache=sys.argv[3])
"""


def test_a_killed_run_resumes_to_the_same_result(small_run, small_config, cache, tmp_path):
    out = tmp_path / "killed"
    command = [sys.executable, "-c", _RUN, small_config.model_dump_json(), str(out), str(cache)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    while not list(out.glob("units/*/unit.json")) and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    resumed = evaluate(small_config, out, cache=cache)
    assert resumed.predictions().equals(small_run.predictions())
    assert _weights(resumed) == _weights(small_run)


_KILLED = """
import os, signal, sys
from pathlib import Path
from fleeting.experiments import ExperimentConfig, evaluate
if __name__ == "__main__":
    replace = Path.replace
    def killed(self, target):
        if Path(target).name == sys.argv[4]:
            os.kill(os.getpid(), signal.SIGKILL)
        return replace(self, target)
    Path.replace = killed
    config = ExperimentConfig.model_validate_json(sys.argv[1])
    evaluate(config, sys.argv[2], cache=sys.argv[3], samples=False)
"""


@pytest.mark.slow
def test_a_run_that_is_killed_as_each_file_is_put_in_place_goes_on(small_run, small_config, cache, tmp_path):
    out = tmp_path / "killed"
    for name in ("run.json", "predictions.csv", "unit.json", "summary.json"):
        command = [sys.executable, "-c", _KILLED, small_config.model_dump_json(), str(out), str(cache), name]
        assert subprocess.run(command, stdout=subprocess.DEVNULL, check=False).returncode == -signal.SIGKILL, name
        assert list(out.rglob(f".{name}.*.part")), name
    resumed = evaluate(small_config, out, cache=cache)
    assert resumed.predictions().equals(small_run.predictions())
    assert _weights(resumed) == _weights(small_run)


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


def test_train_on_all_makes_one_model(small_config, cache, tmp_path):
    folder = train_on_all(small_config, tmp_path / "model", cache=cache)
    model = load_model(folder)
    assert model.recipe["frames"] == 9
    assert sorted(model.classes) == ["disgust", "happiness", "surprise"]
    assert not (folder / "unit.json").exists()
