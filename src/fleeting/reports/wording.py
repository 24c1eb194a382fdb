"""Numbers and plain sentences, as the page prints them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from fleeting.reports.reading import as_dict, as_number

if TYPE_CHECKING:
    from fleeting.reports.folder import RunData

__all__ = ["figure", "interval", "listed", "model_title", "moment", "plural", "recipe_sentence", "seconds", "value"]

NONE = "–"


def figure(number: Any, digits: int = 2) -> str:
    """A share such as 0.94; a dash for what is missing.

    >>> figure(0.9444), figure(float("nan")), figure(None)
    ('0.94', '–', '–')
    """
    found = as_number(number)
    return f"{found:.{digits}f}" if math.isfinite(found) else NONE


def interval(low: Any, high: Any, digits: int = 2) -> str:
    """``[0.90, 0.98]``, or nothing if an end is missing."""
    ends = as_number(low), as_number(high)
    return f"[{ends[0]:.{digits}f}, {ends[1]:.{digits}f}]" if all(map(math.isfinite, ends)) else ""


def plural(number: int, one: str, many: str = "") -> str:
    """``1 clip``, ``2 clips``, ``12,000 clips``."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def listed(items: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    return ", ".join(items[:-1]) + (" and " if len(items) > 1 else "") + items[-1] if items else ""


def model_title(name: str) -> str:
    """A model's name as the papers print it.

    >>> model_title("model_a"), model_title("ststnet")
    ('Model-A', 'ststnet')
    """
    head, _, tail = name.partition("_")
    return f"Model-{tail.upper()}" if head == "model" and len(tail) == 1 else name or "the model"


def moment(text: Any) -> str:
    """An ISO time as a reader writes it: ``21 November 2026, 13:05 UTC``."""
    try:
        when = datetime.fromisoformat(str(text))
    except ValueError:
        return str(text or "")
    zone = f" {when.tzname()}" if when.tzinfo else ""
    return f"{when.day} {when:%B %Y, %H:%M}{zone}"


def seconds(duration: float) -> str:
    """``42 s``, ``3 min 20 s``, ``2 h 5 min``."""
    if not math.isfinite(duration):
        return NONE
    whole = round(duration)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def value(item: Any) -> str:
    """A field of a configuration as text."""
    if isinstance(item, bool):
        return "yes" if item else "no"
    if item is None:
        return "none"
    if isinstance(item, int):
        return f"{item:,}"
    if isinstance(item, float):
        return f"{item:g}"
    if isinstance(item, list | tuple):
        return ", ".join(map(value, item)) or "none"
    if isinstance(item, dict):
        return ", ".join(f"{name} {value(part)}" for name, part in item.items()) or "none"
    return str(item)


def recipe_sentence(recipe: dict[str, Any]) -> str:
    """What the network was shown, in one sentence, from the fields that all recipes have."""
    if recipe.get("height") == 1:
        return "It was given one row of features a clip."
    parts = []
    if recipe.get("frames"):
        parts.append(
            plural(recipe["frames"], "frame") if isinstance(recipe["frames"], int) else f"{recipe['frames']} frames"
        )
    if recipe.get("height") and recipe.get("width"):
        parts.append(f"of {recipe['height']}×{recipe['width']} pixels")
    if recipe.get("color"):
        parts.append(f"in {'grey' if recipe['color'] == 'grey' else 'colour'}")
    if not parts:
        return ""
    motion = {
        "none": ", as they are",
        "difference": ", each minus the onset frame, so that it sees change and not the face",
    }.get(str(recipe.get("motion", "")), "")
    return f"The network was shown {' '.join(parts)}{motion}."


def outcome(run: RunData, right: int, total: int, pooled: dict[str, Any]) -> list[str]:
    """The result in plain sentences: what was reached, and what saying one word always would reach."""
    model = model_title(str(as_dict(run.config.get("model")).get("name", "")))
    seeds = len({unit.seed for unit in run.units if unit.finished})
    answers = [one for unit in run.units for one in unit.predictions]
    clips = len({(one.dataset, one.subject, one.clip) for one in answers})
    if total == clips:
        what = plural(total, "clip")
    elif total == clips * seeds:
        what = f"{total:,} test answers ({seeds} seeds a clip)"
    else:
        what = f"{total:,} test answers about {plural(clips, 'clip')}"
    whom = "of people it had not seen in training" if independent(run) else "of people partly known from training"
    spread = interval(pooled.get("accuracy_low"), pooled.get("accuracy_high"))
    sentences = [
        f"{model} recognised {right:,} of {what} {whom}: accuracy {figure(right / total)}{' ' * bool(spread)}{spread}."
    ]
    untested = len(run.clips) - clips
    if untested > 0 and all(unit.finished for unit in run.units):
        sentences.append(
            f"The other {plural(untested, 'clip')} of the data {'was' if untested == 1 else 'were'} not tested."
        )
    majority = as_number(pooled.get("majority_accuracy"))
    if math.isfinite(majority):
        sentences.append(f"Always saying ‘{pooled.get('majority_class') or '?'}’ would give {figure(majority)}.")
        low = as_number(pooled.get("accuracy_low"))
        if low <= majority or (not math.isfinite(low) and right / total <= majority):
            sentences.append("The one is not clearly better than the other: this is no evidence of recognition.")
    return sentences


def split_noun(run: RunData) -> str:
    """What the protocol calls one train/test split: ``fold`` or ``split``."""
    return "split" if as_dict(run.config.get("protocol")).get("noun") == "split" else "fold"


def protocol_sentence(run: RunData) -> str:
    """How the clips were split, in a few words."""
    protocol = as_dict(run.config.get("protocol"))
    name = str(protocol.get("name") or "not recorded")
    told = str(protocol.get("sentence") or "")
    whom = "no person in training and test" if independent(run) else "people mixed"
    splits = len({unit.fold for unit in run.units})
    return f"{name}: {told or f'{plural(splits, split_noun(run))}, {whom}'}"


def independent(run: RunData) -> bool:
    """Whether the protocol promises that nobody is on both sides of a fold."""
    return as_dict(run.config.get("protocol")).get("subject_independent") is True
