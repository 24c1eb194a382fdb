"""Tables of clips that are like those of the real sets, and protocols that break their promise."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest

from fleeting.protocols import Fold, KFoldProtocol, StratifiedKFoldProtocol

SMIC = {"negative": (70, 56, 14), "positive": (51, 41, 10), "surprise": (43, 34, 9)}


def table_of(counts, dataset="smic", subjects=16, seed=0):
    """Clips of each class dealt at random to people, as unevenly as in the real sets."""
    rng = np.random.default_rng(seed)
    shares = rng.dirichlet(np.full(subjects, 1.5))
    rows = [
        (dataset, f"s{s:02d}", emotion)
        for emotion, n in counts.items()
        for s, times in enumerate(rng.multinomial(n, shares))
        for _ in range(times)
    ]
    table = pd.DataFrame(rows, columns=["dataset", "subject", "emotion"])
    return table.assign(clip=[f"c{i:03d}" for i in range(len(table))])


@pytest.fixture(scope="module")
def smic():
    return table_of({name: total for name, (total, _, _) in SMIC.items()})


@pytest.fixture(scope="module")
def three(smic):
    casme2 = table_of({"negative": 63, "positive": 32, "surprise": 25}, "casme2", 24, 1)
    samm = table_of({"negative": 9, "positive": 26, "surprise": 15}, "samm", 18, 2)
    return pd.concat([smic, casme2, samm], ignore_index=True)


@dataclass(frozen=True)
class Dishonest(KFoldProtocol):
    """Promises to keep people apart, and deals clips instead."""

    name: ClassVar[str] = "dishonest"
    subject_independent: ClassVar[bool] = True

    def split(self, table: pd.DataFrame) -> Iterator[Fold]:
        yield from StratifiedKFoldProtocol(self.folds, seed=self.seed).split(table)


@dataclass(frozen=True)
class Forgetful(KFoldProtocol):
    """Tests one half of the clips twice."""

    name: ClassVar[str] = "forgetful"
    subject_independent: ClassVar[bool] = False

    def split(self, table: pd.DataFrame) -> Iterator[Fold]:
        halves = np.split(np.arange(len(table)), 2)
        for index in range(self.folds):
            yield Fold(index, halves[1], halves[0])


@pytest.fixture
def dishonest():
    return Dishonest


@pytest.fixture
def forgetful():
    return Forgetful
