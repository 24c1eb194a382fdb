"""Heads of synthetic sets: ``synthetic.json`` beside clips or flow images, ``recordings.json`` beside long videos."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import JsonValue, model_validator

from fleeting.records.open import OpenRecord

__all__ = ["RecordingsHead", "SyntheticHead"]


class RecordingsHead(OpenRecord):
    """Settings that a synthetic set was made with.

    Attributes
    ----------
    caution : str
        A sentence on what the set says, and does not say, about real people.
    generator : int or None
        Version of the generator; the same parameters make other pixels with another one.
    complete : bool
        If True, nothing of it is missing.
    parameters : dict of str to object
        The generator's arguments.
    """

    remedy: ClassVar[str] = "delete the folder and make the set again, or choose another folder"

    caution: str = ""
    generator: int | None = None
    complete: bool = False
    parameters: dict[str, JsonValue]

    def changes(self, parameters: dict[str, Any], generator: int) -> dict[str, tuple[Any, Any]]:
        """Compare with what is asked for.

        Parameters
        ----------
        parameters : dict of str to object
            The generator's arguments.
        generator : int
            Version of the generator.

        Returns
        -------
        dict of str to tuple of (object, object)
            By name of each argument that differs, and ``generator``: the value then and now, ``None`` for none.
        """
        then = {**self.parameters, "generator": self.generator}
        now = {**parameters, "generator": generator}
        return {name: (then.get(name), now.get(name)) for name in {**then, **now} if then.get(name) != now.get(name)}


class SyntheticHead(RecordingsHead):
    """Settings that a synthetic set of clips, or of flow images, was made with.

    Attributes
    ----------
    note : str
        A sentence for readers of the folder, in the place of ``caution`` beside flow images.
    content : dict of str to object or None
        Numbers of clips and frames, and of clips by label; ``None`` until the set is complete.
    """

    note: str = ""
    content: dict[str, JsonValue] | None = None

    @model_validator(mode="after")
    def _names_a_layout(self) -> SyntheticHead:
        if not isinstance(self.parameters.get("layout"), str):
            raise ValueError("parameters.layout is missing or no text; expected the name of a layout, such as plain")
        return self

    @property
    def layout(self) -> str:
        """Name of the layout: ``plain``, that of a data set, or ``flow``."""
        return str(self.parameters["layout"])
