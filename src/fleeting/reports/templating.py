"""Filling a page's template: every value is escaped, every name must be known."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from fleeting.reports import wording

__all__ = ["fill"]

_TEMPLATES = Path(__file__).with_name("templates")
_FILTERS = (wording.figure, wording.interval, wording.plural, wording.value, wording.seconds, wording.moment)


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {helper.__name__: helper for helper in _FILTERS}
    return environment


def fill(template: str, context: dict[str, Any], *, styles: Sequence[str] = (), scripts: Sequence[str] = ()) -> str:
    """The page as text; style and script are part of it, and so are further ones of its own."""
    css, script = (
        Markup("\n".join((_TEMPLATES / name).read_text("utf-8") for name in names))
        for names in (("style.css", *styles), ("script.js", *scripts))
    )
    return _environment().get_template(template).render(css=css, script=script, **context)
