"""Tables of clips that are like those of the real sets."""

import numpy as np
import pandas as pd
import pytest

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
