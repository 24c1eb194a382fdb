"""The base of all protocols: a rule that turns a clips table into folds."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from numbers import Integral
from typing import TYPE_CHECKING, Any, ClassVar

from fleeting.errors import UsageError
from fleeting.protocols.fold import Fold, IndexArray

if TYPE_CHECKING:
    import pandas as pd

    from fleeting.protocols.crossval import ProtocolSplitter

__all__ = ["Fold", "IndexArray", "Protocol"]


@dataclass(frozen=True)
class Protocol(ABC):
    """Base of all protocols: a named, seeded rule that splits a clips table.

    A subclass sets the class attributes, adds its own fields, and writes :meth:`split`;
    :func:`~fleeting.protocols.register_protocol` makes it known by name. Callers go through
    :func:`~fleeting.protocols.folds_of`, which checks each fold that a protocol yields against what the
    protocol promises.

    Parameters
    ----------
    seed : int, optional
        Random seed of every choice, from 0 to 2**32 - 1. Same table, same seed, same folds, whatever the order of the
        rows.
    label : str, optional
        Column of the table that holds the class.

    Attributes
    ----------
    name : str
        Name in the registry.
    subject_independent : bool
        If True, no subject is ever on both sides of a fold.
    tests_every_clip_once : bool
        If True, the test sides of all folds together are the table, each clip once.
    tests_every_class : bool
        If True, each fold is meant to test every class, so that single folds can be compared.
    noun : str
        Word for one train/test split: a fold of the table, or a split that was drawn by itself.
    scheme : str or None
        Label scheme that the clips need (:func:`fleeting.datasets.list_schemes`), taken where none is given; ``None``
        if any labels will do.
    blind : bool
        If True, test clips must not even be watched while a network trains.
    """

    name: ClassVar[str]
    subject_independent: ClassVar[bool]
    tests_every_clip_once: ClassVar[bool] = True
    tests_every_class: ClassVar[bool] = True
    noun: ClassVar[str] = "fold"
    scheme: ClassVar[str | None] = None
    blind: ClassVar[bool] = False

    seed: int = field(default=0, kw_only=True)
    label: str = field(default="emotion", kw_only=True)

    def __post_init__(self) -> None:
        self.require_whole("seed", 0, 2**32 - 1)

    def require_whole(self, field_name: str, least: int, most: int | None = None, usual: str = "") -> None:
        """Check that a field is a whole number in range, and make it an ``int``; for a subclass' ``__post_init__``.

        Parameters
        ----------
        field_name : str
            Name of the field.
        least, most : int and int or None
            Smallest and largest number that is allowed.
        usual : str, optional
            End of the message, such as ``", usually 5"``.

        Raises
        ------
        UsageError
            If it is anything else.
        """
        value = getattr(self, field_name)
        whole = isinstance(value, Integral) and not isinstance(value, bool)
        if not whole or value < least or (most is not None and value > most):
            limits = f"of at least {least}" if most is None else f"from {least} to {most}"
            raise UsageError(
                f"protocol {self.name!r} was given {field_name}={value!r}; it needs a whole number {limits}{usual}"
            )
        object.__setattr__(self, field_name, int(value))

    @abstractmethod
    def split(self, table: pd.DataFrame) -> Iterator[Fold]:
        """Yield the folds of ``table`` (columns ``dataset, subject, clip`` and the label column)."""

    def n_folds(self, table: pd.DataFrame) -> int:
        """Give the number of folds that :meth:`split` yields for ``table``.

        A protocol that knows it beforehand says so here, and is held to it; by default they are counted.
        """
        return sum(1 for _ in self.split(table))

    def sentence(self) -> str:
        """Say in a few words how the clips are split, as a report prints it."""
        return ""

    def notes(self, table: pd.DataFrame) -> list[str]:
        """Say in plain sentences how ``table`` differs from what the protocol is meant for; often none.

        :func:`~fleeting.protocols.split_notes` passes them on to the run's notes.
        """
        return []

    def options(self) -> dict[str, Any]:
        """Give all fields that can be given to :func:`~fleeting.protocols.create_protocol`, JSON-ready."""
        values = {item.name: getattr(self, item.name) for item in fields(self) if item.init}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}

    def describe(self) -> dict[str, Any]:
        """Give what a run folder stores about the protocol: its name, its options, its promises, and a sentence."""
        options = self.options()
        if options["label"] == "emotion":
            del options["label"]
        return {
            "name": self.name,
            **options,
            "subject_independent": self.subject_independent,
            "noun": self.noun,
            "sentence": self.sentence(),
        }

    def as_sklearn(self) -> ProtocolSplitter:
        """Give the same rule as a scikit-learn cross-validator, for ``cross_val_score(..., cv=...)``."""
        from fleeting.protocols.crossval import ProtocolSplitter

        return ProtocolSplitter(self)
