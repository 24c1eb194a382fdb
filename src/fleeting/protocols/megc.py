"""The protocols of the Facial Micro-Expressions Grand Challenges: the composite, and a data set held out.

See et al. 2019, *MEGC 2019: The Second Facial Micro-Expressions Grand Challenge* (FG), for the composite data base
evaluation; Yap et al. 2018, *Facial Micro-Expressions Grand Challenge 2018 Summary* (FG), for the hold-out data base one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pandas as pd

from fleeting.datasets.composites import composite_exclusions, composite_subjects, people_of
from fleeting.datasets.schemes import published_counts, scheme_classes
from fleeting.errors import UsageError
from fleeting.protocols.base import Fold, Protocol
from fleeting.protocols.guard import class_counts, class_labels, same_people, subject_codes
from fleeting.protocols.kfold import LeaveOneSubjectOutProtocol
from fleeting.protocols.registry import register_protocol

__all__ = ["CompositeProtocol", "HoldoutDatasetProtocol"]

SCHEME = "megc2019"
_TITLE = "MEGC 2019 composite"


@register_protocol("cde")
@dataclass(frozen=True)
class CompositeProtocol(LeaveOneSubjectOutProtocol):
    """Composite data base evaluation (CDE) of MEGC 2019: leave one subject out over all data sets together.

    The composite has 442 clips of 68 people: SMIC-HS (164 of 16), CASME II (145 of 24) and SAMM (133 of 28), labelled
    negative, positive and surprise. A person is a pair (data set, subject). Every person is tested once, by a network
    that learnt from everybody else of *all* sets; the challenge's figures are UF1 and UAR of all answers pooled, over all
    and for each data set.

    ``loso`` splits alike, but takes any classes and any data sets, and does not say how they differ from the
    composite. Here the classes must be the composite's, no two data sets may show the same people, and :meth:`notes` lists
    every deviation of the clips given from the composite.

    Raises
    ------
    UsageError
        On :meth:`split`, as for ``loso``; also if a class of the composite is missing or there is another one, or two data
        sets show the same people.
    """

    scheme: ClassVar[str | None] = SCHEME
    blind: ClassVar[bool] = True

    def split(self, table: pd.DataFrame) -> Iterator[Fold]:
        """Yield a fold for each subject, in the order of data set and subject."""
        _check_classes(self, table)
        _check_people(self, table)
        yield from super().split(table)

    def notes(self, table: pd.DataFrame) -> list[str]:
        """Name every deviation of the clips from the composite; one sentence that there is none if it is complete."""
        return _deviations(table, self.label)

    def sentence(self) -> str:
        """Say what a fold is."""
        return (
            "composite data base evaluation (CDE), leave one subject out over all data sets: one fold per person, no person "
            "in training and test"
        )


@register_protocol("hde")
@dataclass(frozen=True)
class HoldoutDatasetProtocol(Protocol):
    """Hold-out data base evaluation (HDE): test each data set by a network that learnt from all the others.

    One fold per data set, in the order of their names. It asks how well a network fares with other people, another camera
    and another laboratory at once. Nothing is drawn, so ``seed`` changes nothing.

    Raises
    ------
    UsageError
        On :meth:`split`, if there are fewer than two data sets, a class of the composite is missing or there is another
        one, two data sets show the same people, or one training side shows one class only.
    """

    subject_independent: ClassVar[bool] = True
    scheme: ClassVar[str | None] = SCHEME
    blind: ClassVar[bool] = True

    def n_folds(self, table: pd.DataFrame) -> int:
        """Count the data sets."""
        return int(table["dataset"].astype(str).nunique())

    def split(self, table: pd.DataFrame) -> Iterator[Fold]:
        """Yield a fold for each data set."""
        labels = _check_classes(self, table)
        subject_codes(table)
        _check_people(self, table)
        datasets = table["dataset"].astype(str).to_numpy()
        names = sorted(set(datasets.tolist()))
        if len(names) < 2:
            raise UsageError(
                f"protocol {self.name!r} found one data set only ({names[0]}); it trains on all but one and needs at least "
                "two: give --data several times, or use 'cde' or 'loso'"
            )
        for index, name in enumerate(names):
            train, test = np.flatnonzero(datasets != name), np.flatnonzero(datasets == name)
            left = np.unique(labels[train])
            if len(left) < 2:
                raise UsageError(
                    f"protocol {self.name!r}: without {name} only the class {str(left[0])!r} is left to learn from; give "
                    "another data set"
                )
            yield Fold(index, train, test)

    def notes(self, table: pd.DataFrame) -> list[str]:
        """Name every deviation of the clips from the composite; one sentence that there is none if it is complete."""
        return _deviations(table, self.label)

    def sentence(self) -> str:
        """Say what a fold is."""
        return "hold out a data set (HDE): each is tested by a network that learnt from all the others"


def _check_classes(protocol: Protocol, table: pd.DataFrame) -> np.ndarray[tuple[int], np.dtype[np.str_]]:
    """The labels, if they are those of the composite and each occurs."""
    labels = class_labels(table, protocol.label)
    found, counts = class_counts(protocol, labels)
    expected = scheme_classes(SCHEME)
    foreign = [name for name in found if name not in expected]
    if foreign:
        raise UsageError(
            f"protocol {protocol.name!r} found the label{'s' * (len(foreign) > 1)} {', '.join(map(repr, foreign))}; the "
            f"composite has the classes {', '.join(expected)}. Use the label scheme {SCHEME!r}, or the protocol 'loso' for "
            "other classes"
        )
    absent = [name for name in expected if name not in found]
    if absent:
        here = ", ".join(f"{count} {name}" for name, count in zip(found, counts))
        raise UsageError(
            f"protocol {protocol.name!r} found no clip of {', '.join(map(repr, absent))} ({here}); the composite has the "
            f"classes {', '.join(expected)}. Check what was skipped and why, or use 'loso' for other classes"
        )
    return labels


def _check_people(protocol: Protocol, table: pd.DataFrame) -> None:
    for group in same_people(table):
        raise UsageError(
            f"protocol {protocol.name!r} was given {' and '.join(group)}, which show the same people, so one of them would "
            "be tested by a network that knows its people from another; give one of them only"
        )


def _deviations(table: pd.DataFrame, label: str) -> list[str]:
    people, published, excluded = composite_subjects(SCHEME), published_counts(SCHEME), composite_exclusions(SCHEME)
    n_clips, n_people = sum(published.values()), sum(people.values())
    datasets = table["dataset"].astype(str)
    present = sorted(set(datasets))
    told: list[str] = []
    for name in people:
        if name not in present:
            size = sum(count for (dataset, _), count in published.items() if dataset == name)
            told.append(f"{name} is absent, which has {size} clips of {people[name]} people in the composite.")
    for name in present:
        if name not in people:
            kin = [other for other in people if people_of(other) == people_of(name)]
            instead = f"; of these people it takes {kin[0]}" if kin else ""
            told.append(f"{name} is no part of the composite{instead}.")
            continue
        own = table[(datasets == name).to_numpy()]
        counts = Counter(own[label].astype(str))
        differing = [
            f"{counts[word]} {word} instead of {count}"
            for (dataset, word), count in published.items()
            if dataset == name and counts[word] != count
        ]
        if differing:
            told.append(f"{name} shows {', '.join(differing)}.")
        subjects = int(own["subject"].astype(str).nunique())
        if subjects != people[name]:
            told.append(f"{name} shows {subjects} people instead of {people[name]}.")
    if "clip" in table.columns:
        for row in zip(datasets, table["subject"].astype(str), table["clip"].astype(str)):
            if row in excluded:
                told.append(f"{'/'.join(row)} is here, which the composite leaves out ({excluded[row]}).")
    if not told:
        return [
            f"The clips have all numbers of the {_TITLE}: {n_clips} clips, {n_people} subjects, each class in each set."
        ]
    head = (
        f"The clips are not the whole {_TITLE} of {n_clips} clips and {n_people} subjects, so figures are not those of the "
        "challenge; the deviations follow."
    )
    return [head, *(f"Composite: {sentence}" for sentence in told)]
