"""From a study folder's files to what its page shows."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

from fleeting.reports import wording
from fleeting.reports.charts import Bars, Reference, Series, bar_chart, line_chart
from fleeting.reports.reading import as_dict, as_int, as_list, as_number
from fleeting.reports.study_folder import StudyData
from fleeting.reports.tables import Column, build_table, decimals, points, read_columns

__all__ = ["study_context"]

_COLOURS = 7  # of the palette in style.css
_MAX_LEGEND = 14
_MAX_CATEGORIES = 60
_SHORT_NAME, _LONG_NAME = 16, 30
_BROAD = 10  # columns from which a table may be wider than the text
_RESERVED = {"assumptions", "notes", "runs", "machine"}
_LOOK_ALIKE: dict[str, Any] = {
    "kind": "alert",
    "title": "Synthetic look-alikes, not the data sets",
    "text": [
        "The clips are synthetic look-alikes of the true size; no figure here says anything about the real data sets."
    ],
}


def study_context(study: StudyData) -> dict[str, Any]:
    """All that ``study.html.j2`` names."""
    head = study.study
    known = _known_columns(head)
    taken = set(_RESERVED)
    sections = [
        _section(study, as_dict(item), number, taken, known)
        for number, item in enumerate(as_list(head.get("sections")), start=1)
    ]
    runs = [_run(study, as_dict(item)) for item in as_list(head.get("runs"))]
    columns = [one for part in sections for shown in part["tables"] for one in shown["table"].columns]
    return {
        "name": str(head.get("title") or head.get("name") or study.path.name),
        "sweep": head.get("kind") == "sweep",
        "paper": str(head.get("paper") or ""),
        "created": wording.moment(head.get("created")),
        "summary": _sentences(head.get("summary")),
        "banners": _banners(head, runs, list(dict.fromkeys(study.problems))),
        "sections": sections,
        "has_published": any(one.published for one in columns),
        "has_intervals": any(one.low or one.kind == "interval" for one in columns),
        "assumptions": _sentences(head.get("assumptions")),
        "notes": _sentences(head.get("notes")),
        "runs": runs,
        "totals": {name: sum(run[name] or 0 for run in runs) for name in ("finished", "expected", "collapsed")},
        "versions": as_dict(head.get("versions")),
        "machine": as_dict(head.get("machine")),
    }


def _sentences(value: Any) -> list[str]:
    """A list of texts; a single text is a list of one."""
    return [value] if isinstance(value, str) and value else [str(item) for item in as_list(value) if item]


def _banners(head: dict[str, Any], runs: Sequence[dict[str, Any]], problems: list[str]) -> list[dict[str, Any]]:
    given: list[dict[str, Any]] = []
    for item in map(as_dict, as_list(head.get("banners"))):
        kind = str(item.get("kind"))
        text = _sentences(item.get("text"))
        kind = kind if kind in ("alert", "caution") else "note"
        given.append({"kind": kind, "title": str(item.get("title") or ""), "text": text})

    def about(word: str) -> list[dict[str, Any]]:
        return [banner for banner in given if word in " ".join([banner["title"], *banner["text"]]).lower()]

    first = []
    if head.get("look_alike") is True:
        # Nothing may come before this, however the study words it.
        first = about("look-alike")[:1] or [_LOOK_ALIKE]
    if head.get("partial") is True and not about("partial"):
        first.append(_partial(runs))
    banners = first + [banner for banner in given if not any(banner is other for other in first)]
    if problems:
        title = "Parts of the study folder could not be read"
        banners.append({"kind": "caution", "title": title, "text": problems})
    return banners


def _partial(runs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    text = ["Run the same command again to finish; what is finished is kept. Cells without a figure are still to come."]
    expected = sum(run["expected"] or 0 for run in runs)
    if expected:
        finished = sum(run["finished"] or 0 for run in runs)
        text.insert(0, f"{finished:,} of {wording.plural(expected, 'training run')} are finished.")
    return {"kind": "alert", "title": "A partial result", "text": text}


def _known_columns(head: dict[str, Any]) -> dict[tuple[str, str], Column]:
    """What the tables say of each file's columns, so that a figure of the same file needs not say it again."""
    known: dict[tuple[str, str], Column] = {}
    for section in map(as_dict, as_list(head.get("sections"))):
        for item in map(as_dict, as_list(section.get("tables"))):
            for column in read_columns(item.get("columns"))[0]:
                known.setdefault((str(item.get("file") or ""), column.key), column)
    return known


def _section(
    study: StudyData,
    item: dict[str, Any],
    number: int,
    taken: set[str],
    known: dict[tuple[str, str], Column],
) -> dict[str, Any]:
    name = str(item.get("id") or "")
    while not re.fullmatch(r"[A-Za-z][\w.-]*", name, re.ASCII) or name in taken or name.startswith("h-"):
        name = f"section-{number}" if not name.startswith("section-") else f"{name}x"
    taken.add(name)
    tables = [_table(study, as_dict(one)) for one in as_list(item.get("tables"))]
    figures = [_figure(study, as_dict(one), known) for one in as_list(item.get("figures"))]
    return {
        "id": name,
        "title": str(item.get("title") or f"Section {number}"),
        "text": _sentences(item.get("text")),
        "tables": tables,
        "figures": figures,
    }


def _table(study: StudyData, item: dict[str, Any]) -> dict[str, Any]:
    file = study.tables[str(item.get("file") or "")]
    columns, unclear = read_columns(item.get("columns"), item.get("emphasis"))
    if not columns and file.rows:
        # Without a description, the file's own columns are better than nothing.
        columns = [Column(key, key.replace("_", " ")) for key in file.rows[0]]
    table = build_table(columns, file.rows)
    told = unclear + table.problems
    longest = max((len(row.cells[0].text) for row in table.rows if row.cells), default=0)
    return {
        "caption": str(item.get("caption") or ""),
        "file": file.name,
        "link": study.link(file.name),
        "table": table,
        "empty": "" if table.rows else _why_empty(study, file.name),
        "problems": [*(file.problems if table.rows else []), *told],
        "broad": len(columns) >= _BROAD,
        "names": "long-names" if longest > _LONG_NAME else "short-names" if longest <= _SHORT_NAME else "",
    }


def _why_empty(study: StudyData, name: str) -> str:
    file = study.tables[name]
    if file.problems:
        return " ".join(file.problems)
    if file.missing:
        return f"{name} is not there{' yet' * (study.study.get('partial') is True)}."
    return f"{name} holds no rows yet."


def _run(study: StudyData, item: dict[str, Any]) -> dict[str, Any]:
    folder = str(item.get("folder") or "")
    finished, expected = as_int(item.get("finished")), as_int(item.get("expected"))
    return {
        "name": str(item.get("name") or folder or "?"),
        "link": study.link(f"{folder}/report.html") if folder else "",
        "what": str(item.get("what") or ""),
        "finished": finished,
        "expected": expected,
        "collapsed": as_int(item.get("collapsed")),
        "whole": finished is not None and finished == expected,
    }


def _figure(study: StudyData, item: dict[str, Any], known: dict[tuple[str, str], Column]) -> dict[str, Any]:
    file = study.tables[str(item.get("file") or "")]
    found: dict[str, Any] = {
        "title": str(item.get("title") or ""),
        "svg": None,
        "legend": [],
        "empty": "",
        "wide": False,
    }
    if not file.rows:
        return found | {"empty": _why_empty(study, file.name)}
    kind = item.get("type")
    if kind not in ("lines", "bars"):
        return found | {"empty": f"A figure of the type {kind!r} cannot be drawn; expected 'lines' or 'bars'."}
    y = item.get("y")
    keys = [str(one) for one in (y if isinstance(y, list) else [y]) if one]
    needed = [str(item.get("x") or ""), *keys, *([str(item["series"])] if item.get("series") else [])]
    lacking = [name or "(no name)" for name in needed if name not in file.rows[0]]
    if lacking or not keys:
        return found | {"empty": f"{file.name} lacks what the figure shows: {', '.join(lacking) or 'no column named'}."}
    found |= (_bars if kind == "bars" else _lines)(item, file.rows, keys, file.name, known)
    return found if found["svg"] is not None else found | {"empty": f"{file.name} holds no number to draw."}


def _references(item: dict[str, Any], scale: float = 1.0) -> list[Reference]:
    return [
        Reference(str(one.get("label") or ""), as_number(one.get("value")) * scale)
        for one in map(as_dict, as_list(item.get("references")))
    ]


def _limits(item: dict[str, Any]) -> tuple[float, float] | None:
    ends = [as_number(end) for end in as_list(item.get("y_limits"))]
    return (ends[0], ends[1]) if len(ends) == 2 and all(map(math.isfinite, ends)) and ends[0] < ends[1] else None


def _lines(
    item: dict[str, Any],
    rows: Sequence[dict[str, str]],
    keys: Sequence[str],
    file: str,
    known: dict[tuple[str, str], Column],
) -> dict[str, Any]:
    """One line for each value of the series column, or for each column if there is none."""
    x, by = str(item["x"]), str(item.get("series") or "")
    points: dict[str, list[tuple[float, float]]] = {}
    for key in keys:
        for row in rows:
            parts = ([row[by]] if by else []) + ([_label(file, key, known)] if len(keys) > 1 or not by else [])
            points.setdefault(", ".join(parts), []).append((as_number(row[x]), as_number(row[key])))
    names = list(points)
    styles = [f"c{at}" if len(names) <= _COLOURS else "many" for at in range(len(names))]
    series = [
        Series(name, [at for at, _ in points[name]], [y for _, y in points[name]], style)
        for name, style in zip(names, styles)
    ]
    svg = line_chart(
        str(item.get("title") or f"{', '.join(keys)} by {x}"),
        series,
        x_label=str(item.get("x_label") or _label(file, x, known)),
        y_label=str(item.get("y_label") or ", ".join(_label(file, key, known) for key in keys)),
        references=_references(item),
        y_limits=_limits(item),
    )
    legend = [{"name": name, "style": style} for name, style in zip(names, styles)]
    if len(legend) > _MAX_LEGEND:
        legend = [{"name": f"{len(legend)} lines", "style": "many"}]
    return {"svg": svg, "legend": legend if len(names) > 1 else []}


def _label(file: str, key: str, known: dict[tuple[str, str], Column]) -> str:
    column = known.get((file, key))
    if column is None:
        return key.replace("_", " ")
    return f"{column.group}, {column.label}" if column.group else column.label


def _bars(
    item: dict[str, Any],
    rows: Sequence[dict[str, str]],
    keys: Sequence[str],
    file: str,
    known: dict[tuple[str, str], Column],
) -> dict[str, Any]:
    """One group of bars a row. Shares are drawn as percent if a column in percent stands beside them."""
    rows = rows[:_MAX_CATEGORIES]
    columns = {key: known.get((file, key), Column(key, key)) for key in keys}
    values = {key: [as_number(row[key]) for row in rows] for key in keys}
    in_points = {key: _in_points(columns[key], [row[key] for row in rows]) for key in keys}
    percent = any(in_points.values()) or any(columns[key].kind in ("percent", "published") for key in keys)
    bars = []
    palette = [f"c{at}" for at in range(_COLOURS) if at != 1 or not any(map(_is_majority, keys))]
    colour = 0
    for key in keys:
        column = columns[key]
        scale = 100.0 if percent and not in_points[key] else 1.0
        published = column.published or key == "published" or key.endswith("_published")
        beside = "published" if published else "majority" if _is_majority(key) else ""
        style = beside or palette[colour % len(palette)]
        colour += not beside
        low, high = ([as_number(row.get(end)) * scale for row in rows] if end else [] for end in _ends(column))
        name = _label(file, key, known)
        digits = decimals([row[key] for row in rows], "published") if published else 1 if percent else 2
        bars.append(Bars(name, [value * scale for value in values[key]], low, high, style, digits))
    limits = _limits(item)
    shares = percent and limits is not None and limits[1] <= 1
    references = _references(item)
    as_shares = percent and all(abs(mark.y) <= 1 for mark in references)
    svg = bar_chart(
        str(item.get("title") or f"{', '.join(keys)} by {item['x']}"),
        [row[str(item["x"])] for row in rows],
        bars,
        value_label=_value_label(item, percent, bars),
        limits=(limits[0] * 100, limits[1] * 100) if limits and shares else limits,
        references=[Reference(mark.name, mark.y * 100) for mark in references] if as_shares else references,
    )
    legend: list[dict[str, Any]] = [{"name": one.name, "style": one.style, "bar": True} for one in bars]
    if any(math.isfinite(end) for one in bars for end in one.low):
        legend.append({"name": "95 % interval", "style": "whisker", "bar": True})
    return {"svg": svg, "legend": legend}


def _is_majority(key: str) -> bool:
    return "majority" in key


def _ends(column: Column) -> tuple[str, str]:
    return (column.low, column.high) if column.low and column.high else ("", "")


def _in_points(column: Column, texts: Sequence[str]) -> bool:
    """Whether a column counts in percent points rather than in shares."""
    return (column.kind == "published" or column.key == "published") and points(texts) == 1.0


def _value_label(item: dict[str, Any], percent: bool, bars: Sequence[Bars]) -> str:
    label = str(item.get("y_label") or ("" if percent else ", ".join(one.name for one in bars)))
    if percent and "percent" not in label and "%" not in label:
        return f"{label}, percent" if label else "percent"
    return label
