"""``NAME,field=value,…``: how recipes, models and protocols are named on the command line."""

from __future__ import annotations

import json
import math
from collections.abc import Collection
from typing import Any

from fleeting.errors import UsageError

# Whole numbers beyond this end in an overflow somewhere.
LARGEST = 10**12

__all__ = ["parse_grid", "parse_spec"]


def parse_spec(text: str, taken: Collection[str] = ()) -> tuple[str, dict[str, Any]]:
    """Split ``"talluri2022,frames=18,motion=difference"`` into a name and its fields.

    Values are numbers, ``true``, ``false`` or ``null`` where they look like it, else text.

    Parameters
    ----------
    text : str
        The name and its fields.
    taken : collection of str, optional
        Fields that nobody may give, because something else decides them.

    Raises
    ------
    UsageError
        If it has another form, or a field is given twice or is taken.

    Examples
    --------
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
        if field.strip() in taken:
            reason = "the first word is the name" if field.strip() == "name" else "the data decide it"
            raise UsageError(f"{text!r}: {field.strip()} cannot be given here: {reason}; leave it out")
        fields[field.strip()] = _value(value.strip())
    if not name:
        raise UsageError(f"{text!r}: found no name; expected NAME,field=value, as in talluri2022,frames=18")
    return name, fields


def parse_grid(text: str, option: str = "--grid") -> tuple[str, list[Any]]:
    """Split ``"training.learning_rate=0.01,0.001"`` into a field and its values.

    Parameters
    ----------
    text : str
        The field and its values.
    option : str, optional
        Option that it was given to, for the message.

    Raises
    ------
    UsageError
        If it has another form.

    Examples
    --------
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
    except (ValueError, RecursionError):
        value = text
    if _not_finite(value):
        raise UsageError(f"found the value {text}; expected a finite number")
    if isinstance(value, int) and abs(value) > LARGEST:
        raise UsageError(f"found the value {text[:40]}; expected a number of at most {LARGEST:.0e}")
    return value if isinstance(value, int | float | bool | None) else text


def _not_finite(value: Any) -> bool:
    if isinstance(value, str):
        return value.lower().lstrip("+-") in ("nan", "inf", "infinity")
    return isinstance(value, float) and not math.isfinite(value)
