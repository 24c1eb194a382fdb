"""Records of which a part belongs to other rooms, and records that callers have known as dictionaries."""

from __future__ import annotations

import warnings
from typing import Any, Self

from pydantic import (
    ConfigDict,
    JsonValue,
    ModelWrapValidatorHandler,
    PrivateAttr,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from fleeting.records.base import Record

__all__ = ["OpenRecord", "WasDict"]


class WasDict(Record):
    """A record that earlier versions handed out as a dictionary: ``record["name"]`` works for one more release."""

    def __getitem__(self, name: str) -> Any:
        warnings.warn(
            f"{type(self).__name__} is no dictionary any more: write .{name} instead of [{name!r}]; the brackets go with "
            "the next release",
            FutureWarning,
            stacklevel=2,
        )
        return self.to_json()[name]


class OpenRecord(WasDict):
    """A record that has fields of its own beside fields that other rooms choose, such as the options of a model.

    Other fields are kept as they are. What is written has the fields that were given, in the order in which they were
    given: a field that was left out is not written.
    """

    model_config = ConfigDict(extra="allow")

    __pydantic_extra__: dict[str, JsonValue]
    _order: tuple[str, ...] = PrivateAttr(())

    @model_validator(mode="wrap")
    @classmethod
    def _keep_order(cls, value: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        if not isinstance(value, dict):
            return handler(value)
        record = handler(_plain(value))
        record._order = tuple(value)
        return record

    @model_serializer(mode="wrap")
    def _as_given(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        fields: dict[str, Any] = handler(self)
        order = [name for name in self._order if name in fields]
        order += [name for name in fields if name in self.model_fields_set and name not in self._order]
        return {name: fields[name] for name in order}


def _plain(value: Any) -> Any:
    """Lists for tuples: JSON knows no other."""
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value
