"""The run folder: where a run's configuration, finished units, results and report stand."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from fleeting.errors import FleetingError, ModelFileError, PartialRunError, UsageError
from fleeting.records import (
    ListedUnit,
    PredictionRow,
    RecordError,
    RunHead,
    UnitRecord,
    WatchedAnswers,
    claim_folder,
    read_predictions,
)

if TYPE_CHECKING:
    from fleeting.training import TrainedModel

__all__ = ["RunFolder", "load_models"]

_HEAD = "run.json"

# What may differ between two calls that ask for the same run: time and place, and words about what is compared anyhow.
_INCIDENTAL = ("created", "versions", "machine", "name", "notes")
_WORDS = ("config.protocol.sentence", "config.selection.sentence", "config.model.published")


class RunFolder:
    """A run on disk.

    Parameters
    ----------
    path : str or os.PathLike
        The folder; it need not exist yet.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)

    @property
    def exists(self) -> bool:
        """True if a run was begun here."""
        return os.path.isfile(self.path / _HEAD)  # noqa: PTH113 - False for every odd path, where Path raises

    def read(self) -> RunHead:
        """Read ``run.json``.

        Raises
        ------
        FleetingError
            If this is no run folder, or the file is damaged.
        """
        path = self.path / _HEAD
        # What is no file, such as a pipe, is named by the reading.
        if not os.path.lexists(path):
            raise FleetingError(
                f"{self.path}: not a run folder (no run.json); expected the --out folder of `fleeting evaluate`, or of a "
                "study or a sweep"
            )
        return RunHead.read(path)

    def claim(self) -> bool:
        """Take the folder for a run.

        Returns
        -------
        bool
            Whether a run was begun in it.

        Raises
        ------
        UsageError
            If it holds other files, or is a file.
        FleetingError
            If it cannot be written to.
        """
        return claim_folder(self.path, _HEAD)

    def begin(self, head: RunHead) -> None:
        """Write ``run.json``, or check that it asks for the same run.

        Raises
        ------
        UsageError
            If the folder holds another run (says what differs), or other files.
        """
        if not self.claim():
            head.write(self.path / _HEAD)
            return
        old, new = _flat(self.read().to_json()), _flat(head.to_json())
        differing = sorted(name for name in old.keys() | new.keys() if old.get(name) != new.get(name))
        if differing:
            shown = "; ".join(f"{n}: {old.get(n)!r} there, {new.get(n)!r} now" for n in differing[:4])
            more = f" and {len(differing) - 4} more" if len(differing) > 4 else ""
            raise UsageError(
                f"{self.path}: holds another run ({shown}{more}). Choose another --out, or ask for the same run to "
                "resume it"
            )

    def unit_folder(self, key: str) -> Path:
        """Give the folder of the unit with this key."""
        return self.path / "units" / key

    def finished(self, key: str) -> UnitRecord | None:
        """Read a unit's ``unit.json``; ``None`` if the unit is not finished."""
        try:
            unit = UnitRecord.read(self.unit_folder(key) / "unit.json")
        except RecordError:
            return None
        return unit if unit.key == key else None

    def units(self) -> list[UnitRecord]:
        """Read the records of all finished units, in the order of ``run.json``."""
        return [done for unit in self.read().units if (done := self.finished(unit.key)) is not None]

    def missing(self) -> list[str]:
        """Keys of the units that are not finished."""
        return [unit.key for unit in self.read().units if self.finished(unit.key) is None]

    def answers(self, unit: UnitRecord, listed: ListedUnit | None = None) -> list[PredictionRow]:
        """Read the predictions of a finished unit, and check that they are those that it made.

        Parameters
        ----------
        unit : UnitRecord
            The unit.
        listed : ListedUnit or None, optional
            The same unit as ``run.json`` lists it, which it must agree with.

        Raises
        ------
        RecordError
            If they cannot be read, rows were lost or repeated, or it is another file; names the unit.
        """
        if listed is not None:
            for name, expected in listed:
                found = getattr(unit, name)
                if expected is not None and found != expected:
                    path = self.unit_folder(unit.key) / "unit.json"
                    raise RecordError(path, f"{name}: found {found}; run.json lists {expected}", unit.remedy)
        return read_predictions(self.unit_folder(unit.key) / "predictions.csv", unit)

    def watched(self, unit: UnitRecord) -> WatchedAnswers:
        """Read the answers of a finished unit after each epoch, about the clips of its predictions and in their order.

        Raises
        ------
        UsageError
            If the run's test clips were not watched.
        RecordError
            If they cannot be read, or are about other clips.
        """
        path = self.unit_folder(unit.key) / "watched.csv"
        if not path.exists():
            raise UsageError(f"{path}: not there; the run was made without watching its test clips")
        clips = [f"{row.dataset}/{row.subject}/{row.clip}" for row in self.answers(unit)]
        return WatchedAnswers.read(path, clips=clips)

    def predictions(self, *, allow_partial: bool = False) -> pd.DataFrame:
        """Read all finished units' predictions.

        Parameters
        ----------
        allow_partial : bool, optional
            If True, units that are not finished are left out.

        Returns
        -------
        pandas.DataFrame
            Columns ``fold, seed, dataset, subject, clip, label, prediction`` and ``p_<class>`` for each class.

        Raises
        ------
        PartialRunError
            If units are missing and ``allow_partial`` is not set, or none is finished.
        RecordError
            If the predictions of a finished unit are not those that it made.
        """
        head = self.read()
        missing = self.missing()
        if missing and not allow_partial:
            raise PartialRunError(
                f"{self.path}: {len(missing)} of {len(head.units)} units are not finished ({', '.join(missing[:5])}); run "
                "the same evaluate command again to finish them, or ask for a partial result (--partial)"
            )
        rows: list[dict[str, Any]] = []
        for unit in head.units:
            if (done := self.finished(unit.key)) is not None:
                rows += self._rows_of(head, unit, done)
        if not rows:
            raise PartialRunError(f"{self.path}: no unit is finished yet; run the same evaluate command again")
        return pd.DataFrame(rows)

    def _rows_of(self, head: RunHead, unit: ListedUnit, done: UnitRecord) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = []
        for row in self.answers(done, unit):
            unknown = {row.label, row.prediction}.difference(head.classes)
            if unknown:
                raise RecordError(
                    self.unit_folder(unit.key) / "predictions.csv",
                    f"names {', '.join(sorted(unknown))}; the run's classes are {', '.join(head.classes)}",
                    done.remedy,
                )
            names = row.model_dump(exclude={"probabilities"})
            shares = {f"p_{name}": share for name, share in row.probabilities.items()}
            rows.append({"fold": unit.fold, "seed": unit.seed, **names, **shares})
        return rows


def _flat(value: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, item in value.items():
        place = f"{prefix}{name}"
        if place in _INCIDENTAL or place in _WORDS:
            continue
        if isinstance(item, dict):
            flat |= _flat(item, f"{place}.")
        else:
            flat[place] = item
    return flat


def load_models(path: str | os.PathLike[str]) -> list[TrainedModel]:
    """Load the trained models at ``path``: one for a model file or folder, one per finished unit for a run folder.

    Raises
    ------
    ModelFileError
        If there is no model, or it is damaged.
    """
    from fleeting.training import load_model

    run = RunFolder(path)
    if not run.exists:
        return [load_model(path)]
    folders = [run.unit_folder(unit.key) for unit in run.units()]
    if not folders:
        raise ModelFileError(f"{run.path}: a run without finished units; run the same evaluate command again")
    return [load_model(folder) for folder in folders]
