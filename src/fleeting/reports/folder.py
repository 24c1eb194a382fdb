"""Reading a run folder as it is found: whole, partial, or damaged in places.

Only ``run.json`` must be there and whole. Of everything else, what can be read is shown, and what cannot be read
becomes a sentence in :attr:`RunData.problems`.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fleeting.errors import FleetingError

if TYPE_CHECKING:
    import os

__all__ = ["NotARunError", "Prediction", "RunData", "Sample", "UnitData", "read_run"]

FORMAT = 1
_MAX_IMAGE_BYTES = 4_000_000
_PNG, _JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"


class NotARunError(FleetingError):
    """The folder holds no run, or one that cannot be read."""


@dataclass(frozen=True)
class Prediction:
    """One test clip of one unit; ``confidence`` is the probability of the answer, NaN where it is not recorded."""

    fold: int
    seed: int
    dataset: str
    subject: str
    clip: str
    label: str
    answer: str
    confidence: float

    @property
    def right(self) -> bool:
        """Whether the answer is the label."""
        return self.label == self.answer


@dataclass(frozen=True)
class UnitData:
    """One fold with one seed. Everything but the first five is empty until the unit is finished."""

    key: str
    fold: int
    seed: int
    n_train: int | None
    n_test: int | None
    finished: bool = False
    collapsed: bool = False
    reasons: tuple[str, ...] = ()
    collapse_epoch: int | None = None
    majority_class: str = ""
    majority_accuracy: float = math.nan
    seconds: float = math.nan
    shared_subjects: tuple[str, ...] = ()
    predictions: tuple[Prediction, ...] = ()
    history: tuple[dict[str, float], ...] = ()


@dataclass(frozen=True)
class Sample:
    """One film strip: the picture's bytes and what it shows."""

    mime: str
    content: bytes
    dataset: str
    subject: str
    clip: str
    emotion: str
    caption: str


@dataclass(frozen=True)
class RunData:
    """What a run folder holds, in plain values."""

    path: Path
    run: dict[str, Any]
    classes: list[str]
    units: list[UnitData]
    clips: list[dict[str, str]]
    skipped: list[dict[str, str]]
    samples: list[Sample]
    results: list[dict[str, str]]
    summary: dict[str, Any]
    problems: list[str] = field(default_factory=list)

    @property
    def config(self) -> dict[str, Any]:
        """What was asked for."""
        return as_dict(self.run.get("config"))


def as_dict(value: Any) -> dict[str, Any]:
    """``value`` if it is a dict, else an empty one."""
    return value if isinstance(value, dict) else {}


def as_list(value: Any) -> list[Any]:
    """``value`` if it is a list, else an empty one."""
    return value if isinstance(value, list) else []


def as_number(value: Any) -> float:
    """A float; NaN for what is none."""
    try:
        return float(value)
    except (TypeError, ValueError):
        return math.nan


def _as_int(value: Any) -> int | None:
    number = as_number(value)
    return int(number) if math.isfinite(number) else None


def read_run(folder: str | os.PathLike[str]) -> RunData:
    """Read a run folder.

    Parameters
    ----------
    folder : the ``--out`` folder of an evaluation.

    Raises
    ------
    NotARunError
        If there is no ``run.json``, or it is damaged or of another format.
    """
    path = Path(folder)
    run = _read_run_json(path)
    problems: list[str] = []
    reader = _Reader(path, problems)
    summary = as_dict(reader.json("summary.json", optional=True))
    return RunData(
        path=path,
        run=run,
        classes=[str(name) for name in as_list(run.get("classes"))],
        units=[reader.unit(as_dict(unit)) for unit in as_list(run.get("units"))],
        clips=reader.table("clips.csv", ["dataset", "subject", "clip", "emotion"]),
        skipped=reader.table("skipped.csv", ["dataset", "subject", "clip", "reason"]),
        samples=reader.samples(),
        results=reader.table("results.csv", ["scope", "accuracy"], optional=True),
        summary=summary,
        problems=problems,
    )


def _read_run_json(path: Path) -> dict[str, Any]:
    if not path.is_dir():
        found = "is a file" if path.is_file() else "does not exist"
        raise NotARunError(f"{path} {found}; expected the run folder that `fleeting evaluate --out` wrote")
    file = path / "run.json"
    try:
        run = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        inside = sorted(item.name for item in path.iterdir())
        found = ", ".join(inside[:5]) + (" …" if len(inside) > 5 else "") if inside else "nothing"
        raise NotARunError(
            f"{path} is not a run folder: it has no run.json (found: {found}); expected the folder that "
            "`fleeting evaluate --out` wrote"
        ) from None
    except (OSError, ValueError, RecursionError) as error:
        raise NotARunError(
            f"{file} cannot be read ({error}); expected JSON. Run the evaluation again into a new folder"
        ) from error
    if not isinstance(run, dict) or run.get("format") != FORMAT:
        stated = run.get("format") if isinstance(run, dict) else type(run).__name__
        raise NotARunError(
            f"{file} states run format {stated!r}; this version reads {FORMAT}: use the one that wrote it"
        )
    return run


class _Reader:
    """Reads files below one folder; what cannot be read is written down instead of raised."""

    def __init__(self, path: Path, problems: list[str]) -> None:
        self.path = path
        self.problems = problems

    def _text(self, name: str, optional: bool) -> str | None:
        try:
            return (self.path / name).read_text(encoding="utf-8-sig")
        except FileNotFoundError:
            if not optional:
                self.problems.append(f"{name} is missing.")
        except (OSError, ValueError) as error:
            self.problems.append(f"{name} cannot be read ({error}).")
        return None

    def json(self, name: str, optional: bool = False) -> Any:
        text = self._text(name, optional)
        if text is None:
            return None
        try:
            return json.loads(text)
        except (ValueError, RecursionError) as error:
            self.problems.append(f"{name} is damaged ({error}).")
            return None

    def table(self, name: str, required: Sequence[str], optional: bool = False) -> list[dict[str, str]]:
        text = self._text(name, optional)
        if text is None:
            return []
        rows: list[dict[str, str]] = []
        broken = 0
        try:
            parsed = csv.DictReader(StringIO(text, newline=""))
            missing = [column for column in required if column not in (parsed.fieldnames or [])]
            if missing:
                self.problems.append(f"{name} lacks the column{'s' * (len(missing) > 1)} {', '.join(missing)}.")
                return []
            for row in parsed:
                if None in row or any(value is None for value in row.values()):
                    broken += 1
                else:
                    rows.append(row)
        except csv.Error as error:
            self.problems.append(f"{name} is damaged after {len(rows)} rows ({error}).")
        if broken:
            self.problems.append(
                f"{name} is damaged: {broken} of {broken + len(rows)} rows are not whole and left out."
            )
        return rows

    def unit(self, listed: dict[str, Any]) -> UnitData:
        key = str(listed.get("key", ""))
        fold, seed = _as_int(listed.get("fold")) or 0, _as_int(listed.get("seed")) or 0
        n_train, n_test = _as_int(listed.get("n_train")), _as_int(listed.get("n_test"))
        if not key or Path(key).name != key or key in (".", ".."):
            self.problems.append(f"run.json lists a unit with the impossible key {key!r}.")
            return UnitData(key, fold, seed, n_train, n_test)
        done = as_dict(self.json(f"units/{key}/unit.json", optional=True))
        if done.get("key") != key:
            return UnitData(key, fold, seed, n_train, n_test)
        collapse, majority = as_dict(done.get("collapse")), as_dict(done.get("majority"))
        trained = {str(name) for name in as_list(done.get("train_subjects"))}
        tested = {str(name) for name in as_list(done.get("test_subjects"))}
        return UnitData(
            key,
            fold,
            seed,
            n_train,
            n_test,
            finished=True,
            collapsed=collapse.get("collapsed") is True,
            reasons=tuple(str(reason) for reason in as_list(collapse.get("reasons"))),
            collapse_epoch=_as_int(collapse.get("epoch")),
            majority_class=str(majority.get("class", "")),
            majority_accuracy=as_number(majority.get("accuracy")),
            seconds=as_number(done.get("seconds")),
            shared_subjects=tuple(sorted(trained & tested)),
            predictions=tuple(self._predictions(key, fold, seed)),
            history=tuple(
                {name: as_number(value) for name, value in row.items()}
                for row in self.table(f"units/{key}/history.csv", ["epoch"])
            ),
        )

    def _predictions(self, key: str, fold: int, seed: int) -> list[Prediction]:
        required = ["dataset", "subject", "clip", "label", "prediction"]
        rows = self.table(f"units/{key}/predictions.csv", required)
        found = []
        for row in rows:
            dataset, subject, clip, label, answer = (row[name] for name in required)
            confidence = as_number(row.get(f"p_{answer}"))
            found.append(Prediction(fold, seed, dataset, subject, clip, label, answer, confidence))
        return found

    def samples(self) -> list[Sample]:
        if not (self.path / "samples" / "samples.csv").exists():
            return []
        found = []
        for row in self.table("samples/samples.csv", ["file"]):
            name = row["file"]
            file = self.path / "samples" / name
            # The page embeds what it is told to: only plain names of real pictures in the folder itself.
            if not name or Path(name).name != name or "\\" in name:
                self.problems.append(f"samples/samples.csv names {name!r}, which is not a file of its folder.")
                continue
            try:
                too_big = file.stat().st_size > _MAX_IMAGE_BYTES
                content = b"" if too_big else file.read_bytes()
            except OSError as error:
                self.problems.append(f"samples/{name} cannot be read ({error.strerror or error}).")
                continue
            mime = "image/png" if content.startswith(_PNG) else "image/jpeg" if content.startswith(_JPEG) else ""
            if not mime:
                what = "larger than 4 MB" if too_big else "neither PNG nor JPEG"
                self.problems.append(f"samples/{name} is {what} and left out.")
                continue
            said = {key: row.get(key) or "" for key in ("dataset", "subject", "clip", "emotion", "caption")}
            found.append(Sample(mime, content, **said))
        return found
