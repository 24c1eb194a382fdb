"""The map of the house shows the house as it is."""

import importlib
import re
import tomllib
from pathlib import Path

import pytest

from fleeting import records

ROOT = Path(__file__).resolve().parents[1]
MAP = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")


def rows(title):
    """The cells of the first table below a heading."""
    below = MAP.split(f"\n## {title}\n")[1].split("\n## ")[0]
    lines = [line for line in below.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_the_rooms_stand_in_the_order_of_the_layers():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contract = next(c for c in project["tool"]["importlinter"]["contracts"] if c["type"] == "layers")
    layers = [name.removeprefix("fleeting.") for name in reversed(contract["layers"])]
    assert [re.findall(r"`(\w+)`", row[0])[0] for row in rows("The rooms")] == layers
    there = {path.stem for path in (ROOT / "src" / "fleeting").iterdir() if path.suffix == ".py" or path.is_dir()}
    assert there - {"__init__", "__main__", "_version", "__pycache__", "weights", "py"} == set(layers)


@pytest.mark.parametrize("name", re.findall(r"`(\w+)`", " ".join(row[2] for row in rows("What lies on disk"))))
def test_the_records_exist(name):
    assert hasattr(records, name)


FILES = ("UnitRecord", "Head", "Row", "Manifest", "ModelConfig", "Page", "Definition", "Answers")


def test_every_record_that_is_a_file_is_on_the_map():
    named = set(re.findall(r"`(\w+)`", MAP.split("\n## What lies on disk\n")[1].split("\n## ")[0]))
    missing = {name for name in records.__all__ if name.endswith(FILES) and name != "Row"} - named
    assert not missing


@pytest.mark.parametrize(
    ("room", "name"),
    [
        (re.findall(r"`(\w+)/`", row[1])[0], re.findall(r"`(register_\w+)`", row[2])[0])
        for row in rows("Where a new thing goes")
        if "register_" in row[2]
    ],
)
def test_what_makes_a_new_thing_known_exists(room, name):
    assert callable(getattr(importlib.import_module(f"fleeting.{room}"), name))
