"""Leave-one-subject-out."""

import numpy as np
import pandas as pd
import pytest

from fleeting.errors import UsageError
from fleeting.protocols import create_protocol, folds_of, split_notes


def test_loso_leaves_out_each_person_once(three):
    protocol = create_protocol("loso")
    folds = folds_of(protocol, three)
    people = (three["dataset"] + "/" + three["subject"]).to_numpy()
    assert [set(people[fold.test]) for fold in folds] == [{name} for name in sorted(set(people))]
    assert sorted(np.concatenate([fold.test for fold in folds])) == list(range(len(three)))
    (note,) = split_notes(protocol, three, folds)
    assert "only pooled figures" in note


def test_loso_notes_a_class_of_one_person_and_needs_two():
    rows = [("d", s, e) for s in "abc" for e in "xy"] + [("d", "b", "rare")]
    table = pd.DataFrame(rows, columns=["dataset", "subject", "emotion"]).assign(clip=[str(i) for i in range(7)])
    notes = split_notes(create_protocol("loso"), table, folds_of(create_protocol("loso"), table))
    assert "Fold 2 trains on no clip of 'rare', so it cannot be recognised there." in notes
    with pytest.raises(UsageError, match="one subject only"):
        folds_of(create_protocol("loso"), table[table["subject"] == "a"].reset_index(drop=True))
    with pytest.raises(UsageError, match="without subject d/b only the class 'x'"):
        folds_of(create_protocol("loso"), table.iloc[[0, 2, 3, 4]].reset_index(drop=True))
