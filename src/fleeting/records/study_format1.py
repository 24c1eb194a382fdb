"""The page of a study as earlier versions wrote it, ``study.json`` of format 1, brought to today's form.

Format 1 declared neither units nor roles: a column had a kind, and readers took the rest from its name. The studies that
wrote it followed these rules, which are kept here and nowhere else:

- ``percent`` and ``published`` columns hold shares from 0 to 1; ``number`` and ``interval`` columns are shown as they stand;
- a column labelled "published" is what the paper printed; a key with "majority" or "collapsed" in it is that;
- the state of ``a_accuracy`` stands in ``a_status``, or in ``status``;
- the banner on look-alikes has one of two titles.
"""

from __future__ import annotations

from typing import Any

__all__ = ["from_format_1", "section_from_format_1"]

_UNITS = {
    "text": "text",
    "percent": "share",
    "published": "share",
    "number": "number",
    "integer": "count",
    "interval": "number",
    "status": "state",
}
_LOOK_ALIKE = ("Look-alikes, not the real data", "Synthetic look-alikes, not the data sets")


def from_format_1(page: dict[str, Any]) -> dict[str, Any]:
    """Bring the value of a ``study.json`` of format 1 to format 2.

    Parts that do not have the form that was written then are left as they are, for the record to complain of.

    Parameters
    ----------
    page : dict of str to object
        The value.

    Returns
    -------
    dict of str to object
        The value of format 2.
    """
    found = {**page, "format": 2}
    if isinstance(page.get("banners"), list):
        found["banners"] = [_banner(one) for one in page["banners"]]
    if isinstance(page.get("sections"), list):
        found["sections"] = [section_from_format_1(one) for one in page["sections"]]
    return found


def section_from_format_1(section: Any) -> Any:
    """Bring a section of format 1 to format 2.

    Parameters
    ----------
    section : object
        The section.

    Returns
    -------
    object
        The section of format 2; the same object if it is no dictionary.
    """
    if not isinstance(section, dict):
        return section
    found = dict(section)
    known: dict[tuple[Any, Any], Any] = {}
    if isinstance(section.get("tables"), list):
        found["tables"] = [_table(one) for one in section["tables"]]
        for table in found["tables"]:
            columns = table.get("columns") if isinstance(table, dict) else None
            for column in columns if isinstance(columns, list) else ():
                if isinstance(column, dict):
                    known.setdefault((str(table.get("file")), str(column.get("key"))), column)
    if isinstance(section.get("figures"), list):
        found["figures"] = [_figure(one, known) for one in section["figures"]]
    return found


def _banner(banner: Any) -> Any:
    if not isinstance(banner, dict):
        return banner
    kind = banner.get("kind")
    return {**banner, "kind": "look-alike" if banner.get("title") in _LOOK_ALIKE and kind == "alert" else kind}


def _table(table: Any) -> Any:
    columns = table.get("columns") if isinstance(table, dict) else None
    if not isinstance(columns, list):
        return table
    states = [str(one.get("key")) for one in columns if isinstance(one, dict) and one.get("kind") == "status"]
    emphasis = table.get("emphasis")
    strong = emphasis if isinstance(emphasis, list) else []
    found: list[Any] = []
    for column in columns:
        if not isinstance(column, dict):
            found.append(column)
            continue
        new = _column(column, states) | {"strong": column.get("key") in strong}
        if column.get("kind") == "interval" and found and isinstance(found[-1], dict):
            new["unit"] = found[-1].get("unit")
        found.append(new)
    return {**table, "columns": found}


def _column(column: dict[str, Any], states: list[str]) -> dict[str, Any]:
    key, kind = str(column.get("key")), column.get("kind") or "text"
    label = column.get("label")
    new: dict[str, Any] = {name: column[name] for name in ("key", "low", "high", "group") if name in column}
    new["label"] = key.replace("_", " ") if label is None else label
    new["unit"] = _UNITS.get(kind, kind) if isinstance(kind, str) else kind
    new["role"] = _role(column, key, kind)
    if kind != "status":
        prefix = key.rpartition("_")[0]
        own = f"{prefix}_status" if prefix else "status"
        new["state"] = own if own in states or "status" not in states else "status"
    return new


def _role(column: dict[str, Any], key: str, kind: Any) -> str:
    if kind == "published" or column.get("published") is True or str(column.get("label")).lower() == "published":
        return "published"
    if kind == "interval":
        return "interval"
    if kind == "status":
        return "plain"
    if "collapsed" in key:
        return "collapsed"
    if "majority" in key:
        return "majority"
    return "measured" if kind in ("percent", "number") else "plain"


def _figure(figure: Any, known: dict[tuple[Any, Any], Any]) -> Any:
    if not isinstance(figure, dict):
        return figure
    file = str(figure.get("file"))
    y = figure.get("y")
    keys = y if isinstance(y, list) else [y]
    new = {**figure, "x": _drawn(file, figure.get("x"), known), "y": [_drawn(file, key, known) for key in keys]}
    if figure.get("type") == "lines":
        # Lines were drawn as the file has them, shares as well.
        new["y"] = [{**one, "unit": "score"} if one.get("unit") == "share" else one for one in new["y"]]
    return {name: value for name, value in new.items() if value is not None}


def _drawn(file: str, key: Any, known: dict[tuple[Any, Any], Any]) -> dict[str, Any]:
    plain = {"key": key, "label": str(key).replace("_", " "), "unit": "number"}
    return dict(known.get((file, str(key)), plain))
