"""From a study folder's records and tables to what its page shows."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

from fleeting.records import StudyBanner, StudyColumn, StudyFigure, StudyPage, StudyRun, StudySection, StudyTable
from fleeting.reports import wording
from fleeting.reports.charts import Bars, Reference, Series, bar_chart, line_chart
from fleeting.reports.reading import as_number
from fleeting.reports.study_folder import StudyData
from fleeting.reports.tables import as_printed, build_table, plain_columns

__all__ = ["study_context"]

_COLOURS = 7  # of the palette in style.css
_MAX_LEGEND = 14
_MAX_CATEGORIES = 60
_SHORT_NAME, _LONG_NAME = 16, 30
_BROAD = 10  # columns from which a table may be wider than the text
_RESERVED = {"assumptions", "notes", "runs", "machine"}
_STYLES = {"look-alike": "alert", "partial": "alert"}  # of banners, in style.css
_LOOK_ALIKE = StudyBanner(
    kind="look-alike",
    title="Synthetic look-alikes, not the data sets",
    text=(
        "The clips are synthetic look-alikes of the true size; no figure here says anything about the real data sets.",
    ),
)


def study_context(study: StudyData) -> dict[str, Any]:
    """Give all that ``study.html.j2`` names."""
    page = study.page
    taken = set(_RESERVED)
    sections = [_section(study, part, number, taken) for number, part in enumerate(page.sections, start=1)]
    columns = [one.shown for part in sections for shown in part["tables"] for one in shown["table"].columns]
    banners = _banners(page, list(dict.fromkeys(study.problems)))
    return {
        "name": page.title or page.name or study.path.name,
        "sweep": page.kind == "sweep",
        "paper": page.paper,
        "created": wording.moment(page.created),
        "summary": page.summary,
        "banners": [{"kind": _STYLES.get(one.kind, one.kind), "title": one.title, "text": one.text} for one in banners],
        "sections": sections,
        "has_published": any(one.role == "published" for one in columns),
        "has_intervals": any(one.low for one in columns),
        "assumptions": page.assumptions,
        "notes": page.notes,
        "runs": [_run(study, run) for run in page.runs],
        "totals": {
            name: sum(getattr(run, name) for run in page.runs) for name in ("finished", "expected", "collapsed")
        },
        "versions": page.versions,
        "machine": page.machine,
    }


def _banners(page: StudyPage, problems: Sequence[str]) -> list[StudyBanner]:
    """The study's own banners, with those that every page has; nothing comes before that on look-alikes."""
    given = {kind: [one for one in page.banners if one.kind == kind] for kind in ("look-alike", "partial")}
    if page.look_alike and not given["look-alike"]:
        given["look-alike"] = [_LOOK_ALIKE]
    if page.partial and not given["partial"]:
        given["partial"] = [_partial(page.runs)]
    others = [one for one in page.banners if one.kind not in given]
    if problems:
        title = "Parts of the study folder could not be read"
        others.append(StudyBanner(kind="caution", title=title, text=tuple(problems)))
    return [*given["look-alike"], *given["partial"], *others]


def _partial(runs: Sequence[StudyRun]) -> StudyBanner:
    text = ["Run the same command again to finish; what is finished is kept. Cells without a figure are still to come."]
    expected = sum(run.expected for run in runs)
    if expected:
        finished = sum(run.finished for run in runs)
        text.insert(0, f"{finished:,} of {wording.plural(expected, 'training run')} are finished.")
    return StudyBanner(kind="partial", title="A partial result", text=tuple(text))


def _section(study: StudyData, part: StudySection, number: int, taken: set[str]) -> dict[str, Any]:
    name = part.id
    while not re.fullmatch(r"[A-Za-z][\w.-]*", name, re.ASCII) or name in taken or name.startswith("h-"):
        name = f"section-{number}" if not name.startswith("section-") else f"{name}x"
    taken.add(name)
    return {
        "id": name,
        "title": part.title or f"Section {number}",
        "text": part.text,
        "tables": [_table(study, one) for one in part.tables],
        "figures": [_figure(study, one) for one in part.figures],
    }


def _table(study: StudyData, part: StudyTable) -> dict[str, Any]:
    file = study.tables[part.file]
    # Without a description, the file's own columns are better than nothing.
    columns = part.columns or plain_columns(file.rows)
    table = build_table(columns, file.rows)
    longest = max((len(row.cells[0].text) for row in table.rows if row.cells), default=0)
    return {
        "caption": part.caption,
        "file": file.name,
        "link": study.link(file.name),
        "table": table,
        "empty": "" if table.rows else _why_empty(study, file.name),
        "problems": [*(file.problems if table.rows else []), *table.problems],
        "broad": len(columns) >= _BROAD,
        "names": "long-names" if longest > _LONG_NAME else "short-names" if longest <= _SHORT_NAME else "",
    }


def _why_empty(study: StudyData, name: str) -> str:
    file = study.tables[name]
    if file.problems:
        return " ".join(file.problems)
    if file.missing:
        return f"{name} is not there{' yet' * study.page.partial}."
    return f"{name} holds no rows yet."


def _run(study: StudyData, run: StudyRun) -> dict[str, Any]:
    return {
        "name": run.name or run.folder or "?",
        "link": study.link(f"{run.folder}/report.html") if run.folder else "",
        "what": run.what,
        "finished": run.finished,
        "expected": run.expected,
        "collapsed": run.collapsed,
        "whole": run.whole,
    }


def _figure(study: StudyData, part: StudyFigure) -> dict[str, Any]:
    file = study.tables[part.file]
    found: dict[str, Any] = {"title": part.title, "svg": None, "legend": [], "empty": "", "wide": False}
    if not file.rows:
        return found | {"empty": _why_empty(study, file.name)}
    needed = [part.x.key, *(one.key for one in part.y), *([part.series] if part.series else [])]
    lacking = [name for name in needed if name not in file.rows[0]]
    if lacking:
        return found | {"empty": f"{file.name} lacks what the figure shows: {', '.join(lacking)}."}
    found |= (_bars if part.type == "bars" else _lines)(part, file.rows)
    return found if found["svg"] is not None else found | {"empty": f"{file.name} holds no number to draw."}


def _scale(part: StudyFigure, column: StudyColumn) -> float:
    return 100.0 if part.percent and column.unit == "share" else 1.0


def _value_label(part: StudyFigure, label: str) -> str:
    return (f"{label}, percent" if label else "percent") if part.percent else label


def _title(part: StudyFigure) -> str:
    return part.title or f"{', '.join(one.key for one in part.y)} by {part.x.key}"


def _references(part: StudyFigure) -> list[Reference]:
    return [Reference(mark.label, mark.value) for mark in part.references]


def _lines(part: StudyFigure, rows: Sequence[dict[str, str]]) -> dict[str, Any]:
    """One line for each value of the series column, or for each column if there is none."""
    points: dict[str, list[tuple[float, float]]] = {}
    for column in part.y:
        for row in rows:
            names = ([row[part.series]] if part.series else []) + (
                [column.title] if len(part.y) > 1 or not part.series else []
            )
            at = as_number(row[part.x.key]), as_number(row[column.key]) * _scale(part, column)
            points.setdefault(", ".join(names), []).append(at)
    names = list(points)
    styles = [f"c{at}" if len(names) <= _COLOURS else "many" for at in range(len(names))]
    series = [
        Series(name, [at for at, _ in points[name]], [y for _, y in points[name]], style)
        for name, style in zip(names, styles)
    ]
    svg = line_chart(
        _title(part),
        series,
        x_label=part.x_label or part.x.title,
        y_label=_value_label(part, part.y_label or ", ".join(one.title for one in part.y)),
        references=_references(part),
        y_limits=part.y_limits,
    )
    legend = [{"name": name, "style": style} for name, style in zip(names, styles)]
    if len(legend) > _MAX_LEGEND:
        legend = [{"name": f"{len(legend)} lines", "style": "many"}]
    return {"svg": svg, "legend": legend if len(names) > 1 else []}


def _bars(part: StudyFigure, rows: Sequence[dict[str, str]]) -> dict[str, Any]:
    """One group of bars per row."""
    rows = rows[:_MAX_CATEGORIES]
    bars = []
    # The second colour is that of the majority class.
    palette = [f"c{at}" for at in range(_COLOURS) if at != 1 or all(one.role != "majority" for one in part.y)]
    colour = 0
    for column in part.y:
        beside = column.role if column.role in ("published", "majority") else ""
        style = beside or palette[colour % len(palette)]
        colour += not beside
        bars.append(_bar(part, column, rows, style))
    svg = bar_chart(
        _title(part),
        [row[part.x.key] for row in rows],
        bars,
        value_label=_value_label(part, part.y_label or ("" if part.percent else ", ".join(one.name for one in bars))),
        limits=part.y_limits,
        references=_references(part),
    )
    legend: list[dict[str, Any]] = [{"name": one.name, "style": one.style, "bar": True} for one in bars]
    if any(math.isfinite(end) for one in bars for end in one.low):
        legend.append({"name": "95 % interval", "style": "whisker", "bar": True})
    return {"svg": svg, "legend": legend}


def _bar(part: StudyFigure, column: StudyColumn, rows: Sequence[dict[str, str]], style: str) -> Bars:
    scale = _scale(part, column)
    texts = [row[column.key] for row in rows]
    low, high = ([as_number(row.get(end)) * scale for row in rows] if end else [] for end in (column.low, column.high))
    digits = as_printed(texts, scale) if column.role == "published" and part.percent else 1 if part.percent else 2
    return Bars(column.title, [as_number(text) * scale for text in texts], low, high, style, digits)
