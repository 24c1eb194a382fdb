"""``NAME,field=value,…``: how recipes, models and protocols are named on the command line."""

from __future__ import annotations

import json
from typing import Any

from fleeting.errors import UsageError


def parse_spec(text: str) -> tuple[str, dict[str, Any]]:
    """Split ``"talluri2022,frames=18,motion=difference"`` into a name and its fields.

    Values are numbers, ``true``, ``false`` or ``null`` where they look like it, else text.

    >>> parse_spec("talluri2022,frames=18,motion=difference")
    ('talluri2022', {'frames': 18, 'motion': 'difference'})
    """
    name, *parts = [part.strip() for part in text.split(",")]
    fields: dict[str, Any] = {}
    for part in parts:
        field, equals, value = part.partition("=")
        if not equals or not field.strip():
            raise UsageError(f"{text!r}: found {part!r}; expected NAME,field=value, as in talluri2022,frames=18")
        if field.strip() in fields:
            raise UsageError(f"{text!r}: {field.strip()} is given twice")
        fields[field.strip()] = _value(value.strip())
    if not name:
        raise UsageError(f"{text!r}: found no name; expected NAME,field=value, as in talluri2022,frames=18")
    return name, fields


def parse_grid(text: str, option: str = "--grid") -> tuple[str, list[Any]]:
    """Split ``"training.learning_rate=0.01,0.001"`` into a field and its values.

    >>> parse_grid("model.dropout=0.3,0.5")
    ('model.dropout', [0.3, 0.5])
    """
    name, equals, values = text.partition("=")
    if not equals or not values:
        raise UsageError(f"{option} {text!r}: expected OWNER.FIELD=v1,v2, as in training.learning_rate=0.01,0.001")
    return name.strip(), [_value(part.strip()) for part in values.split(",")]


def _value(text: str) -> Any:
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return value if isinstance(value, int | float | bool | None) else text
