"""Words on the choice of epochs and hyper-parameters."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING

from pydantic import JsonValue

from fleeting.reports import wording
from fleeting.reports.reading import as_number

if TYPE_CHECKING:
    from fleeting.reports.folder import RunData

__all__ = ["NOTHING", "choice_sentences"]

NOTHING = "nothing was chosen: the last epoch"
_FEW = 4


def choice_sentences(run: RunData) -> list[str]:
    """Say by which rule was chosen, and which values how often.

    The sentence is that of the run, or else of its units; runs of earlier versions could not choose and say
    :data:`NOTHING`.
    """
    told = [run.config.selection.sentence]
    if not told[0]:
        told = list(dict.fromkeys(unit.selection.sentence for unit in run.units if unit.finished))
    sentences = [_sentence(one) for one in told if one] or [_sentence(NOTHING)]
    values: dict[str, list[JsonValue]] = {}
    for unit in run.units:
        for name, value in unit.selection.chosen.items():
            values.setdefault(name, []).append(value)
    noun = wording.split_noun(run) if len({unit.seed for unit in run.units}) == 1 else "training run"
    for name, chosen in values.items():
        sentences.append(f"Chosen {name.rpartition('.')[2].replace('_', ' ')}: {_spread(chosen, noun)}.")
    return sentences


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:].rstrip('.')}."


def _spread(values: list[JsonValue], noun: str) -> str:
    """``20 in 5 folds``, ``10 in 3 folds and 20 in 2 folds``, or the range of many different numbers."""
    counts = Counter(map(wording.value, values))
    numbers = sorted(as_number(value) for value in values)
    if len(counts) > _FEW and all(map(math.isfinite, numbers)):
        middle = numbers[(len(numbers) - 1) // 2]
        return (
            f"{wording.value(numbers[0])} to {wording.value(numbers[-1])}, half of them at most {wording.value(middle)}"
        )
    return wording.listed([f"{value} in {wording.plural(count, noun)}" for value, count in counts.most_common()])
