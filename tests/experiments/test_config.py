"""A configuration is one value that travels."""

from fleeting.experiments import ExperimentConfig
from fleeting.sequences import Talluri2022


def test_configurations_travel_as_json_and_know_their_recipe(small_config):
    again = ExperimentConfig.model_validate_json(small_config.model_dump_json())
    assert again == small_config
    assert isinstance(again.recipe, Talluri2022)
    assert again.effective_training.motion == "difference"


def test_a_name_may_be_spelled_otherwise_and_is_the_same_run(small_config):
    other = {**small_config.model_dump(), "model": "Model-A", "protocol": "Subject_KFold"}
    assert ExperimentConfig.model_validate(other) == small_config
