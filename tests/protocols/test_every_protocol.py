"""What holds for every protocol."""

import json

import numpy as np
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.model_selection import cross_val_score

from fleeting.errors import UsageError
from fleeting.protocols import create_protocol, folds_of, list_protocols

OPTIONS = {"cross-dataset": {"source": "smic"}, "cross-dataset-subject": {"source": "smic+casme2"}}


NAMES = [
    "cross-dataset", "cross-dataset-subject", "holdout", "loso", "repeated-holdout", "repeated-subject-holdout",
    "stratified-kfold", "subject-holdout", "subject-kfold",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_every_protocol_describes_itself_and_ignores_the_order_of_rows(three, name):
    assert name in list_protocols()
    protocol = create_protocol(name, seed=4, **OPTIONS.get(name, {}))
    told = json.loads(json.dumps(protocol.describe()))
    assert told["sentence"] and told["noun"] in ("fold", "split")
    assert told["subject_independent"] is protocol.subject_independent
    options = {key: told[key] for key in protocol.options() if key in told}
    assert create_protocol(name, **options) == protocol
    folds = folds_of(protocol, three)
    assert len(folds) == protocol.n_folds(three)
    shuffled = three.sample(frac=1, random_state=7)

    def clips(table, fold):
        rows = table.iloc[fold.test]
        return sorted(rows["dataset"] + rows["clip"])

    assert [clips(three, f) for f in folds] == [clips(shuffled, f) for f in folds_of(protocol, shuffled)]


def test_scikit_learn_takes_hold_outs_and_loso(smic):
    groups = smic["subject"]
    x = np.zeros((len(smic), 1))
    for name, n in (("loso", groups.nunique()), ("repeated-holdout", 5), ("holdout", 1)):
        splitter = create_protocol(name).as_sklearn()
        assert splitter.get_n_splits(x, smic["emotion"], groups) == n
        assert name == "loso" or splitter.get_n_splits() == n
        assert len(cross_val_score(DummyClassifier(), x, smic["emotion"], groups=groups, cv=splitter)) == n
    with pytest.raises(UsageError, match="depends on the samples"):
        create_protocol("loso").as_sklearn().get_n_splits()
