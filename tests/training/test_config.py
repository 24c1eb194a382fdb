from __future__ import annotations

import json

import pytest
from pydantic import ValidationError

from fleeting.errors import UsageError
from fleeting.training import TrainingConfig


def test_paper_values_with_changes():
    config = TrainingConfig.for_model("model_a", epochs=7, clip_norm=1)
    assert (config.optimizer, config.learning_rate, config.momentum) == ("sgd", 0.001, 0.9)
    assert (config.batch_size, config.epochs, config.clip_norm) == (4, 7, 1.0)


def test_another_optimizer_leaves_the_papers_momentum_behind():
    assert TrainingConfig.for_model("model_a", optimizer="adam").momentum == 0
    assert TrainingConfig(optimizer="adam").momentum == 0


def test_frozen_and_through_json():
    config = TrainingConfig(nesterov=True, decay=1e-6, motion="difference")
    with pytest.raises(ValidationError):
        config.epochs = 3
    assert TrainingConfig(**json.loads(json.dumps(config.model_dump(mode="json")))) == config


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"epoch": 3}, "unknown field 'epoch'"),
        ({"epochs": 0}, "epochs: found 0"),
        ({"learning_rate": -1}, "learning_rate"),
        ({"learning_rate": float("nan")}, "learning_rate"),
        ({"momentum": 1.0}, "momentum"),
        ({"optimizer": "rmsprop"}, "optimizer"),
        ({"motion": "flow"}, "motion"),
        ({"clip_norm": 0}, "clip_norm"),
        ({"batch_size": 2.5}, "batch_size"),
        ({"optimizer": "adam", "momentum": 0.9}, "belong to optimizer 'sgd'"),
        ({"nesterov": True, "momentum": 0}, "nesterov needs"),
    ],
)
def test_impossible_fields_are_usage_errors(fields, says):
    with pytest.raises(UsageError, match=says):
        TrainingConfig.for_model("model_a", **fields)


def test_unknown_model():
    with pytest.raises(UsageError, match="model_a"):
        TrainingConfig.for_model("no_model")


def test_what_only_a_gpu_has_is_written_only_where_it_is_used():
    """So that a run of before these fields is still the same run, and resumes."""
    plain = TrainingConfig()
    assert not {"precision", "layout"} & plain.model_dump().keys()
    assert not {"precision", "layout"} & plain.model_dump(mode="json").keys()
    other = TrainingConfig(precision="bfloat16", layout="channels_last")
    assert other.model_dump(mode="json") == plain.model_dump(mode="json") | {
        "precision": "bfloat16",
        "layout": "channels_last",
    }
    for config in (plain, other):
        assert TrainingConfig(**config.model_dump()) == config
        assert TrainingConfig.model_validate_json(config.model_dump_json()) == config
