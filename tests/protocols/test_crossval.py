"""scikit-learn takes a protocol as a cross-validator."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.model_selection import cross_val_score

from fleeting.errors import UsageError
from fleeting.protocols import (
    create_protocol,
    folds_of,
)


def clips(rows: list[tuple[str, str, str]]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=["dataset", "subject", "emotion"])
    table["clip"] = [f"c{i:04d}" for i in range(len(table))]
    return table


def demo(subjects: int = 12, each: int = 6) -> pd.DataFrame:
    return clips([("demo", f"s{s:02d}", "abc"[(s + i) % 3]) for s in range(subjects) for i in range(each)])


@pytest.mark.parametrize("name", ["stratified-kfold", "subject-kfold"])
def test_scikit_learn_accepts_the_splitter(name: str) -> None:
    table = demo()
    splitter = create_protocol(name).as_sklearn()
    scores = cross_val_score(
        DummyClassifier(), np.zeros((72, 1)), table["emotion"], groups=table[["dataset", "subject"]], cv=splitter
    )
    assert len(scores) == splitter.get_n_splits() == 5
    expected = [fold.test.tolist() for fold in folds_of(create_protocol(name), table)]
    assert [test.tolist() for _, test in splitter.split(table)] == expected


def test_splitter_asks_for_what_it_needs() -> None:
    splitter = create_protocol("subject-kfold").as_sklearn()
    with pytest.raises(UsageError, match="needs groups"):
        next(splitter.split(np.zeros(6), list("ababab")))
    with pytest.raises(UsageError, match="needs the labels y"):
        next(splitter.split(np.zeros(6)))
    with pytest.raises(UsageError, match="one subject per sample"):
        next(splitter.split(np.zeros(6), list("ababab"), [1, 2]))
    with pytest.raises(UsageError, match="one label per sample"):
        next(splitter.split(np.zeros(6), list("ab"), [1, 2]))
