"""The run folder: it holds what it promises, resumes, and names what is wrong with it."""

import numpy as np
import pytest

from fleeting.errors import FleetingError, ModelFileError, PartialRunError, UsageError
from fleeting.experiments import RunFolder, aggregate, evaluate, load_models
from fleeting.training import load_model


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
