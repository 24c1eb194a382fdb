"""Splits of a clips table into training and test clips, and the guard that keeps them honest.

A protocol never sees pixels: it reads who is in a clip and what the clip is called, and answers with index
arrays.

>>> import pandas as pd
>>> table = pd.DataFrame({
...     "dataset": "demo",
...     "subject": [f"s{i:02d}" for i in range(12) for _ in range(2)],
...     "clip": [f"c{i:02d}" for i in range(24)],
...     "emotion": ["happiness", "disgust"] * 12,
... })
>>> folds = folds_of(create_protocol("subject-kfold", folds=3), table)
>>> [(fold.index, len(fold.train), len(fold.test)) for fold in folds]
[(0, 16, 8), (1, 16, 8), (2, 16, 8)]
"""

from __future__ import annotations

from fleeting.protocols.base import Fold, IndexArray, Protocol
from fleeting.protocols.cross import CrossDatasetProtocol, CrossDatasetSubjectProtocol
from fleeting.protocols.crossval import ProtocolSplitter
from fleeting.protocols.guard import check_split, folds_of, split_notes, subject_codes
from fleeting.protocols.holdout import (
    HoldoutProtocol,
    RepeatedHoldoutProtocol,
    RepeatedSubjectHoldoutProtocol,
    SubjectHoldoutProtocol,
)
from fleeting.protocols.kfold import (
    KFoldProtocol,
    LeaveOneSubjectOutProtocol,
    StratifiedKFoldProtocol,
    SubjectKFoldProtocol,
)
from fleeting.protocols.megc import CompositeProtocol, HoldoutDatasetProtocol
from fleeting.protocols.registry import create_protocol, list_protocols, register_protocol
from fleeting.protocols.source import SourceFolds, SubjectSourceFolds

__all__ = [
    "CompositeProtocol",
    "CrossDatasetProtocol",
    "CrossDatasetSubjectProtocol",
    "Fold",
    "HoldoutDatasetProtocol",
    "HoldoutProtocol",
    "IndexArray",
    "KFoldProtocol",
    "LeaveOneSubjectOutProtocol",
    "Protocol",
    "ProtocolSplitter",
    "RepeatedHoldoutProtocol",
    "RepeatedSubjectHoldoutProtocol",
    "SourceFolds",
    "StratifiedKFoldProtocol",
    "SubjectHoldoutProtocol",
    "SubjectKFoldProtocol",
    "SubjectSourceFolds",
    "check_split",
    "create_protocol",
    "folds_of",
    "list_protocols",
    "register_protocol",
    "split_notes",
    "subject_codes",
]
