"""The base of all protocols: its options, and what it asks of a subclass."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest

from fleeting.errors import UsageError
from fleeting.protocols import (
    Fold,
    Protocol,
    create_protocol,
    folds_of,
)


def clips(rows: list[tuple[str, str, str]]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=["dataset", "subject", "emotion"])
    table["clip"] = [f"c{i:04d}" for i in range(len(table))]
    return table


def demo(subjects: int = 12, each: int = 6) -> pd.DataFrame:
    return clips([("demo", f"s{s:02d}", "abc"[(s + i) % 3]) for s in range(subjects) for i in range(each)])


@pytest.mark.parametrize(
    "bad", [{"folds": 1}, {"folds": True}, {"folds": 2.5}, {"folds": "5"}, {"seed": -1}, {"seed": 2**32}]
)
def test_bad_options_are_usage_errors(bad: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        create_protocol("subject-kfold", **bad)


def test_numpy_integers_are_whole_numbers() -> None:
    assert create_protocol("subject-kfold", folds=np.int64(3)).describe()["folds"] == 3


@dataclass(frozen=True)
class Counted(Protocol):
    """A protocol from outside that only says how it splits."""

    name: ClassVar[str] = "counted"
    subject_independent: ClassVar[bool] = False

    def split(self, table: pd.DataFrame) -> Iterator[Fold]:
        for index, part in enumerate(np.array_split(np.arange(len(table)), 3)):
            yield Fold(index, np.setdiff1d(np.arange(len(table)), part), part)


def test_a_protocol_needs_no_more_than_a_split() -> None:
    assert len(folds_of(Counted(), demo())) == 3
    assert Counted(seed=2).describe() == {
        "name": "counted", "seed": 2, "subject_independent": False, "noun": "fold", "sentence": "",
    }  # fmt: skip
