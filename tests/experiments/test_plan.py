"""Protocols other than k-fold, from configuration to results."""

import pandas as pd
import pytest

from fleeting.errors import UsageError
from fleeting.experiments import ExperimentConfig, evaluate, start_run


def _changed(config, **changes):
    return ExperimentConfig(**{**config.model_dump(), "recipe": config.recipe, **changes})


@pytest.fixture(scope="module")
def training(small_config):
    return small_config.training.model_copy(update={"epochs": 1})


def test_repeated_hold_outs_are_scored_split_by_split(small_config, training, small_run, tmp_path):
    options = {"repeats": 2, "test_size": 0.34}
    config = _changed(small_config, training=training, protocol="repeated-holdout", protocol_options=options)
    run = evaluate(config, tmp_path / "run", cache=small_run.path.parent / "cache", samples=False)
    assert run.read().config.protocol.model_extra["test_size"] == 0.34
    tested = run.predictions().groupby("fold")["clip"].count()
    assert tested.tolist() == [6, 6]
    results = pd.read_csv(run.path / "results.csv")
    assert results["scope"].tolist() == ["fold", "fold", "mean", "pooled"]
    other = _changed(config, protocol_options={**options, "seed": 1})
    with pytest.raises(UsageError, match="holds another run"):
        evaluate(other, run.path, cache=small_run.path.parent / "cache", samples=False)


def test_a_misspelt_option_is_told_before_anything_is_prepared(small_config, tmp_path):
    config = _changed(small_config, protocol="holdout", protocol_options={"test_sizes": 0.3}, data=("folder:nowhere",))
    with pytest.raises(UsageError, match="did you mean 'test_size'"):
        evaluate(config, tmp_path / "run")


def test_a_blind_protocol_refuses_to_watch(small_config, tmp_path):
    config = _changed(small_config, protocol="cde", protocol_options={}, watch=True)
    with pytest.raises(
        UsageError, match=r"'cde' never looks at test clips before training has ended.*leave --watch out"
    ):
        start_run(config, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_protocol_brings_its_label_scheme(small_config, tmp_path):
    config = _changed(small_config, protocol="cde", protocol_options={}, classes=None)
    started = start_run(config, tmp_path / "run", cache=tmp_path / "cache", samples=False)
    assert started.n_units == 6
    run = started.run.read()
    assert run.classes == ("negative", "positive", "surprise") and run.config.scheme == "megc2019"
    assert any("composite" in note for note in run.notes)
