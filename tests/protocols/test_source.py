"""Folds of a source, tested on all other sets as well."""

import pandas as pd
import pytest

from fleeting.errors import UsageError
from fleeting.protocols import create_protocol, folds_of


@pytest.mark.parametrize("name", ["source-folds", "subject-source-folds"])
def test_a_source_is_trained_on_and_everything_else_tested(name):
    table = pd.DataFrame(
        {
            "dataset": ["smic"] * 30 + ["samm"] * 6 + ["casme2"] * 4,
            "subject": [f"s{k // 3}" for k in range(40)],
            "clip": [f"c{k}" for k in range(40)],
            "emotion": ["happy", "disgust", "surprise"] * 13 + ["happy"],
        }
    )
    folds = folds_of(create_protocol(name, folds=5, seed=0, source="smic"), table)
    assert len(folds) == 5
    tested = []
    for fold in folds:
        assert set(table["dataset"].iloc[fold.train]) == {"smic"}
        rows = table.iloc[fold.test]
        assert (rows["dataset"] != "smic").sum() == 10
        tested += rows.index[rows["dataset"] == "smic"].tolist()
    assert sorted(tested) == list(range(30))
    with pytest.raises(UsageError, match="casme2, samm, smic"):
        folds_of(create_protocol(name, source="smik"), table)
