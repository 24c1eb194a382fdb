"""A configuration is one value that travels."""

from fleeting.experiments import ExperimentConfig
from fleeting.sequences import Talluri2022


def test_configurations_travel_as_json_and_know_their_recipe(small_config):
    again = ExperimentConfig.model_validate_json(small_config.model_dump_json())
    assert again == small_config
    assert isinstance(again.recipe, Talluri2022)
    assert again.effective_training.motion == "difference"
