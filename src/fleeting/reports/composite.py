"""The page's table of a composite: all clips and each data set, beside what papers report."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from fleeting.reports import wording
from fleeting.reports.reading import as_dict, as_list, as_number

if TYPE_CHECKING:
    from fleeting.reports.folder import Prediction, RunData

__all__ = ["composite_part"]

# Published figures of the composite are of this protocol.
_PUBLISHED_UNDER = "cde"


def composite_part(run: RunData, predictions: Sequence[Prediction]) -> dict[str, Any] | None:
    """Rows for the whole and for each data set, and what the page says below; ``None`` with fewer than two data sets.

    Runs of earlier versions have no intervals, people and means over folds by data set; their cells stay empty.
    """
    pooled = as_dict(run.summary.get("pooled"))
    found = {str(name): as_dict(scores) for name, scores in as_dict(pooled.get("by_dataset")).items()}
    if len(found) < 2:
        return None
    published = _published(run)
    rows = [_row("All", pooled, predictions, published.get("full", []))]
    for name, scores in sorted(found.items()):
        own = [one for one in predictions if one.dataset == name]
        rows.append(_row(name, scores, own, published.get(name, [])))
    sources = dict.fromkeys(figure["source"] for row in rows for figure in row["published"] if figure["source"])
    return {
        "rows": rows,
        "published": any(row["published"] for row in rows),
        "sources": list(sources),
        "fold_means": any(math.isfinite(as_number(row["scores"].get("uf1_fold_mean"))) for row in rows),
        "log": str(as_dict(run.summary.get("challenge_log")).get("file") or ""),
    }


def _row(
    title: str, scores: dict[str, Any], predictions: Sequence[Prediction], published: list[dict[str, Any]]
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
    """What ``run.json`` says that papers report of the model, by part of the composite (``full`` is all of it)."""
    if as_dict(run.config.get("protocol")).get("name") != _PUBLISHED_UNDER:
        return {}
    parts: dict[str, list[dict[str, Any]]] = {}
    for item in map(as_dict, as_list(as_dict(run.config.get("model")).get("published"))):
        figures = {name: as_number(item.get(name)) for name in ("uf1", "uar")}
        if any(map(math.isfinite, figures.values())):
            source = str(item.get("source") or "")
            told = " / ".join(wording.figure(value, 3) for value in figures.values())
            parts.setdefault(str(item.get("data")), []).append(
                {**figures, "source": f"{told}: {source}" if source else ""}
            )
    return parts
