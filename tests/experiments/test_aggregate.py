"""From predictions on disk to figures: whole and by data set, folds apart, and the challenge's log."""

import numpy as np
import pandas as pd
import pytest

from fleeting.errors import PartialRunError
from fleeting.experiments import aggregate
from fleeting.metrics import read_challenge_log, uar, uf1
from fleeting.records import ChallengeLog, Summary

CLASSES = ["negative", "positive", "surprise"]


SUBJECTS = {"casme2": ["01", "02", "05"], "samm": ["006", "NA"], "smic": ["s01", "s02"]}


@pytest.fixture
def write_run(write_answers, tmp_path):
    def write(*, classes=CLASSES, seeds=(0,), subjects=SUBJECTS, **changes):
        rng = np.random.default_rng(0)
        parts = []
        for fold, (dataset, subject) in enumerate((d, s) for d, names in subjects.items() for s in names):
            for seed in seeds:
                labels = np.array(classes)[[0, 0, 1, 2, fold % 3]]
                answers = np.where(rng.random(5) < 0.6, labels, rng.choice(classes, 5))
                clips = [f"{subject}_{i}" for i in range(5)]
                who = {"dataset": dataset, "subject": subject, "seed": seed}
                parts.append(pd.DataFrame({**who, "clip": clips, "label": labels, "prediction": answers}))
        return write_answers(
            tmp_path, pd.concat(parts, ignore_index=True), **{"classes": classes, "protocol": "cde", **changes}
        )

    return write


def test_a_composite_is_scored_whole_and_by_data_set(write_run):
    run = write_run()
    summary = aggregate(run)
    predictions = run.predictions()
    table = pd.read_csv(run.path / "by_dataset.csv", keep_default_na=False)
    assert table["scope"].tolist() == ["full", "dataset", "dataset", "dataset"]
    assert table["dataset"].tolist() == ["", "casme2", "samm", "smic"]
    assert table["n_clips"].tolist() == [35, 15, 10, 10] and table["n_subjects"].tolist() == [7, 3, 2, 2]
    for row in table.to_dict("records"):
        part = predictions[predictions["dataset"] == row["dataset"]] if row["dataset"] else predictions
        assert row["uf1"] == pytest.approx(uf1(part["label"], part["prediction"], CLASSES), abs=1e-6)
        folds = [uar(one["label"], one["prediction"], CLASSES) for _, one in part.groupby("fold")]
        assert row["uar_fold_mean"] == pytest.approx(np.mean(folds), abs=1e-6)
        kept = summary.pooled.by_dataset[row["dataset"]] if row["dataset"] else summary.pooled
        for name in ("n_subjects", "uf1", "uf1_low", "uf1_high", "uar_low", "uf1_fold_mean", "accuracy_fold_mean"):
            assert getattr(kept, name) == pytest.approx(row[name], abs=1e-6), name
    # The rows of results.csv stay what they were.
    results = pd.read_csv(run.path / "results.csv")
    assert results["scope"].tolist() == ["fold"] * 7 + ["mean", "pooled"]
    assert results["uf1"].iloc[-1] == pytest.approx(summary.pooled.uf1, abs=1e-6)
    assert results["uar"].iloc[-2] == pytest.approx(summary.pooled.uar_fold_mean, abs=1e-6)
    assert Summary.read(run.path / "summary.json") == summary and summary.pooled.by_dataset.keys() == {*SUBJECTS}


@pytest.mark.parametrize("protocol", ["cde", "hde", "loso"])
def test_the_challenges_log_holds_the_answers(write_run, protocol):
    # Any order of the classes: the numbers in the log are the challenge's.
    run = write_run(protocol=protocol, classes=CLASSES[::-1])
    assert aggregate(run).challenge_log == ChallengeLog(file="challenge_log.txt")
    columns = ["dataset", "subject", "clip", "label", "prediction"]
    expected = run.predictions()[columns].sort_values(columns).reset_index(drop=True)
    pd.testing.assert_frame_equal(read_challenge_log(run.path / "challenge_log.txt"), expected)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"protocol": "subject-kfold"}, "the protocol is subject-kfold, not one of cde, hde, loso"),
        ({"classes": ["disgust", "happy", "surprise"]}, "the classes are disgust, happy, surprise, not negative"),
        ({"seeds": (0, 1)}, "2 seeds answered each clip"),
        ({"finished": 6}, "the run is not finished"),
        ({"subjects": {"own": ["1", "2"]}}, "own/1 cannot be written"),
    ],
)
def test_why_there_is_no_log_is_said_and_an_old_one_goes(write_run, tmp_path, changes, why):
    run = write_run(**changes)
    (tmp_path / "challenge_log.txt").write_text("casme2 sub01\nx 0 0\n")
    told = aggregate(run, allow_partial=True).challenge_log
    assert told.file is None and why in told.why
    assert not (tmp_path / "challenge_log.txt").exists()


def test_a_partial_composite_is_not_scored_unless_asked(write_run, tmp_path):
    run = write_run(finished=3)
    with pytest.raises(PartialRunError):
        aggregate(run)
    assert not (tmp_path / "by_dataset.csv").exists()
    assert aggregate(run, allow_partial=True).pooled.by_dataset.keys() == {"casme2"}


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
