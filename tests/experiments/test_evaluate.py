import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest

from fleeting.clips import ArrayFrames, Clip
from fleeting.errors import FleetingError, ModelFileError, PartialRunError, UsageError
from fleeting.experiments import ExperimentConfig, Observer, RunFolder, aggregate, evaluate, load_models, train_on_all
from fleeting.records import Summary
from fleeting.sequences import Talluri2022
from fleeting.training import load_model


@pytest.fixture
def cache(small_run):
    return small_run.path.parent / "cache"


@pytest.fixture
def copied(small_run, tmp_path):
    return RunFolder(shutil.copytree(small_run.path, tmp_path / "run"))


def _weights(run):
    return {path.parent.name: path.read_bytes() for path in run.path.glob("units/*/model.safetensors")}


def test_a_run_folder_holds_what_it_promises(small_run):
    names = {p.name for p in small_run.path.iterdir()}
    assert {"run.json", "units", "results.csv", "summary.json", "clips.csv", "skipped.csv", "samples"} <= names
    run = small_run.read()
    assert len(run.units) == 2 and not small_run.missing()
    for unit in run.units:
        files = {p.name for p in small_run.unit_folder(unit.key).iterdir()}
        assert files == {"predictions.csv", "history.csv", "model.safetensors", "config.json", "unit.json"}
    assert run.config.protocol.subject_independent is True
    assert run.versions["torch"] and run.machine["cores"] >= 1
    assert any("synthetic" in note for note in run.notes)


def test_every_clip_is_predicted_once_by_a_model_that_never_saw_its_subject(small_run):
    predictions = small_run.predictions()
    assert len(predictions) == 18
    assert not predictions.duplicated(["dataset", "subject", "clip"]).any()
    for unit in small_run.read().units:
        done = small_run.finished(unit.key)
        assert not set(done.train_subjects) & set(done.test_subjects)
        tested = predictions[predictions["fold"] == unit.fold]
        assert set("synthetic/" + tested["subject"]) == set(done.test_subjects)
    classes = small_run.read().classes
    probabilities = predictions[[f"p_{name}" for name in classes]].to_numpy()
    assert probabilities.sum(1) == pytest.approx(np.ones(18), abs=1e-5)
    assert (np.array(classes)[probabilities.argmax(1)] == predictions["prediction"]).mean() > 0.99


def test_results_are_the_predictions_scored(small_run):
    predictions = small_run.predictions()
    results = pd.read_csv(small_run.path / "results.csv")
    right = predictions["label"] == predictions["prediction"]
    pooled = results[results["scope"] == "pooled"].iloc[0]
    assert pooled["accuracy"] == pytest.approx(right.mean(), abs=1e-6)
    assert pooled["accuracy_low"] <= pooled["accuracy"] <= pooled["accuracy_high"]
    folds = results[results["scope"] == "fold"]
    assert folds["accuracy"].tolist() == pytest.approx(right.groupby(predictions["fold"]).mean().tolist(), abs=1e-6)
    assert folds["majority_accuracy"].between(0, 1).all()
    mean = results[results["scope"] == "mean"].iloc[0]
    assert mean["accuracy"] == pytest.approx(folds["accuracy"].mean(), abs=1e-6)
    summary = Summary.read(small_run.path / "summary.json")
    assert np.sum(summary.pooled.confusion) == 18
    assert summary.partial is False


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


def test_partial_runs_are_refused_unless_asked_for(copied):
    keys = [unit.key for unit in copied.read().units]
    (copied.unit_folder(keys[0]) / "unit.json").unlink()
    with pytest.raises(PartialRunError, match="1 of 2 units"):
        aggregate(copied)
    summary = aggregate(copied, allow_partial=True)
    assert summary.partial is True and summary.missing == (keys[0],)
    (copied.unit_folder(keys[1]) / "unit.json").write_text("{cut")
    with pytest.raises(PartialRunError, match="no unit is finished"):
        aggregate(copied, allow_partial=True)


def test_another_run_in_the_same_folder_is_refused(copied, small_config, cache):
    other = small_config.model_copy(update={"seeds": (1,)})
    with pytest.raises(UsageError, match="holds another run"):
        evaluate(other, copied.path, cache=cache)
    (copied.path.parent / "full").mkdir()
    (copied.path.parent / "full" / "thesis.txt").write_text("x")
    with pytest.raises(UsageError, match="other files"):
        evaluate(small_config, copied.path.parent / "full", cache=cache)


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


def test_models_of_a_run_and_of_one_unit(small_run):
    models = load_models(small_run.path)
    assert len(models) == 2
    assert models[0].recipe == small_run.read().config.recipe.to_json()
    one = next(small_run.path.glob("units/*/model.safetensors"))
    assert load_models(one)[0].classes == models[0].classes
    with pytest.raises(ModelFileError):
        load_models(small_run.path / "absent")


def test_predictions_can_be_made_again_from_the_saved_model(small_run, small_config, cache):
    from fleeting.datasets import load_clips
    from fleeting.sequences import prepare

    unit = small_run.read().units[0]
    model = load_model(small_run.unit_folder(unit.key))
    sequences = prepare(load_clips(small_config.data), small_config.recipe, root=cache)
    predictions = small_run.predictions()
    part = predictions[predictions["fold"] == unit.fold]
    where = [f"{c.subject}/{c.name}" for c in sequences.clips]
    rows = [where.index(f"{s}/{c}") for s, c in zip(part["subject"], part["clip"], strict=True)]
    probabilities = model.predict_proba(sequences.array(rows))
    assert probabilities == pytest.approx(part[[f"p_{c}" for c in model.classes]].to_numpy(), abs=1e-5)


def test_classes_can_be_chosen_and_unknown_ones_say_what_there_is(small_config, cache, tmp_path):
    two = small_config.model_copy(update={"classes": ("surprise", "happiness")})
    run = evaluate(two, tmp_path / "two", cache=cache)
    assert run.read().classes == ("surprise", "happiness")
    assert len(run.predictions()) == 12
    with pytest.raises(UsageError, match="the labels found are: disgust, happiness, surprise"):
        evaluate(small_config.model_copy(update={"classes": ("joy", "disgust")}), tmp_path / "no", cache=cache)
    with pytest.raises(UsageError, match="one class only"):
        evaluate(small_config.model_copy(update={"classes": ("disgust",)}), tmp_path / "no", cache=cache)


def test_clips_without_face_or_label_are_listed(small_config, cache, tmp_path):
    from fleeting.datasets import load_clips

    blank = ArrayFrames(np.zeros((4, 90, 90, 3), np.uint8))
    extra = [
        Clip("synthetic", "s01", "faceless", blank, emotion="disgust"),
        Clip("synthetic", "s01", "nameless", blank),
    ]
    run = evaluate(small_config, tmp_path / "run", clips=[*load_clips(small_config.data), *extra], cache=cache)
    skipped = pd.read_csv(run.path / "skipped.csv").set_index("clip")["reason"]
    assert set(skipped.index) == {"faceless", "nameless"}
    assert "no face" in skipped["faceless"] and "no emotion" in skipped["nameless"]
    assert len(run.predictions()) == 18


def test_nothing_usable_and_duplicates(small_config, tmp_path):
    blank = ArrayFrames(np.zeros((4, 90, 90, 3), np.uint8))
    clips = [Clip("d", f"s{k}", "c", blank, emotion=e) for k, e in enumerate(["disgust", "surprise"])]
    with pytest.raises(FleetingError, match="none of the 2 clips"):
        evaluate(small_config, tmp_path / "a", clips=clips, cache=tmp_path / "cache")
    with pytest.raises(UsageError, match="occur more than once"):
        evaluate(small_config, tmp_path / "b", clips=[clips[0], clips[0]], cache=tmp_path / "cache")
    with pytest.raises(UsageError, match="no clips"):
        evaluate(small_config, tmp_path / "c", clips=[], cache=tmp_path / "cache")


def test_a_broken_predictions_file_is_named(copied):
    unit = copied.read().units[0]
    (copied.unit_folder(unit.key) / "predictions.csv").write_bytes(b"")
    with pytest.raises(FleetingError, match=r"predictions\.csv"):
        aggregate(copied)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"format": 99}'])
def test_a_damaged_run_json(copied, content):
    (copied.path / "run.json").write_text(content)
    with pytest.raises(FleetingError, match=r"run\.json"):
        copied.read()


def test_no_run_at_all(tmp_path):
    with pytest.raises(FleetingError, match="not a run folder"):
        RunFolder(tmp_path).read()


def test_configurations_travel_as_json_and_know_their_recipe(small_config):
    again = ExperimentConfig.model_validate_json(small_config.model_dump_json())
    assert again == small_config
    assert isinstance(again.recipe, Talluri2022)
    assert again.effective_training.motion == "difference"


def test_train_on_all_makes_one_model(small_config, cache, tmp_path):
    folder = train_on_all(small_config, tmp_path / "model", cache=cache)
    model = load_model(folder)
    assert model.recipe["frames"] == 9
    assert sorted(model.classes) == ["disgust", "happiness", "surprise"]
    assert not (folder / "unit.json").exists()
