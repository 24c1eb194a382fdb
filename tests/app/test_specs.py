"""``NAME,field=value,...``."""

import pytest

from fleeting.app.specs import parse_grid, parse_spec
from fleeting.errors import UsageError


def test_specs_read_numbers_truths_and_text():
    assert parse_spec("m, a=1 ,b=0.5,c=true,d=null,e=apex") == (
        "m",
        {"a": 1, "b": 0.5, "c": True, "d": None, "e": "apex"},
    )


@pytest.mark.parametrize("text", ["", ",a=1", "a,b", "a,=1", "a,b=1,b=2"])
def test_bad_specs(text):
    with pytest.raises(UsageError):
        parse_spec(text)


@pytest.mark.parametrize("text", ["", "a", "a=", "training.epochs"])
def test_bad_grids(text):
    with pytest.raises(UsageError, match=r"OWNER\.FIELD"):
        parse_grid(text)


@pytest.mark.parametrize("value", ["nan", "-inf", "Infinity", "1e400", "1" + "0" * 30])
def test_numbers_that_nothing_can_be(value):
    with pytest.raises(UsageError, match="expected a"):
        parse_spec(f"model_a,dropout={value}")
    with pytest.raises(UsageError, match="expected a"):
        parse_grid(f"model.dropout=0.1,{value}")


def test_what_something_else_decides_cannot_be_given():
    with pytest.raises(UsageError, match="n_classes cannot be given here: the data decide it"):
        parse_spec("model_a,n_classes=4", taken=("name", "n_classes"))
