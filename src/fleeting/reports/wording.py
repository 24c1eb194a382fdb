"""Numbers and plain sentences, as the page prints them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from fleeting.records import RecipePart, ResultRow, RunConfig
from fleeting.reports.reading import as_number

if TYPE_CHECKING:
    from fleeting.reports.folder import RunData

__all__ = [
    "figure",
    "independent",
    "interval",
    "listed",
    "model_title",
    "moment",
    "outcome",
    "plural",
    "protocol_sentence",
    "recipe_sentence",
    "seconds",
    "split_noun",
    "training_sentence",
    "value",
]

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


def recipe_sentence(recipe: RecipePart) -> str:
    """Say in one sentence what the network was shown, from the fields that all recipes have."""
    if recipe.height == 1:
        return "It was given one row of features per clip."
    parts = []
    if recipe.frames:
        parts.append(plural(recipe.frames, "frame"))
    if recipe.height and recipe.width:
        parts.append(f"of {recipe.height}×{recipe.width} pixels")
    if recipe.color:
        parts.append(f"in {'grey' if recipe.color == 'grey' else 'colour'}")
    if not parts:
        return ""
    motion = {
        "none": ", as they are",
        "difference": ", each minus the onset frame, so that it sees change and not the face",
    }.get(recipe.motion or "", "")
    return f"The network was shown {' '.join(parts)}{motion}."


def training_sentence(config: RunConfig) -> str:
    """Say in a few words how the network was trained."""
    training = config.training
    parts = []
    if training.optimizer == "none":
        parts.append("fitted at once, without epochs")
    elif training.optimizer:
        parts.append(training.optimizer.upper() if training.optimizer == "sgd" else training.optimizer)
    if training.learning_rate:
        parts.append(f"learning rate {value(training.learning_rate)}")
    if training.batch_size:
        parts.append(f"batches of {value(training.batch_size)}")
    if training.epochs:
        epochs = f"{value(training.epochs)} epoch{'s' * (training.epochs != 1)}"
        parts.append(f"at most {epochs}" if config.selection.epochs else f"{epochs}, weights of the last one")
    if config.seeds:
        parts.append(("seed " if len(config.seeds) == 1 else "seeds ") + ", ".join(map(str, config.seeds)))
    return "; ".join(parts)


def outcome(run: RunData, right: int, total: int, pooled: ResultRow | None) -> list[str]:
    """Give the result in plain sentences: what was reached, and what saying one word always would reach."""
    model = model_title(run.config.model.name)
    seeds = len({unit.seed for unit in run.units if unit.finished})
    answers = [one for unit in run.units for one in unit.predictions]
    clips = len({(one.dataset, one.subject, one.clip) for one in answers})
    if total == clips:
        what = plural(total, "clip")
    elif total == clips * seeds:
        what = f"{total:,} test answers ({seeds} seeds per clip)"
    else:
        what = f"{total:,} test answers about {plural(clips, 'clip')}"
    whom = "of people it had not seen in training" if independent(run) else "of people partly known from training"
    spread = "" if pooled is None else interval(pooled.accuracy_low, pooled.accuracy_high)
    sentences = [
        f"{model} recognised {right:,} of {what} {whom}: accuracy {figure(right / total)}{' ' * bool(spread)}{spread}."
    ]
    untested = len(run.clips) - clips
    if untested > 0 and all(unit.finished for unit in run.units):
        sentences.append(
            f"The other {plural(untested, 'clip')} of the data {'was' if untested == 1 else 'were'} not tested."
        )
    if pooled is not None and pooled.majority_accuracy is not None:
        majority = pooled.majority_accuracy
        sentences.append(f"Always saying ‘{pooled.majority_class or '?'}’ would give {figure(majority)}.")
        low = right / total if pooled.accuracy_low is None else pooled.accuracy_low
        if low <= majority:
            sentences.append("The one is not clearly better than the other: this is no evidence of recognition.")
    return sentences


def split_noun(run: RunData) -> str:
    """Name one train/test split as the protocol does: ``fold`` or ``split``."""
    return "split" if run.config.protocol.noun == "split" else "fold"


def protocol_sentence(run: RunData) -> str:
    """Say in a few words how the clips were split."""
    protocol = run.config.protocol
    whom = "no person in training and test" if independent(run) else "people mixed"
    splits = len({unit.fold for unit in run.units})
    told = protocol.sentence or f"{plural(splits, split_noun(run))}, {whom}"
    return f"{protocol.name or 'not recorded'}: {told}"


def independent(run: RunData) -> bool:
    """Tell whether the protocol promises that nobody is on both sides of a fold."""
    return run.config.protocol.subject_independent
