"""From a run folder's files to one HTML page."""

from __future__ import annotations

import base64
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from fleeting.files import write_text
from fleeting.records import ResultRow, RunConfig
from fleeting.reports import wording
from fleeting.reports.analysis_folder import AnalysisData, is_analysis, read_analysis
from fleeting.reports.analysis_page import analysis_context
from fleeting.reports.charts import Reference, Series, line_chart
from fleeting.reports.choices import choice_sentences
from fleeting.reports.composite import composite_part
from fleeting.reports.folder import Prediction, RunData, UnitData, read_run
from fleeting.reports.study_folder import StudyData, is_study, read_study
from fleeting.reports.study_page import study_context
from fleeting.reports.templating import fill

if TYPE_CHECKING:
    import os

__all__ = ["render_analysis", "render_html", "render_report"]

_COLOURS = 7  # of the palette in style.css
_MANY = 20  # folds, of which one by one is more than a reader wants to see at once
_METRICS = ("accuracy", "uf1", "uar")
_FOLD_MEANS = (
    "Means of {noun}s average each {noun}’s own figure. F1 and recall are ratios, and a {noun} that lacks a class leaves it "
    "out, so such a mean can lie far from the pooled figure and is not the challenge’s."
)


def render_report(folder: str | os.PathLike[str]) -> Path:
    """Write ``report.html`` into the folder of a run, a study, a sweep or an analysis: one page, no other file, no network.

    Parameters
    ----------
    folder : str or os.PathLike
        The ``--out`` folder of an evaluation, a study, a sweep or an analysis, finished or not. Only its files are
        read. What is missing or damaged is left out, and the page says so.

    Returns
    -------
    pathlib.Path
        Path of the page, which is written whole or not at all.

    Raises
    ------
    NotARunError
        If the folder holds no readable ``run.json``, ``study.json`` or ``analysis.json``.
    FleetingError
        If the page cannot be written.
    """
    if is_analysis(folder):
        return render_analysis(folder)
    found = read_study(folder) if is_study(folder) else read_run(folder)
    return write_text(found.path / "report.html", render_html(found))


def render_analysis(folder: str | os.PathLike[str]) -> Path:
    """Write ``report.html`` into the folder of an analyzed recording; what :func:`render_report` does for one.

    The page holds a timeline to zoom, and at most 60 events with their pictures, so that its size stays bounded; the rest
    are rows of a table.

    Raises
    ------
    NotARunError
        If the folder holds no readable ``analysis.json``.
    FleetingError
        If the page cannot be written.
    """
    found = read_analysis(folder)
    return write_text(found.path / "report.html", render_html(found))


def render_html(found: RunData | StudyData | AnalysisData) -> str:
    """Give the page as text; the same files give the same page.

    Parameters
    ----------
    found : RunData or StudyData or AnalysisData
        The content of a folder, from :func:`~fleeting.reports.read_run`, :func:`~fleeting.reports.read_study` or
        :func:`~fleeting.reports.read_analysis`.
    """
    if isinstance(found, AnalysisData):
        return fill("analysis.html.j2", analysis_context(found), styles=["analysis.css"], scripts=["timeline.js"])
    if isinstance(found, StudyData):
        return fill("study.html.j2", study_context(found))
    return fill("report.html.j2", _context(found))


def _context(run: RunData) -> dict[str, Any]:
    head, config = run.head, run.config
    pooled, mean = (next((row for row in run.results if row.scope == scope), None) for scope in ("pooled", "mean"))
    finished = [unit for unit in run.units if unit.finished]
    predictions = [prediction for unit in finished for prediction in unit.predictions]
    right = sum(prediction.right for prediction in predictions)
    classes = _class_names(run)
    return {
        "run": run,
        "name": head.name or run.path.name,
        "created": wording.moment(head.created),
        "outcome": wording.outcome(run, right, len(predictions), pooled) if predictions else [],
        "banners": _banners(run, finished),
        "independent": wording.independent(run),
        "protocol": config.protocol.to_json(),
        "protocol_sentence": wording.protocol_sentence(run),
        "noun": wording.split_noun(run),
        "model": config.model,
        "model_title": wording.model_title(config.model.name),
        "recipe": config.recipe.to_json(),
        "recipe_name": config.recipe.name or "not recorded",
        "recipe_hash": config.recipe_hash,
        "recipe_sentence": wording.recipe_sentence(config.recipe),
        "training": config.training.to_json(),
        "training_sentence": wording.training_sentence(config),
        "data": config.data,
        "seeds": config.seeds,
        "device": config.device,
        "versions": head.versions,
        "machine": head.machine,
        "classes": classes,
        "counts": _class_counts(run, classes),
        "pooled": pooled,
        "mean": mean,
        "rows": _fold_rows(run),
        "many": _MANY,
        "finished": finished,
        "many_seeds": len({unit.seed for unit in run.units}) > 1,
        "total_seconds": sum(unit.seconds for unit in finished if math.isfinite(unit.seconds)),
        "choices": choice_sentences(run),
        "fold_mean_words": _FOLD_MEANS.format(noun=wording.split_noun(run)),
        "composite": composite_part(run, predictions),
        "no_width": pooled is not None and _without_width(pooled),
        "confusion": _confusion(classes, predictions),
        "learning": _learning(run, finished),
        "samples": [
            {"sample": one.row, "uri": f"data:{one.mime};base64,{base64.b64encode(one.content).decode('ascii')}"}
            for one in run.samples
        ],
        "predictions": predictions,
        "wrong": len(predictions) - right,
        "notes": _notes(run),
        "synthetic": _synthetic(config),
    }


def _without_width(row: ResultRow) -> bool:
    ends = [(getattr(row, f"{name}_low"), getattr(row, f"{name}_high")) for name in _METRICS]
    return any(low is not None and low == high for low, high in ends)


def _synthetic(config: RunConfig) -> list[bool]:
    """For each data set, whether its people do not exist; runs of earlier versions know by the kind alone."""
    if len(config.synthetic) == len(config.data):
        return list(config.synthetic)
    return [spec.startswith("synthetic") for spec in config.data]


def _class_names(run: RunData) -> list[str]:
    seen = {row.emotion for row in run.clips if row.emotion}
    for unit in run.units:
        seen |= {name for one in unit.predictions for name in (one.label, one.answer)}
    return [*run.head.classes, *sorted(seen - set(run.head.classes))]


def _fold_name(unit: UnitData, many_seeds: bool, noun: str) -> str:
    return f"{noun} {unit.fold + 1}" + (f", seed {unit.seed}" if many_seeds else "")


@dataclass(frozen=True)
class Banner:
    """A notice that stands before any number.

    Attributes
    ----------
    kind : {"alert", "caution"}
        ``"alert"`` if figures must not be taken as they are, else ``"caution"``.
    title : str
        Its heading.
    text : tuple of str
        Its sentences.
    """

    kind: Literal["alert", "caution"]
    title: str
    text: tuple[str, ...]


def _banners(run: RunData, finished: Sequence[UnitData]) -> list[Banner]:
    """All that a reader must see before any number."""
    banners = [*_unfinished(run, finished), *_collapsed(run, finished), *_leaks(run, finished)]
    if run.problems:
        banners.append(Banner("caution", "Parts of the run folder could not be read", tuple(run.problems)))
    return banners


def _unfinished(run: RunData, finished: Sequence[UnitData]) -> list[Banner]:
    many = len({unit.seed for unit in run.units}) > 1
    banners: list[Banner] = []
    split = wording.split_noun(run)
    missing = [_fold_name(unit, many, split) for unit in run.units if not unit.finished]
    noun = "training run" if many else split
    again = "Run the same evaluate command again to finish; what is finished is kept."
    if not finished:
        title = "Nothing is finished yet" if run.units else "This run lists no work"
        text = f"{wording.plural(len(run.units), noun)} planned, none finished. {again}"
        banners.append(Banner("alert", title, (text,)))
    elif missing:
        text = f"{len(missing)} of {len(run.units)} {noun}s are missing: {wording.listed(missing)}."
        banners.append(Banner("alert", "A partial result", (f"{text} Every figure below leaves them out.", again)))
    if finished and not run.results:
        text = "results.csv is not there or cannot be read; `fleeting report RUN --partial` scores what is finished."
        banners.append(Banner("caution", "Not scored", (text,)))
    scored = run.summary.finished
    if run.results and scored is not None and scored != len(finished):
        text = f"The scores are of {wording.plural(scored, f'finished {noun}')}, and {len(finished)} are finished now"
        text += "; `fleeting report RUN` scores them again."
        banners.append(Banner("caution", "Scores are out of date", (text,)))
    return banners


def _collapsed(run: RunData, finished: Sequence[UnitData]) -> list[Banner]:
    collapsed = [unit for unit in finished if unit.collapsed]
    if not collapsed:
        return []
    many, split = len({unit.seed for unit in run.units}) > 1, wording.split_noun(run)
    return [
        Banner(
            "alert",
            f"{len(collapsed)} of {wording.plural(len(finished), 'training run')} collapsed",
            (
                "A collapsed network has stopped learning and answers nearly the same whatever it is shown, so its "
                "accuracy is that of always saying one class.",
                *(f"{_fold_name(unit, many, split).capitalize()}: {_collapse_reason(unit)}" for unit in collapsed),
            ),
        )
    ]


def _leaks(run: RunData, finished: Sequence[UnitData]) -> list[Banner]:
    shared = [unit for unit in finished if unit.shared_subjects]
    if not shared or not wording.independent(run):
        return []
    many, split = len({unit.seed for unit in run.units}) > 1, wording.split_noun(run)
    where = wording.listed([_fold_name(unit, many, split) for unit in shared])
    who = wording.listed(list(shared[0].shared_subjects[:5]))
    text = (
        f"The protocol promises to keep people apart, but in {where} people are in training and in test ({who}). "
        "Do not use these figures."
    )
    return [Banner("alert", "Subjects leak into training", (text,))]


def _collapse_reason(unit: UnitData) -> str:
    assert unit.done is not None
    collapse = unit.done.collapse
    when = f" (noticed in epoch {collapse.epoch})" if collapse.epoch is not None else ""
    return (collapse.told + when).rstrip(".") + "."


def _notes(run: RunData) -> list[str]:
    # Collapsed trainings have a banner of their own.
    warnings = [notice.text for notice in run.summary.notices if notice.kind != "collapsed"]
    return list(dict.fromkeys([*run.head.notes, *warnings]))


def _class_counts(run: RunData, classes: list[str]) -> dict[str, Any]:
    """Clips by data set and class, and people by data set."""
    datasets = sorted({row.dataset for row in run.clips})
    rows = []
    for dataset in datasets:
        own = [row for row in run.clips if row.dataset == dataset]
        counts = Counter(row.emotion for row in own)
        rows.append(
            {
                "dataset": dataset,
                "counts": [counts[name] for name in classes],
                "clips": len(own),
                "subjects": len({row.subject for row in own}),
                "skipped": sum(row.dataset == dataset for row in run.skipped),
                "fps": _range([row.fps for row in own if row.fps is not None]),
            }
        )
    total = Counter(row.emotion for row in run.clips)
    return {
        "rows": rows,
        "total": [total[name] for name in classes],
        "share": [total[name] / max(1, len(run.clips)) for name in classes],
        "clips": len(run.clips),
        "subjects": len({(row.dataset, row.subject) for row in run.clips}),
    }


def _range(values: Sequence[float]) -> str:
    if not values:
        return wording.NONE
    return f"{min(values):g}" + (f"–{max(values):g}" if max(values) > min(values) else "")


def _fold_rows(run: RunData) -> list[dict[str, Any]]:
    scores = {(row.fold, row.seed): row for row in run.results if row.scope == "fold"}
    return [{"unit": unit, "score": scores.get((unit.fold, unit.seed))} for unit in run.units]


def _confusion(classes: list[str], predictions: Sequence[Prediction]) -> dict[str, Any] | None:
    """Counted from the predictions that the page lists, so that the two cannot disagree."""
    if not predictions:
        return None
    counts = Counter((one.label, one.answer) for one in predictions)
    rows = []
    for label in classes:
        row = [counts[label, answer] for answer in classes]
        total = sum(row)
        cells = [{"count": count, "share": count / total if total else math.nan} for count in row]
        rows.append({"label": label, "cells": cells, "total": total})
    answered = [sum(counts[label, answer] for label in classes) for answer in classes]
    return {"rows": rows, "answered": answered, "total": len(predictions)}


def _learning(run: RunData, finished: Sequence[UnitData]) -> dict[str, Any] | None:
    """Charts of loss and accuracy by epoch: training, and test clips where they were watched."""
    units = [unit for unit in finished if unit.history]
    if not units:
        return None
    many = len({unit.seed for unit in run.units}) > 1
    shares = [count / len(run.clips) for count in Counter(row.emotion for row in run.clips).values()]
    entropy = -sum(share * math.log(share) for share in shares) if shares else math.nan
    majority = max(shares, default=math.nan)
    by_loss = Reference("knowing only how common classes are", entropy)
    by_accuracy = Reference("always the commonest class", majority)
    panels = [
        ("loss", "Training loss", "loss", by_loss, None),
        ("accuracy", "Training accuracy", "accuracy", by_accuracy, (0.0, 1.0)),
        ("val_loss", "Loss on the test clips", "loss", by_loss, None),
        ("val_accuracy", "Accuracy on the test clips", "accuracy", by_accuracy, (0.0, 1.0)),
    ]
    split = wording.split_noun(run)
    legend = [
        {
            "name": _fold_name(unit, many, split).capitalize() + (" (collapsed)" if unit.collapsed else ""),
            "style": _style(index, unit, len(units)),
        }
        for index, unit in enumerate(units)
    ]
    shown = legend
    if len(units) > _MANY:
        # They look alike, so they need no line each.
        shown = [
            {"name": f"Each {split}{words}", "style": style}
            for style, words in (("many", ""), ("many collapsed", " that collapsed"))
            if any(item["style"] == style for item in legend)
        ]
    if len(units) > 1:
        shown = [*shown, {"name": "Mean", "style": "mean"}]
    charts = []
    for column, title, label, reference, limits in panels:
        series = [
            Series(
                legend[index]["name"],
                [float(row.epoch) for row in unit.history],
                [_number(getattr(row, column)) for row in unit.history],
                legend[index]["style"],
            )
            for index, unit in enumerate(units)
        ]
        if len(units) > 1:
            series.append(_mean(series))
        svg = line_chart(
            f"{title} by epoch, one line per run",
            series,
            x_label="epoch",
            y_label=label,
            references=[reference],
            y_limits=limits,
        )
        if svg is not None:
            charts.append({"title": title, "svg": svg, "watched": column.startswith("val_")})
    return {"charts": charts, "legend": shown} if charts else None


def _number(value: float | None) -> float:
    return math.nan if value is None else value


def _style(index: int, unit: UnitData, n_units: int) -> str:
    colour = f"c{index}" if n_units <= _COLOURS else "many"
    return f"{colour} collapsed" if unit.collapsed else colour


def _mean(series: Sequence[Series]) -> Series:
    values: dict[float, list[float]] = {}
    for one in series:
        for x, y in zip(one.x, one.y):
            if math.isfinite(x) and math.isfinite(y):
                values.setdefault(x, []).append(y)
    # Where only some runs have got this far, their mean would jump.
    epochs = [x for x, ys in sorted(values.items()) if len(ys) == max(map(len, values.values()))]
    return Series("Mean", epochs, [sum(values[x]) / len(values[x]) for x in epochs], "mean")
