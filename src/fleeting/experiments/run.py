"""The run folder: where a run's configuration, finished units, results and report stand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from fleeting.errors import FleetingError, ModelFileError, PartialRunError, UsageError
from fleeting.files import write_json

if TYPE_CHECKING:
    import os

    from fleeting.training import TrainedModel

FORMAT = 1

# What may differ between two calls that ask for the same run.
_INCIDENTAL = ("created", "versions", "machine", "name")


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
        """Whether a run was begun here."""
        return (self.path / "run.json").is_file()

    def read(self) -> dict[str, Any]:
        """The content of ``run.json``.

        Raises
        ------
        FleetingError
            If this is no run folder, or the file is damaged.
        """
        path = self.path / "run.json"
        try:
            run = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise FleetingError(
                f"{self.path}: not a run folder (no run.json); expected the --out folder of `fleeting evaluate`, or of a "
                "study or a sweep"
            ) from None
        except (OSError, ValueError) as exc:
            raise FleetingError(f"{path}: cannot be read ({exc}); run the evaluation again into a new folder") from exc
        if not isinstance(run, dict) or run.get("format") != FORMAT:
            found = run.get("format") if isinstance(run, dict) else type(run).__name__
            raise FleetingError(
                f"{path}: run format {found!r}, this version reads {FORMAT}; use the version that wrote it"
            )
        return run

    def begin(self, run: dict[str, Any]) -> None:
        """Write ``run.json``, or check that it asks for the same run.

        Raises
        ------
        UsageError
            If the folder holds another run (says what differs), or other files.
        """
        if not self.exists:
            if self.path.is_dir() and any(self.path.iterdir()):
                raise UsageError(
                    f"{self.path}: holds other files and no run; expected a new or empty folder. Choose another --out"
                )
            write_json(self.path / "run.json", run)
            return
        old, new = _flat(self.read()), _flat(json.loads(json.dumps(run)))
        differing = sorted(name for name in old.keys() | new.keys() if old.get(name) != new.get(name))
        if differing:
            shown = "; ".join(f"{n}: {old.get(n)!r} there, {new.get(n)!r} now" for n in differing[:4])
            more = f" and {len(differing) - 4} more" if len(differing) > 4 else ""
            raise UsageError(
                f"{self.path}: holds another run ({shown}{more}). Choose another --out, or ask for the same run to "
                "resume it"
            )

    def unit_folder(self, key: str) -> Path:
        """Where the unit with this key is kept."""
        return self.path / "units" / key

    def finished(self, key: str) -> dict[str, Any] | None:
        """The unit's ``unit.json``, or ``None`` if the unit is not finished."""
        try:
            unit = json.loads((self.unit_folder(key) / "unit.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return unit if isinstance(unit, dict) and unit.get("key") == key else None

    def missing(self) -> list[str]:
        """Keys of the units that are not finished."""
        return [unit["key"] for unit in self.read()["units"] if self.finished(unit["key"]) is None]

    def predictions(self, *, allow_partial: bool = False) -> pd.DataFrame:
        """All finished units' predictions, with the columns ``fold`` and ``seed`` in front.

        Raises
        ------
        PartialRunError
            If units are missing and ``allow_partial`` is not set, or none is finished.
        """
        missing = self.missing()
        units = self.read()["units"]
        if missing and not allow_partial:
            raise PartialRunError(
                f"{self.path}: {len(missing)} of {len(units)} units are not finished ({', '.join(missing[:5])}); run "
                "the same evaluate command again to finish them, or ask for a partial result (--partial)"
            )
        tables = []
        for unit in units:
            if unit["key"] in missing:
                continue
            path = self.unit_folder(unit["key"]) / "predictions.csv"
            try:
                # Names such as "001" and "NA" are text, whatever they look like.
                table = pd.read_csv(path, dtype=dict.fromkeys(_TEXT, str), keep_default_na=False)
            except (OSError, ValueError) as exc:
                raise FleetingError(f"{path}: cannot be read ({exc}); delete its folder and run again") from exc
            table.insert(0, "fold", unit["fold"])
            table.insert(1, "seed", unit["seed"])
            tables.append(table)
        if not tables:
            raise PartialRunError(f"{self.path}: no unit is finished yet; run the same evaluate command again")
        return pd.concat(tables, ignore_index=True)


_TEXT = ("dataset", "subject", "clip", "label", "prediction")


def _flat(value: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, item in value.items():
        if not prefix and name in _INCIDENTAL:
            continue
        if isinstance(item, dict):
            flat |= _flat(item, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = item
    return flat


def load_models(path: str | os.PathLike[str]) -> list[TrainedModel]:
    """The trained models at ``path``: one for a model file or folder, one a finished unit for a run folder.

    Raises
    ------
    ModelFileError
        If there is no model, or it is damaged.
    """
    from fleeting.training import load_model

    run = RunFolder(path)
    if not run.exists:
        return [load_model(path)]
    folders = [run.unit_folder(unit["key"]) for unit in run.read()["units"] if run.finished(unit["key"])]
    if not folders:
        raise ModelFileError(f"{run.path}: a run without finished units; run the same evaluate command again")
    return [load_model(folder) for folder in folders]
