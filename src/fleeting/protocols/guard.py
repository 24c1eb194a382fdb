"""The guard: every fold is checked against what its protocol promises before anything is trained on it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from fleeting.datasets.composites import people_of
from fleeting.errors import LeakageError, UsageError
from fleeting.protocols.fold import Fold, IndexArray

if TYPE_CHECKING:
    from fleeting.protocols.base import Protocol

__all__ = ["check_split", "class_labels", "folds_of", "same_people", "split_notes", "subject_codes"]

_SHOWN = 5


def _listed(items: Sequence[object]) -> str:
    shown = ", ".join(str(item) for item in items[:_SHOWN])
    return shown + (f" and {len(items) - _SHOWN} more" if len(items) > _SHOWN else "")


def require_columns(table: pd.DataFrame, columns: Sequence[str]) -> None:
    """Raise :class:`UsageError` if the clips table lacks one of ``columns`` or has no rows."""
    missing = [name for name in columns if name not in table.columns]
    if missing:
        raise UsageError(
            f"the clips table lacks the column{'s' * (len(missing) > 1)} {', '.join(missing)}; it has: "
            f"{', '.join(map(str, table.columns)) or 'none'}. fleeting.clips.clips_table(clips) makes a "
            f"full one"
        )
    if len(table) == 0:
        raise UsageError("the clips table has no rows, so there is nothing to split; check what was skipped and why")


def subject_codes(table: pd.DataFrame) -> tuple[IndexArray, list[str]]:
    """Number the subjects of a clips table: a subject is a pair (data set, subject).

    Subject ``01`` of one data set and subject ``01`` of another are two people.

    Parameters
    ----------
    table : pandas.DataFrame
        Clips table with the columns ``dataset`` and ``subject``.

    Returns
    -------
    codes : numpy.ndarray of int64
        ``(len(table),)``, with values in ``[0, n_subjects)``.
    names : list of str
        One ``"dataset/subject"`` per code, sorted by data set and subject.

    Raises
    ------
    UsageError
        If a column is missing or a clip has no subject.
    """
    require_columns(table, ["dataset", "subject"])
    blank = table["subject"].isna() | (table["subject"].astype(str).str.strip() == "") | table["dataset"].isna()
    if blank.any():
        rows = np.flatnonzero(blank.to_numpy()).tolist()
        raise UsageError(
            f"{len(rows)} of {len(table)} clips name no data set or no subject (rows {_listed(rows)}), "
            "so it cannot be told who is in them; fill in the column 'subject', or use a protocol that mixes subjects"
        )
    pairs = list(zip(table["dataset"].astype(str), table["subject"].astype(str)))
    names = sorted(set(pairs))
    number = {pair: code for code, pair in enumerate(names)}
    codes = np.array([number[pair] for pair in pairs], dtype=np.int64)
    return codes, [f"{dataset}/{subject}" for dataset, subject in names]


def class_labels(table: pd.DataFrame, column: str) -> npt.NDArray[np.str_]:
    """Give the labels of all clips as strings; :class:`UsageError` if one is missing."""
    require_columns(table, [column])
    blank = table[column].isna() | (table[column].astype(str).str.strip() == "")
    if blank.any():
        rows = np.flatnonzero(blank.to_numpy()).tolist()
        raise UsageError(
            f"{len(rows)} of {len(table)} clips have no label in the column {column!r} (rows "
            f"{_listed(rows)}); "
            "drop them before splitting"
        )
    return np.array([str(value) for value in table[column]], dtype=np.str_)


def canonical_order(table: pd.DataFrame, label: str) -> IndexArray:
    """Sort row positions by who and what a clip is, so that what is drawn does not depend on the order of rows."""
    columns = [name for name in ("dataset", "subject", "clip") if name in table.columns]
    keys = list(zip(*(table[name].astype(str) for name in [*columns, label])))
    return np.array(sorted(range(len(table)), key=lambda row: keys[row]), dtype=np.int64)


def class_counts(protocol: Protocol, labels: npt.NDArray[np.str_]) -> tuple[list[str], IndexArray]:
    """List the classes and how many clips show each; :class:`UsageError` if there is one only."""
    classes, counts = np.unique(labels, return_counts=True)
    if len(classes) < 2:
        raise UsageError(
            f"protocol {protocol.name!r} found one class only ({str(classes[0])!r}, {counts[0]} clips) in the column "
            f"{protocol.label!r}; recognition needs at least two: check the label scheme and the data given"
        )
    return [str(name) for name in classes], counts.astype(np.int64)


def _checked_side(side: str, positions: npt.ArrayLike, n_rows: int) -> IndexArray:
    found = np.asarray(positions)
    if found.size == 0:
        raise LeakageError(f"the {side} side of the split is empty; each side needs at least one clip")
    if found.ndim != 1 or found.dtype.kind not in "iu":
        raise LeakageError(
            f"the {side} side of the split is an array of {found.dtype} with shape {found.shape}; expected a "
            "one-dimensional array of row positions (turn a mask into positions with numpy.flatnonzero)"
        )
    index = found.astype(np.int64)
    outside = index[(index < 0) | (index >= n_rows)]
    if outside.size:
        raise LeakageError(
            f"the {side} side of the split has positions outside the table of {n_rows} clips: "
            f"{_listed(outside.tolist())}; positions go from 0 to {n_rows - 1}"
        )
    twice = [position for position, times in Counter(index.tolist()).items() if times > 1]
    if twice:
        raise LeakageError(f"the {side} side of the split holds the same clip more than once: rows {_listed(twice)}")
    return index


def check_split(
    table: pd.DataFrame, train: npt.ArrayLike, test: npt.ArrayLike, subject_independent: bool
) -> tuple[IndexArray, IndexArray]:
    """Raise unless a split is a proper one and, if it promises so, shares no subject between its sides.

    Parameters
    ----------
    table : pandas.DataFrame
        Clips table with the columns ``dataset`` and ``subject``.
    train, test : npt.ArrayLike
        Row positions.
    subject_independent : bool
        If True, the split promises that no subject is on both sides.

    Returns
    -------
    tuple of (IndexArray, IndexArray)
        The two sides as int64 arrays.

    Raises
    ------
    LeakageError
        If a side is empty, holds a clip twice or a position outside the table, if both hold the same clip,
        or if people are shared despite the promise, be it under the names of two data sets that are known to show the
        same people. The message names them.

    Examples
    --------
    >>> table = pd.DataFrame({"dataset": "demo", "subject": ["a", "a", "b"]})
    >>> _ = check_split(table, [0, 1], [2], subject_independent=True)
    >>> check_split(table, [0, 2], [1], subject_independent=True)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    fleeting.errors.LeakageError: ...1 of 1 test subjects is also in training: demo/a
    """
    train_rows = _checked_side("training", train, len(table))
    test_rows = _checked_side("test", test, len(table))
    both = np.intersect1d(train_rows, test_rows)
    if both.size:
        raise LeakageError(
            f"{both.size} clip{'s' * (both.size > 1)} of the split {'are' if both.size > 1 else 'is'} "
            f"in training and in test: rows {_listed(both.tolist())}"
        )
    if subject_independent:
        codes, names = subject_codes(table)
        tested = np.unique(codes[test_rows])
        shared = np.intersect1d(codes[train_rows], tested)
        if shared.size:
            raise LeakageError(
                f"the split promises subject independence but {shared.size} of {tested.size} test subjects "
                f"{'are' if shared.size > 1 else 'is'} also in training: "
                f"{_listed([names[code] for code in shared])}"
            )
        # Another camera's or another cut's name does not make another person.
        pairs = zip(codes.tolist(), table["dataset"].astype(str), table["subject"].astype(str))
        faces = {code: (people_of(dataset), subject) for code, dataset, subject in set(pairs)}
        trained = {faces[code]: names[code] for code in np.unique(codes[train_rows]).tolist()}
        again = [f"{names[code]} is {trained[faces[code]]}" for code in tested.tolist() if faces[code] in trained]
        if again:
            raise LeakageError(
                f"the split promises subject independence but {len(again)} of {tested.size} test subjects "
                f"{'are' if len(again) > 1 else 'is'} in training under the name of another data set that shows the same "
                f"people: {_listed(again)}; give one of these data sets only"
            )
    return train_rows, test_rows


def same_people(table: pd.DataFrame) -> list[tuple[str, ...]]:
    """Group the table's data sets that are known to show the same people; usually none.

    The subsets of SMIC filmed the same people, so a fold that tests one and trains on another is not about strangers.
    """
    require_columns(table, ["dataset"])
    groups: dict[str, list[str]] = {}
    for name in sorted(set(table["dataset"].astype(str))):
        groups.setdefault(people_of(name), []).append(name)
    return [tuple(group) for group in groups.values() if len(group) > 1]


def folds_of(protocol: Protocol, table: pd.DataFrame) -> list[Fold]:
    """Make all folds of a protocol, each checked, as every experiment does.

    Parameters
    ----------
    protocol : Protocol
        Any :class:`Protocol`, also one that was registered from outside.
    table : pandas.DataFrame
        Clips table with the columns ``dataset``, ``subject`` and the protocol's label column.

    Returns
    -------
    list of Fold
        ``protocol.n_folds(table)`` folds, numbered from 0.

    Raises
    ------
    LeakageError
        If the protocol breaks its promise: a shared subject, a clip tested twice or never, a wrong number of
        folds.
    UsageError
        If the protocol cannot split this table.
    """
    folds: list[Fold] = []
    tested = np.zeros(len(table), dtype=np.int64)
    for number, fold in enumerate(protocol.split(table)):
        try:
            train, test = check_split(table, fold.train, fold.test, protocol.subject_independent)
        except LeakageError as error:
            raise LeakageError(f"fold {number} of protocol {protocol.name!r}: {error}") from error
        if fold.index != number:
            raise LeakageError(f"protocol {protocol.name!r} numbers its fold {fold.index}; expected {number}")
        tested[test] += 1
        folds.append(Fold(number, train, test))
    promised = protocol.n_folds(table)
    if len(folds) != promised:
        raise LeakageError(f"protocol {protocol.name!r} yields {len(folds)} folds; it promises {promised}")
    if protocol.tests_every_clip_once and np.any(tested != 1):
        never, often = np.flatnonzero(tested == 0).tolist(), np.flatnonzero(tested > 1).tolist()
        what = [f"rows {_listed(never)} never"] * bool(never) + [f"rows {_listed(often)} more than once"] * bool(often)
        raise LeakageError(
            f"protocol {protocol.name!r} promises to test every clip once, but tests {' and '.join(what)}"
        )
    return folds


def split_notes(protocol: Protocol, table: pd.DataFrame, folds: Sequence[Fold]) -> list[str]:
    """Say in plain sentences what a reader of the results should know about these folds; often nothing.

    Those of the protocol itself (:meth:`Protocol.notes`) come first. A class that a fold does not test, because too few
    subjects show it, makes that fold's figures hard to compare.

    Parameters
    ----------
    protocol, table : Protocol and pandas.DataFrame
        The arguments of :func:`folds_of`.
    folds : sequence of Fold
        The folds that it returned.
    """
    labels = class_labels(table, protocol.label)
    noun = protocol.noun.capitalize()
    notes = list(protocol.notes(table))
    if not protocol.tests_every_class:
        notes.append(f"One {protocol.noun} tests few clips and not every class: only pooled figures can be compared.")
    # In cross-data-set tests the target may not know a class of the source.
    testable = set(labels[np.concatenate([fold.test for fold in folds])].tolist())
    for name in np.unique(labels):
        absent = [str(fold.index + 1) for fold in folds if name not in labels[fold.test]]
        if absent and name not in testable:
            notes.append(f"No clip that is tested shows '{name}'.")
        elif absent and protocol.tests_every_class:
            many = len(absent) > 1
            notes.append(
                f"{noun}{'s' * many} {_listed(absent)} (of {len(folds)}) test{'s' * (not many)} no clip of "
                f"'{name}', which too few clips or subjects show: compare pooled figures, not single {protocol.noun}s."
            )
        untaught = [str(fold.index + 1) for fold in folds if name not in labels[fold.train]]
        if untaught:
            many = len(untaught) > 1
            notes.append(
                f"{noun}{'s' * many} {_listed(untaught)} train{'s' * (not many)} on no clip of '{name}', so it cannot "
                "be recognised there."
            )
    return notes
