"""Groups of options, and what a value may be."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from fleeting.app.options import SelectionOptions, TrainingOptions, check_value, name_list, whole_numbers
from fleeting.errors import UsageError


def test_nothing_is_chosen_unless_asked_for():
    assert SelectionOptions().selection() is None
    assert SelectionOptions(choose=["epochs"], inner_folds=4).selection().folds == 4
    with pytest.raises(UsageError, match=r"--choose 'rate': expected OWNER.FIELD=v1,v2"):
        SelectionOptions(choose=["rate"]).selection()


def test_only_what_was_given_changes_a_training():
    assert TrainingOptions().given() == {}
    assert TrainingOptions(epochs=3, clip_norm=1.0).given() == {"epochs": 3, "clip_norm": 1.0}


@pytest.mark.parametrize("text", ["", ",", "a,a"])
def test_names_are_given_once(text):
    with pytest.raises(UsageError, match="--classes: found"):
        name_list(text, "classes")


@pytest.mark.parametrize("text", ["a", "-1", "0.5", "1,1", "9" * 23, "9" * 5000, "²", "4294967296"])
def test_seeds_are_whole_numbers_that_every_library_takes(text):
    assert whole_numbers("0, 4294967295", "seeds") == (0, 4294967295)
    with pytest.raises(UsageError, match="--seeds: found"):
        whole_numbers(text, "seeds")


@pytest.mark.parametrize(
    "value",
    [float("nan"), float("inf"), 10**30, 10**5000, (1.0, float("nan")), Path("a", "n" * 256)],
    ids=["nan", "inf", "large", "huge", "pair", "name"],
)
def test_what_no_option_can_be(value):
    @dataclass
    class Group:
        one: object

    for given in (value, Group(value)):
        with pytest.raises(ValueError, match="Found"):
            check_value(type(given), given)


def test_what_options_can_be():
    for value in (None, True, 0, -1.5, 10**9, "n" * 1000, Path("a", "ü" * 127), [1.0, "x"]):
        check_value(type(value), value)
