"""Choices are made on inner folds of the training side, by people, and nothing of the test side can reach them."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.metrics import f1_score

from fleeting.errors import UsageError
from fleeting.experiments import Selection
from fleeting.experiments.selection import best_epoch
from fleeting.experiments.unit import FoldSide, TrainingJob, UnitJob, choose, run_unit
from fleeting.models import DirectModel, create_model, register_model
from fleeting.records import UnitRecord
from fleeting.training import TrainingConfig, train

PEOPLE, CLIPS = 12, 6
SHAPE = {"n_classes": 2, "n_frames": 1, "height": 8, "width": 8, "in_channels": 1}


class Lottery(DirectModel):
    """Answers by chance, each ticket in its own way: some ticket is always right by luck, and only the test side knows."""

    def __init__(self, shape, ticket=0):
        super().__init__()
        generator = torch.Generator().manual_seed(ticket)
        self.register_buffer("direction", torch.randn(shape.height * shape.width, generator=generator))

    def fit_direct(self, x, y, *, weights, seed):
        """Nothing can be learnt."""

    def forward(self, x):
        score = (x.flatten(1) @ self.direction) * 100
        return torch.stack([score, -score], dim=1)


def tiny(shape):
    """The least network that learns."""
    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(shape.height * shape.width, shape.n_classes))


@pytest.fixture(autouse=True)
def registered(own_registries):
    """The two models, for as long as a test takes."""
    register_model("lottery", paper="none: a test", training={}, sizes=(1, 8, 8))(Lottery)
    training = {"learning_rate": 0.1, "batch_size": 8}
    register_model("tiny", paper="none: a test", training=training, sizes=(1, 8, 8))(tiny)


def _clips(folder, *, truth):
    """Clips of noise, the label in the brightness if there is a truth."""
    rng = np.random.default_rng(0)
    labels = rng.permuted(np.tile(["a", "b"], (PEOPLE, CLIPS // 2)), axis=1).ravel()
    paths, rows = [], []
    for number, label in enumerate(labels):
        pixels = rng.integers(90, 166, (1, 8, 8, 1), dtype=np.uint8)
        if truth:
            pixels[:, :4] += np.uint8(40 * (label == "a"))
        paths.append(folder / f"{number}.npy")
        np.save(paths[-1], pixels)
        rows.append(("set", f"p{number // CLIPS:02d}", str(number)))
    return FoldSide(tuple(paths), tuple(str(label) for label in labels), tuple(rows))


def _job(folder, clips, selection, *, model="lottery", test=range(3 * CLIPS), name="unit", watch=False, **training):
    inside = set(test)
    training_job = TrainingJob(
        key=name,
        seed=0,
        folder=folder / name,
        side=clips.take(i for i in range(len(clips)) if i not in inside),
        classes=("a", "b"),
        model=model,
        shape=SHAPE,
        model_options={},
        training=TrainingConfig.for_model(model, **training),
        recipe={},
        selection=selection,
    )
    return UnitJob(0, training_job, clips.take(test), watch=watch)


def _looked(clips, test, ticket):
    """The accuracy of a ticket on test clips, for whoever would choose by it."""
    inside = set(test)
    side = clips.take(i for i in range(len(clips)) if i not in inside)
    model = create_model("lottery", **SHAPE, ticket=ticket)
    result = train(model, side.sequences(), side.labels, TrainingConfig.for_model("lottery"))
    tested = clips.take(test)
    return float((result.predict(tested.sequences()) == np.array(tested.labels)).mean())


def test_a_model_that_could_only_win_by_seeing_the_test_side_does_not(tmp_path):
    clips = _clips(tmp_path, truth=False)
    tickets = tuple(range(20))
    rule = Selection.create(grid={"model.ticket": tickets}, metric="accuracy", folds=2)
    chosen, lucky = [], []
    for fold in range(4):
        test = range(fold * 3 * CLIPS, (fold + 1) * 3 * CLIPS)
        job = _job(tmp_path, clips, rule, test=test, name=f"chosen{fold}")
        run_unit(job)
        table = pd.read_csv(job.training_job.folder / "predictions.csv")
        chosen.append(float((table["label"] == table["prediction"]).mean()))
        lucky.append(max(_looked(clips, test, ticket) for ticket in tickets))
    # What looking would have given, against what an honest choice gives: chance is 0.5, its deviation over 72 clips 0.06.
    assert np.mean(lucky) > 0.66
    assert 0.3 < np.mean(chosen) < 0.65


@pytest.mark.parametrize(
    "selection", [None, Selection(epochs=True), Selection(grid={"training.learning_rate": (0.1, 0.01)})]
)
def test_whatever_the_test_side_holds_the_same_model_comes_out(tmp_path, selection):
    clips = _clips(tmp_path, truth=True)
    first = _job(tmp_path, clips, selection, model="tiny", name="first", epochs=3)
    run_unit(first)
    other = tmp_path / "other.npy"
    np.save(other, np.full((1, 8, 8, 1), 255, np.uint8))
    garbage = FoldSide((other,) * 2, ("b", "a"), (("elsewhere", "x", "1"), ("elsewhere", "y", "2")))
    for number, job in enumerate([replace(first, test=garbage), replace(first, watch=True)]):
        second = replace(job, training_job=replace(job.training_job, folder=tmp_path / f"second{number}"))
        run_unit(second)
        weights = [(one.training_job.folder / "model.safetensors").read_bytes() for one in (first, second)]
        assert weights[0] == weights[1]
        kept = [UnitRecord.read(one.training_job.folder / "unit.json").selection for one in (first, second)]
        assert kept[0] == kept[1]


def test_what_is_chosen_is_what_is_best_on_people_who_were_held_out(tmp_path):
    clips = _clips(tmp_path, truth=True)
    rule = Selection.create(grid={"training.learning_rate": (1e-9, 0.1)}, metric="uar")
    job = _job(tmp_path, clips, rule, model="tiny", epochs=8)
    done = run_unit(job).selection
    assert done.chosen == {"training.learning_rate": 0.1}
    assert [one["training.learning_rate"] for one in done.candidates] == [1e-9, 0.1]
    assert done.score == max(one["score"] for one in done.candidates) > 0.8
    config = json.loads((job.training_job.folder / "config.json").read_text())
    assert config["training"]["learning_rate"] == 0.1
    # Whoever has only the model can see how it was chosen.
    assert config["extra"]["selection"] == done.to_json()
    people = [set(fold) for fold in done.inner_folds]
    assert set.union(*people) == set(job.training_job.side.subjects()) and sum(map(len, people)) == PEOPLE - 3
    assert not set.union(*people) & set(job.test.subjects())
    assert "no person in two of them" in done.sentence


def test_a_chosen_epoch_is_trained_for_and_no_longer(tmp_path):
    job = _job(tmp_path, _clips(tmp_path, truth=True), Selection(epochs=True), model="tiny", epochs=12)
    seen = []
    done = run_unit(job, lambda key, record: seen.append(record["epoch"])).selection
    epochs = done.chosen["epochs"]
    assert len(pd.read_csv(job.training_job.folder / "history.csv")) == epochs <= 12
    assert seen == list(range(1, 3 * 12 + epochs + 1))


def test_without_a_selection_nothing_is_chosen(tmp_path):
    done = run_unit(_job(tmp_path, _clips(tmp_path, truth=True), None))
    assert done.selection.chosen == {}
    assert "nothing was chosen" in done.selection.sentence


def test_the_best_epoch_is_the_first_of_the_best_by_a_reference(tmp_path):
    rng = np.random.default_rng(1)
    truth = rng.integers(0, 3, 40)
    answers = np.where(rng.random((30, 40)) < 0.5, truth, rng.integers(0, 3, (30, 40)))
    answers[20] = answers[11]
    scores = [f1_score(truth, row, average="macro") for row in answers]
    epoch, score = best_epoch(answers, truth, 3, "uf1")
    assert epoch == int(np.argmax(scores)) + 1 and score == pytest.approx(max(scores))
    # A class that is named but never occurs changes nothing, and of equals the earliest is taken.
    assert best_epoch(np.stack([truth * 0, truth, truth]), truth, 4, "accuracy") == (2, 1.0)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "nothing to choose"),
        ({"grid": {"recipe.frames": (1, 2)}}, r"'recipe\.frames' cannot be chosen; expected training"),
        ({"grid": {"learning_rate": (1, 2)}}, "expected training.FIELD"),
        ({"grid": {"training.learning_rate": ()}}, "at least one value"),
        ({"grid": {"training.learning_rate": (1, 1)}}, "each once"),
        ({"epochs": True, "grid": {"training.epochs": (1, 2)}}, "choose either epochs"),
        ({"epochs": True, "metric": "luck"}, "metric"),
        ({"epochs": True, "folds": 1}, "folds"),
    ],
)
def test_what_cannot_be_chosen_is_said(fields, message):
    with pytest.raises(UsageError, match=message):
        Selection.create(**fields)


def test_values_and_models_that_do_not_fit_are_said(tmp_path):
    clips = _clips(tmp_path, truth=True)
    with pytest.raises(UsageError, match="learning_rate"):
        choose(_job(tmp_path, clips, Selection(grid={"training.learning_rate": (-1,)}), model="tiny").training_job)
    with pytest.raises(UsageError, match="option of lottery"):
        choose(_job(tmp_path, clips, Selection(grid={"model.tickets": (1,)})).training_job)
    with pytest.raises(UsageError, match="no epochs to choose from"):
        choose(_job(tmp_path, clips, Selection(epochs=True)).training_job)
    alone = clips.take(range(CLIPS))
    with pytest.raises(UsageError, match="asked for 3 folds, but the table has only 1 subject"):
        choose(_job(tmp_path, alone, Selection(epochs=True), test=(), model="tiny").training_job)
