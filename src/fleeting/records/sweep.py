"""The definition of a sweep: what is run and over which grids, as a JSON file that a user may write."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field, JsonValue

from fleeting.records.base import Record

__all__ = ["GridPart", "SweepDefinition"]


class GridPart(Record):
    """All combinations of some fields' values.

    Attributes
    ----------
    fields : dict of str to list of object
        Values by field, such as ``training.learning_rate``.
    title : str
        Heading on the page.
    """

    fields: dict[str, list[JsonValue]]
    title: str = ""


class SweepDefinition(Record):
    """A sweep without its data.

    Attributes
    ----------
    title, paper : str
        Heading of the page; the paper that ran it.
    recipe, model, protocol, scheme : str or None
        Names with their options, as on the command line; ``None`` for those of the command.
    grids : tuple of GridPart
        Grids that are run, at least one.
    """

    remedy: ClassVar[str] = 'expected a sweep definition, such as {"grids": [{"fields": {"training.epochs": [1, 2]}}]}'

    title: str = "Sweep"
    paper: str = ""
    recipe: str | None = None
    model: str | None = None
    protocol: str | None = None
    scheme: str | None = None
    grids: Annotated[tuple[GridPart, ...], Field(min_length=1)]
