"""What lies in a run folder is believed only if it is whole; all else is named, trained again, or an error of ours."""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from fleeting.datasets import load_clips
from fleeting.errors import FleetingError, UsageError
from fleeting.experiments import (
    Collection,
    Grid,
    Observer,
    RunFolder,
    aggregate,
    evaluate,
    run_sweep,
)
from fleeting.records import RecordError, RunHead, UnitRecord


def lose_an_answer(folder: Path) -> None:
    path = folder / "predictions.csv"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))


def repeat_an_answer(folder: Path) -> None:
    path = folder / "predictions.csv"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([*lines[:-1], lines[-2]]))


def change_an_answer(folder: Path) -> None:
    path = folder / "predictions.csv"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([*lines[:-1], lines[-1].replace(",0.", ",0.0", 1)]))


def claim_more(folder: Path) -> None:
    done = UnitRecord.read(folder / "unit.json")
    done.model_copy(update={"n_test": done.n_test + 1}).write(folder / "unit.json")


def cut(folder: Path) -> None:
    path = folder / "unit.json"
    path.write_bytes(path.read_bytes()[:-20])


DAMAGE = {
    lose_an_answer: "predictions.csv holds 8 answers; expected 9",
    repeat_an_answer: "predictions.csv answers about clip .* twice",
    change_an_answer: "predictions.csv is not the file that the unit wrote",
    claim_more: "unit.json n_test: found 10; run.json lists 9",
    cut: "unit.json is not JSON",
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_unit_is_trained_again_and_says_so(copied, small_config, small_run, cache, damage):
    first = copied.read().units[0].key
    damage(copied.unit_folder(first))
    said, trained = [], set()
    observer = Observer(stage=said.append, epoch=lambda key, _: trained.add(key))
    evaluate(small_config, copied.path, cache=cache, observer=observer)
    assert trained == {first}
    (sentence,) = [text for text in said if "trained again" in text]
    assert re.fullmatch(rf"Unit {first} is trained again: {DAMAGE[damage]}.*", sentence)
    assert np.array_equal(copied.predictions(), small_run.predictions())


@pytest.mark.parametrize("damage", [lose_an_answer, repeat_an_answer, change_an_answer, claim_more])
def test_a_damaged_unit_is_never_scored(copied, damage):
    key = copied.read().units[1].key
    damage(copied.unit_folder(key))
    before = (copied.path / "summary.json").read_bytes()
    for partial in (False, True):
        with pytest.raises(
            RecordError, match=rf"{key}.*delete the unit's folder and run the same evaluate command again"
        ):
            aggregate(copied, allow_partial=partial)
    assert (copied.path / "summary.json").read_bytes() == before


def test_units_of_earlier_versions_have_no_digest_and_are_taken(copied, small_config, cache, monkeypatch):
    for unit in copied.units():
        folder = copied.unit_folder(unit.key)
        old = unit.to_json()
        del old["predictions_sha256"]
        (folder / "unit.json").write_text(json.dumps(old))
    monkeypatch.setattr("fleeting.experiments.execute.run_unit", lambda *_: pytest.fail("trained again"))
    evaluate(small_config, copied.path, cache=cache)
    lose_an_answer(copied.unit_folder(copied.read().units[0].key))
    with pytest.raises(RecordError, match="holds 8 answers; expected 9"):
        aggregate(copied)


def test_answers_of_other_classes_are_named(copied):
    head = copied.read()
    head.model_copy(update={"classes": ("disgust", "happiness")}).write(copied.path / "run.json")
    with pytest.raises(RecordError, match=r"names surprise; the run's classes are disgust, happiness"):
        copied.predictions()


def test_a_network_without_a_number_is_an_error(small_config, cache, tmp_path, monkeypatch):
    from fleeting.training import TrainingResult

    def nothing(self, X, **_):
        return np.full((len(X), 3), np.nan)

    monkeypatch.setattr(TrainingResult, "predict_proba", nothing)
    with pytest.raises(FleetingError, match=r"fold0-seed0.*probabilities that are no numbers"):
        evaluate(small_config, tmp_path / "run", cache=cache)
    assert not list(tmp_path.glob("run/units/*/unit.json"))


@pytest.mark.parametrize("left", [".run.json.k3x9_2ab.part", ".DS_Store"])
def test_a_folder_with_what_nobody_put_there_is_free(small_config, cache, tmp_path, left):
    (tmp_path / left).write_text("{")
    run = evaluate(small_config.model_copy(update={"seeds": (3,)}), tmp_path, cache=cache, samples=False)
    assert not run.missing()
    other = tmp_path / "collection"
    other.mkdir()
    (other / left.replace("run", "collection")).write_text("{")
    Collection(other).claim({"kind": "study"})
    Collection(other).claim({"kind": "study"})
    with pytest.raises(UsageError, match=r"holds another collection of runs \(kind: 'study' there, 'sweep' now\)"):
        Collection(other).claim({"kind": "sweep"})


def refusals(tmp_path, name):
    (tmp_path / "file").touch()
    return {
        "a file": (tmp_path / "file", "is a file"),
        "below a file": (tmp_path / "file" / "run", "a part of this path is a file"),
        "too long": (tmp_path / ("n" * 300), "cannot be used as a folder"),
    }[name]


@pytest.mark.parametrize("name", ["a file", "below a file", "too long"])
def test_what_cannot_be_written_to_is_told_before_any_work(small_config, cache, tmp_path, monkeypatch, name):
    for module in ("plan", "execute", "collection"):
        monkeypatch.setattr(f"fleeting.experiments.{module}.prepare_clips", lambda *_, **__: pytest.fail("prepared"))
    out, says = refusals(tmp_path, name)
    with pytest.raises(FleetingError, match=f"{says}.*choose another --out"):
        evaluate(small_config, out, cache=cache)
    with pytest.raises(FleetingError, match=f"{says}.*choose another --out"):
        run_sweep(small_config, [Grid({"training.epochs": (1,)})], out, cache=cache)
    assert not RunFolder(out).exists


def test_what_json_cannot_hold_is_told(small_config, cache, tmp_path):
    config = small_config.model_copy(update={"seeds": (10**30,)})
    clips = load_clips(small_config.data)
    with pytest.raises(UsageError, match=r"this run cannot be written down: .*seeds\.0"):
        evaluate(config, tmp_path / "run", clips=clips, cache=cache)
    with pytest.raises(UsageError, match="cannot be written down"):
        Collection(tmp_path / "other").claim({"kind": "study", "rate": float("inf")})
    assert not (tmp_path / "other").exists()


def test_words_may_change_between_versions_and_the_run_resumes(copied, small_config, cache, monkeypatch):
    head = copied.read()
    protocol = head.config.protocol.model_copy(update={"sentence": "in other words"})
    config = head.config.model_copy(update={"protocol": protocol})
    head.model_copy(update={"config": config, "notes": ("In other words.",)}).write(copied.path / "run.json")
    monkeypatch.setattr("fleeting.experiments.execute.run_unit", lambda *_: pytest.fail("trained again"))
    evaluate(small_config, copied.path, cache=cache)


@pytest.mark.parametrize("seed", range(60))
def test_any_damage_is_believed_by_nobody_or_an_error_of_ours(
    small_run, small_config, cache, tmp_path, seed, monkeypatch, mutate
):
    run = RunFolder(shutil.copytree(small_run.path, tmp_path / "run"))
    names = ["run.json", "units/*/unit.json", "units/*/predictions.csv"]
    rng = random.Random(seed)
    path = rng.choice(sorted(run.path.glob(names[seed % 3])))
    whole = path.read_bytes()
    mutate(path, rng)
    trained = []

    def train(job, *_):
        trained.append(job.key)
        raise UsageError("no time")

    monkeypatch.setattr("fleeting.experiments.execute.run_unit", train)
    uses = [
        lambda: aggregate(run),
        run.predictions,
        run.units,
        lambda: evaluate(small_config, run.path, cache=cache, samples=False),
    ]
    for use in uses:
        with contextlib.suppress(FleetingError):
            use()
    if path.name == "predictions.csv" and not (path.is_file() and path.read_bytes() == whole):
        assert trained == [path.parent.name]


def test_a_pipe_is_named_and_nobody_waits(copied, small_config, cache):
    head, unit = copied.path / "run.json", copied.unit_folder(copied.read().units[0].key) / "predictions.csv"
    for path, use in ((unit, copied.predictions), (head, copied.read)):
        path.unlink()
        os.mkfifo(path)
        with pytest.raises(FleetingError, match="is a pipe or device; expected a file"):
            use()
    with pytest.raises(FleetingError, match="holds other files"):
        evaluate(small_config, copied.path, cache=cache)


def test_the_head_of_another_version_is_named(copied):
    head = RunHead.read(copied.path / "run.json").to_json()
    (copied.path / "run.json").write_text(json.dumps(head | {"format": 2}))
    with pytest.raises(RecordError, match="run format 2, this version reads 1; use the version that wrote it"):
        aggregate(copied)
