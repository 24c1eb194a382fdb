"""The head of a folder of several runs, ``collection.json``: it tells the same collection from another one."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field, JsonValue

from fleeting.records.open import OpenRecord

__all__ = ["CollectionHead", "SweepHead"]


class CollectionHead(OpenRecord):
    """Request that a folder of several runs answers; every field counts.

    Attributes
    ----------
    kind : str
        ``"study"`` or ``"sweep"``.
    """

    remedy: ClassVar[str] = "choose another --out"

    kind: str

    def differences(self, other: CollectionHead) -> dict[str, tuple[Any, Any]]:
        """Compare with another head.

        Returns
        -------
        dict of str to tuple of (object, object)
            By field that differs, its value here and there.
        """
        mine, theirs = self.to_json(), other.to_json()
        names = sorted({*mine, *theirs})
        return {name: (mine.get(name), theirs.get(name)) for name in names if mine.get(name) != theirs.get(name)}


class SweepHead(CollectionHead):
    """Request that the folder of a sweep answers.

    Attributes
    ----------
    config : dict of str to object
        The experiment that stays the same.
    grids : tuple of dict of str to list of object
        For each grid, the values by field.
    """

    kind: str = "sweep"
    config: dict[str, JsonValue] = Field(default_factory=dict)
    grids: tuple[dict[str, list[JsonValue]], ...] = ()
