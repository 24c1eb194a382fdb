"""Protocols are found by name."""

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
    KFoldProtocol,
    StratifiedKFoldProtocol,
    create_protocol,
    list_protocols,
    register_protocol,
)


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


def test_registry(own_registries: None) -> None:
    assert {"stratified-kfold", "subject-kfold", "loso", "holdout", "cross-dataset"} <= set(list_protocols())
    with pytest.raises(UsageError, match=r"did you mean 'subject-kfold'\?.*stratified-kfold, subject-"):
        create_protocol("subject-kfolds")
    assert create_protocol("Subject_KFold").name == "subject-kfold"
    with pytest.raises(UsageError, match=r"unknown option of protocol.*'fold'.*folds, label, seed"):
        create_protocol("subject-kfold", fold=3)
    with pytest.warns(FutureWarning, match=r"write @register_protocol\('dishonest'\)"):
        register_protocol(Dishonest)
    assert isinstance(create_protocol("dishonest", folds=3), Dishonest)

    @dataclass(frozen=True)
    class Other(Forgetful):
        name: ClassVar[str] = "other"

    with pytest.raises(UsageError, match="registered already"):
        register_protocol("other")(Other)
        register_protocol("other")(Other)
    with pytest.raises(UsageError, match="calls itself 'other' and is registered as 'another'"):
        register_protocol("another")(Other)
