"""Sweeps that ship: a definition says what is run and over which grids, the data come from the user."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any

from fleeting.errors import UsageError, unknown_choice
from fleeting.experiments import Grid
from fleeting.records import RecordError, SweepDefinition, read_json
from fleeting.registry import matching

_FOLDER = files("fleeting.studies") / "data" / "sweeps"


def list_sweeps(pattern: str = "*") -> list[str]:
    """List the names of the definitions that ship and match a wildcard, sorted."""
    names = (item.name.removesuffix(".json") for item in _FOLDER.iterdir() if item.name.endswith(".json"))
    return matching(sorted(names), [pattern])


def sweep_definition(name: str) -> dict[str, Any]:
    """Read a definition by name, or from a JSON file of the same form.

    Parameters
    ----------
    name : str
        One of :func:`list_sweeps`, or a path that ends in ``.json``.

    Returns
    -------
    dict of str to object
        The fields that it has; its ``grids`` are :class:`~fleeting.experiments.Grid`.

    Raises
    ------
    UsageError
        If there is no such definition, or the file is not one; names the field.
    """
    if not name.endswith(".json") and name not in list_sweeps():
        raise unknown_choice("sweep definition", name, list_sweeps())
    path = Path(name) if name.endswith(".json") else Path(str(_FOLDER / f"{name}.json"))
    try:
        content = read_json(path, remedy=SweepDefinition.remedy)
        definition = SweepDefinition.parse(content, path)
    except RecordError as exc:
        raise UsageError(str(exc)) from exc
    unknown = sorted(set(content) - set(SweepDefinition.model_fields))
    if unknown:
        raise unknown_choice(f"field of sweep definition {name}:", unknown[0], SweepDefinition.model_fields)
    grids = [Grid(grid.fields, grid.title) for grid in definition.grids]
    return {**definition.model_dump(include=set(content), exclude_none=True), "grids": grids}
