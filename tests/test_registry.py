"""One kind of registry for everything that is found by name."""

import os

import pytest

from fleeting.datasets import list_datasets, list_schemes, open_dataset, scheme_classes
from fleeting.errors import PluginError, UsageError
from fleeting.models import create_model, list_models
from fleeting.plugins import VARIABLE
from fleeting.protocols import create_protocol, list_protocols
from fleeting.registry import Registry, matching
from fleeting.sequences import create_recipe, list_recipes
from fleeting.spotting import list_interval_spotters, list_spotters, spotter_info
from fleeting.studies import find_study, list_studies, list_sweeps
from fleeting.synthesis import list_identities


@pytest.fixture
def planets():
    registry = Registry("odd planet", separator="-")
    for name in ("red-giant", "white_dwarf", "sun"):
        registry.register(name)(name.upper())
    return registry


def test_names_have_one_spelling_and_are_found_in_any(planets):
    assert planets.list() == ["red-giant", "sun", "white-dwarf"]
    assert planets.find("Red_Giant") == planets.find(" red-giant") == "RED-GIANT"
    assert planets.list("*_dwarf", "s?n") == ["sun", "white-dwarf"]
    assert planets.list("[r-s]*") == ["red-giant", "sun"]
    assert planets.list("moon*") == []


def test_a_name_is_given_once_and_is_a_name(planets):
    with pytest.raises(UsageError, match="an odd planet named 'red-giant' is registered already"):
        planets.register("red_giant")("other")
    for bad in ("", "x", "a:b", "a,b=c", "two words", "-", "../up", "half-"):
        with pytest.raises(UsageError, match=r"expected a name of two letters or more"):
            planets.register(bad)("thing")
    assert planets.list() == ["red-giant", "sun", "white-dwarf"]


def test_what_is_unknown_is_looked_for_in_the_users_files_first(planets, monkeypatch, tmp_path):
    with pytest.raises(UsageError, match="unknown odd planet 'red-gaint'; did you mean 'red-giant'"):
        planets.find("red-gaint")
    path = tmp_path / "bad.py"
    path.write_text("1 / 0")
    monkeypatch.setenv(VARIABLE, os.fspath(path))
    assert planets.find("sun") == "SUN"
    for ask in (lambda: planets.find("moon"), planets.list):
        with pytest.raises(PluginError, match="ZeroDivisionError"):
            ask()


def test_what_a_test_registers_is_forgotten(planets):
    with pytest.raises(KeyError), planets.forgetful():
        planets.register("comet")("c")
        assert planets.find("comet") == "c"
        raise KeyError
    assert planets.list("comet") == []
    planets.register("comet")("d")


LISTS = {
    "models": (list_models, "model_a", "model-?"),
    "data sets": (list_datasets, "smic-hs-e", "smic_hs_*"),
    "label schemes": (list_schemes, "megc2019", "megc*"),
    "recipes": (list_recipes, "bi_woof", "bi-*"),
    "protocols": (list_protocols, "subject-kfold", "subject_k*"),
    "apex spotters": (list_spotters, "ma2017", "ma*"),
    "interval spotters": (list_interval_spotters, "motion", "mot*"),
    "studies": (list_studies, "talluri2022", "tall*"),
    "sweeps": (list_sweeps, "irawan2023", "ira*"),
    "identities": (list_identities, "07", "07"),
}


@pytest.mark.parametrize("what", LISTS)
def test_every_list_takes_a_pattern(what):
    names, one, pattern = LISTS[what]
    assert one in names()
    assert one in names(pattern)
    assert names(pattern=pattern) == matching(names(), [pattern], "-" if "-" in one else "_")
    assert len(names(pattern)) < len(names()) or len(names()) == 1


def test_names_may_be_spelled_with_either_sign():
    assert create_protocol("Subject_KFold").describe() == create_protocol("subject-kfold").describe()
    assert create_recipe("Bi-WOOF") == create_recipe("bi_woof")
    assert create_model("model-a").spec.name == "model_a"
    assert spotter_info("MA2017").name == "ma2017"
    assert scheme_classes("MEGC2019") == scheme_classes("megc2019") != ()
    assert find_study("Talluri2022").name == "talluri2022"
    with pytest.raises(UsageError, match="no such folder"):
        open_dataset("SMIC_HS_E:/no/such/place")
