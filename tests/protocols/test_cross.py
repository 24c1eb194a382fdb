"""Cross-data-set tests: each fold of the source is tested on the whole target."""

import numpy as np
import pytest

from fleeting.errors import UsageError
from fleeting.protocols import create_protocol, folds_of, split_notes


@pytest.mark.parametrize(("name", "within"), [("cross-dataset", "stratified"), ("cross-dataset-subject", "subject")])
def test_each_fold_of_the_source_is_tested_on_the_whole_target(three, smic, name, within):
    protocol = create_protocol(name, source="smic", target="samm", seed=2)
    folds = folds_of(protocol, three)
    alone = folds_of(create_protocol(f"{within}-kfold", seed=2), smic)
    where = three["dataset"].to_numpy()
    assert len(folds) == 5
    for fold, source in zip(folds, alone, strict=True):
        assert set(where[fold.train]) == {"smic"} and (where[fold.test] == "samm").all()
        assert len(fold.test) == 50
        # A network trained for one target serves another: the training side does not depend on the target.
        assert fold.train.tolist() == np.flatnonzero(where == "smic")[source.train].tolist()


def test_combined_sources_other_targets_and_the_whole_source(three):
    where = three["dataset"].to_numpy()
    folds = folds_of(create_protocol("cross-dataset", source="casme2+smic"), three)
    assert set(where[folds[0].train]) == {"casme2", "smic"} and set(where[folds[0].test]) == {"samm"}
    folds = folds_of(create_protocol("cross-dataset", source=["samm"]), three)
    assert set(where[folds[0].test]) == {"casme2", "smic"}
    (fold,) = folds_of(create_protocol("cross-dataset", source="casme2", target="smic", folds=1), three)
    assert (len(fold.train), len(fold.test)) == (120, 164)


@pytest.mark.parametrize(("options", "says"), [
    ({}, "given no source"), ({"source": "smic", "target": "casme2+smic"}, "smic as source and as target"),
    ({"source": "smik"}, "smik not among them"), ({"source": "casme2+smic+samm"}, "nothing but the source"),
    ({"source": "smic", "folds": 0}, "at least 1"),
])  # fmt: skip
def test_impossible_sources_say_what_is_there(three, options, says):
    with pytest.raises(UsageError, match=says):
        folds_of(create_protocol("cross-dataset", **options), three)


def test_a_class_that_the_target_lacks_is_noted_once(three):
    protocol = create_protocol("cross-dataset", source="smic", target="samm")
    table = three[~((three["dataset"] == "samm") & (three["emotion"] == "negative"))].reset_index(drop=True)
    assert split_notes(protocol, table, folds_of(protocol, table)) == ["No clip that is tested shows 'negative'."]
