"""Protocols are found by name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import pytest

from fleeting.errors import UsageError
from fleeting.protocols import (
    KFoldProtocol,
    create_protocol,
    list_protocols,
    register_protocol,
)


def test_registry(own_registries: None, dishonest: type[KFoldProtocol], forgetful: type[KFoldProtocol]) -> None:
    assert {"stratified-kfold", "subject-kfold", "loso", "holdout", "cross-dataset"} <= set(list_protocols())
    with pytest.raises(UsageError, match=r"did you mean 'subject-kfold'\?.*stratified-kfold, subject-"):
        create_protocol("subject-kfolds")
    assert create_protocol("Subject_KFold").name == "subject-kfold"
    with pytest.raises(UsageError, match=r"unknown option of protocol.*'fold'.*folds, label, seed"):
        create_protocol("subject-kfold", fold=3)
    with pytest.warns(FutureWarning, match=r"write @register_protocol\('dishonest'\)"):
        register_protocol(dishonest)
    assert isinstance(create_protocol("dishonest", folds=3), dishonest)

    @dataclass(frozen=True)
    class Other(forgetful):  # type: ignore[misc, valid-type]
        name: ClassVar[str] = "other"

    with pytest.raises(UsageError, match="registered already"):
        register_protocol("other")(Other)
        register_protocol("other")(Other)
    with pytest.raises(UsageError, match="calls itself 'other' and is registered as 'another'"):
        register_protocol("another")(Other)
