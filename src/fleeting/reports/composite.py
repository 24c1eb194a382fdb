"""The page's table of a composite: all clips and each data set, beside what papers report."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from fleeting.records import Scores
from fleeting.reports import wording

if TYPE_CHECKING:
    from fleeting.reports.folder import Prediction, RunData

__all__ = ["composite_part"]

# Published figures of the composite are of this protocol.
_PUBLISHED_UNDER = "cde"


def composite_part(run: RunData, predictions: Sequence[Prediction]) -> dict[str, Any] | None:
    """Give rows for the whole and for each data set, and what the page says below; ``None`` with fewer than two data sets.

    Runs of earlier versions have no intervals, people and means over folds by data set; their cells stay empty.
    """
    pooled = run.summary.pooled
    if len(pooled.by_dataset) < 2:
        return None
    published = _published(run)
    rows = [_row("All", pooled, predictions, published.get("full", []))]
    for name, scores in sorted(pooled.by_dataset.items()):
        own = [one for one in predictions if one.dataset == name]
        rows.append(_row(name, scores, own, published.get(name, [])))
    sources = dict.fromkeys(figure["source"] for row in rows for figure in row["published"] if figure["source"])
    return {
        "rows": rows,
        "published": any(row["published"] for row in rows),
        "sources": list(sources),
        "fold_means": any(row["scores"].uf1_fold_mean is not None for row in rows),
        "log": run.summary.challenge_log.file,
    }


def _row(
    title: str, scores: Scores, predictions: Sequence[Prediction], published: list[dict[str, Any]]
) -> dict[str, Any]:
    shown = Counter(one.label for one in predictions)
    return {
        "title": title,
        "scores": scores,
        "clips": len({(one.dataset, one.subject, one.clip) for one in predictions}),
        "people": len({(one.dataset, one.subject) for one in predictions}),
        "commonest": max(shown.values()) / shown.total() if shown else math.nan,
        "published": published,
    }


def _published(run: RunData) -> dict[str, list[dict[str, Any]]]:
    """Figures that papers report of the model, by part of the composite (``full`` is all of it)."""
    if run.config.protocol.name != _PUBLISHED_UNDER:
        return {}
    parts: dict[str, list[dict[str, Any]]] = {}
    for item in run.config.model.published:
        if item.uf1 is not None or item.uar is not None:
            told = f"{wording.figure(item.uf1, 3)} / {wording.figure(item.uar, 3)}"
            source = f"{told}: {item.source}" if item.source else ""
            parts.setdefault(item.data, []).append({"uf1": item.uf1, "uar": item.uar, "source": source})
    return parts
