"""The study of leakage: what peeking gives is computed as whoever peeks would, and stands beside the honest figure."""

import re

import pandas as pd
import pytest

from fleeting.errors import UsageError
from fleeting.experiments import ExperimentConfig, RunFolder
from fleeting.metrics import uf1
from fleeting.records import StudyPage
from fleeting.reports import render_report
from fleeting.sequences import Talluri2022
from fleeting.studies import best_test_epochs, run_leakage
from fleeting.training import TrainingConfig


@pytest.fixture(scope="module")
def config(small_set):
    return ExperimentConfig(
        data=(f"synthetic:{small_set}",),
        scheme="megc2019",
        recipe=Talluri2022(frames=18, height=16, width=16, motion="difference"),
        model="model_b",
        training=TrainingConfig.for_model("model_b", epochs=4, motion="difference"),
    )


@pytest.fixture(scope="module")
def studied(config, tmp_path_factory):
    root = tmp_path_factory.mktemp("leakage")
    return run_leakage(config, root / "study", folds=3, look_alike=True, cache=root / "cache")


def test_a_row_for_each_protocol_and_the_peeked_one_is_never_worse(studied):
    table = studied.tables["protocols"].set_index("what")
    assert len(table) == 7
    assert table.loc["new people, best test epoch", "accuracy"] >= table.loc["new people", "accuracy"]
    left_out = table.loc["one person left out, best test epoch of each", "accuracy"]
    assert left_out >= table.loc["one person left out", "accuracy"]
    honest = table.loc["new people"]
    for name in ("people mixed", "new people, best test epoch"):
        assert table.loc[name, "points"] == pytest.approx(100 * (table.loc[name, "uf1"] - honest["uf1"]))
    # An honest row is compared with nothing.
    assert table.loc[["new people", "one person left out"], "points"].isna().all()
    assert studied.tables["tricks"]["what"].tolist() == [
        "new people, best test epoch",
        "people mixed",
        "people mixed, best test epoch",
        "one person left out, best test epoch of each",
    ]


def test_the_peeked_answers_are_those_of_each_folds_best_epoch(studied):
    run = RunFolder(studied.path / "runs" / "independent")
    peeked = best_test_epochs(run)
    assert len(peeked) == 18
    for unit in run.units():
        folder = run.unit_folder(unit.key)
        history = pd.read_csv(folder / "history.csv")
        mine = peeked[peeked["fold"] == unit.fold]
        # The history's accuracy was counted by the engine, the answers were written down clip by clip.
        assert (mine["label"] == mine["prediction"]).mean() == pytest.approx(history["val_accuracy"].max())
        assert (mine["epoch"] == history["val_accuracy"].idxmax() + 1).all()
        watched = pd.read_csv(folder / "watched.csv", dtype=str)
        last = pd.read_csv(folder / "predictions.csv")
        assert watched.iloc[-1].drop("epoch").tolist() == last["prediction"].tolist()
        assert len(watched) == 4
    row = studied.tables["protocols"].set_index("what").loc["new people, best test epoch"]
    assert row["uf1"] == pytest.approx(uf1(peeked["label"], peeked["prediction"], ["negative", "positive", "surprise"]))


def test_only_the_runs_of_this_study_are_watched_and_the_inner_choice_is_not(studied):
    runs = {path.name: RunFolder(path).read() for path in (studied.path / "runs").iterdir()}
    assert {name for name, run in runs.items() if run.config.watch} == {"independent", "mixed", "loso"}
    assert runs["inner"].config.selection.epochs
    with pytest.raises(UsageError, match="made without watching"):
        best_test_epochs(RunFolder(studied.path / "runs" / "inner"))


def test_the_page_says_what_each_leak_is_worth(studied):
    study = StudyPage.read(studied.path / "study.json")
    *worth, method = study.summary
    assert len(worth) == 4 and all("points of UF1" in sentence for sentence in worth) and "model_b, 4 epochs" in method
    # The worst leak stands first.
    points = [float(re.search(r"worth ([+-][\d.]+)", sentence)[1]) for sentence in worth]
    assert points == sorted(points, reverse=True)
    # Points are declared as points and scores as scores, whatever their size.
    units = {column.key: column.unit for section in study.sections for column in section.tables[0].columns}
    assert units == {"what": "text", "p": "number"} | dict.fromkeys(
        ("accuracy", "uf1", "uar"), "score"
    ) | dict.fromkeys(("points", "points_uar", "points_accuracy"), "points")
    assert [banner.kind for banner in study.banners] == ["look-alike"]
    page = render_report(studied.path).read_text(encoding="utf-8")
    assert 'class="problem"' not in page
    assert "3 folds of new people, for the last row leaving one person out" in page
    assert "What each leak is worth" in page and "look-alike" in page.lower()


def test_asking_again_resumes_and_asking_for_another_is_refused(studied, config, monkeypatch):
    cache = studied.path.parent / "cache"
    with monkeypatch.context() as patch:
        patch.setattr("fleeting.experiments.execute.run_unit", lambda *_: pytest.fail("trained again"))
        again = run_leakage(config, studied.path, folds=3, look_alike=True, cache=cache)
    pd.testing.assert_frame_equal(again.tables["protocols"], studied.tables["protocols"])
    with pytest.raises(UsageError, match="folds"):
        run_leakage(config, studied.path, folds=2, look_alike=True, cache=cache)


def test_what_cannot_be_asked_is_said(config, tmp_path):
    with pytest.raises(UsageError, match="part of study leakage"):
        run_leakage(config, tmp_path / "a", only=["peeking"])
    with pytest.raises(UsageError, match="takes one seed"):
        run_leakage(config.model_copy(update={"seeds": (0, 1)}), tmp_path / "a")
    direct = config.model_copy(update={"model": "pca_logistic", "training": TrainingConfig.for_model("pca_logistic")})
    with pytest.raises(UsageError, match="no epochs to choose from"):
        run_leakage(direct, tmp_path / "a")
    assert not (tmp_path / "a").exists()
