"""Sweeps that ship: a definition says what is run and over which grids, the data come from the user."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

from fleeting.errors import UsageError, unknown_choice
from fleeting.experiments import Grid
from fleeting.registry import matching

_FIELDS = {"title", "paper", "recipe", "model", "protocol", "scheme", "grids"}


def list_sweeps(pattern: str = "*") -> list[str]:
    """List the names of the definitions that ship and match a wildcard, sorted."""
    folder = files("fleeting.studies") / "data" / "sweeps"
    names = (item.name.removesuffix(".json") for item in folder.iterdir() if item.name.endswith(".json"))
    return matching(sorted(names), [pattern])


def sweep_definition(name: str) -> dict[str, Any]:
    """A definition by name, or from a JSON file of the same form; its ``grids`` are :class:`~fleeting.experiments.Grid`.

    Raises
    ------
    UsageError
        If there is no such definition, or the file is not one.
    """
    if name.endswith(".json"):
        path = Path(name)
        try:
            text = path.read_text(encoding="utf-8")
        except OSError as exc:
            raise UsageError(f"{path}: cannot be read ({exc.strerror or exc}); expected a sweep definition") from exc
    elif name in list_sweeps():
        text = (files("fleeting.studies") / "data" / "sweeps" / f"{name}.json").read_text(encoding="utf-8")
    else:
        raise unknown_choice("sweep definition", name, list_sweeps())
    try:
        content = json.loads(text)
        grids = [Grid(grid["fields"], grid.get("title", "")) for grid in content["grids"]]
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        raise UsageError(
            f"sweep definition {name}: {type(exc).__name__}: {exc}; expected JSON with the fields "
            f"{', '.join(sorted(_FIELDS))}"
        ) from exc
    unknown = set(content) - _FIELDS
    if unknown:
        raise unknown_choice(f"field of sweep definition {name}:", sorted(unknown)[0], _FIELDS)
    return {**content, "grids": grids}
