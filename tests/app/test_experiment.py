"""From options to an experiment."""

import pytest

from fleeting.app.experiment import experiment_from, recipe_from
from fleeting.errors import UsageError


def test_a_model_brings_its_recipe():
    assert experiment_from(["x:y"], model="model_a").recipe.name == "talluri2022"
    assert experiment_from(["x:y"], model="model_a", recipe="irawan2023").recipe.name == "irawan2023"


def test_motion_is_the_recipes_and_the_trainings():
    config = experiment_from(["x:y"], motion="difference")
    assert (config.recipe.motion, config.training.motion) == ("difference", "difference")


def test_what_the_name_or_the_data_decide_cannot_be_given():
    with pytest.raises(UsageError, match="name cannot be given here"):
        recipe_from("talluri2022,name=flow")
    for field in ("n_classes", "n_frames", "height", "width", "in_channels"):
        with pytest.raises(UsageError, match=f"{field} cannot be given here"):
            experiment_from(["x:y"], model=f"model_a,{field}=4")
