"""Reading a run folder as it is found: whole, partial, or damaged in places.

Only ``run.json`` must be there and whole. Of everything else, what can be read is shown, and what cannot be read
becomes a sentence in :attr:`RunData.problems`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fleeting.reports.reading import FolderReader, as_dict, as_int, as_list, as_number, read_head

if TYPE_CHECKING:
    import os

__all__ = ["Prediction", "RunData", "Sample", "UnitData", "read_run"]

_MAX_IMAGE_BYTES = 4_000_000
_PNG, _JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"


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
    selection: dict[str, Any] = field(default_factory=dict)
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


def read_run(folder: str | os.PathLike[str]) -> RunData:
    """Read a run folder.

    Parameters
    ----------
    folder : str or os.PathLike
        The ``--out`` folder of an evaluation.

    Raises
    ------
    NotARunError
        If there is no ``run.json``, or it is damaged or of another format.
    """
    path = Path(folder)
    run = read_head(path, "run.json")
    problems: list[str] = []
    reader = _RunReader(path, problems)
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


class _RunReader(FolderReader):
    """Reads the parts of a run."""

    def unit(self, listed: dict[str, Any]) -> UnitData:
        key = str(listed.get("key", ""))
        fold, seed = as_int(listed.get("fold")) or 0, as_int(listed.get("seed")) or 0
        n_train, n_test = as_int(listed.get("n_train")), as_int(listed.get("n_test"))
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
            collapse_epoch=as_int(collapse.get("epoch")),
            majority_class=str(majority.get("class", "")),
            majority_accuracy=as_number(majority.get("accuracy")),
            seconds=as_number(done.get("seconds")),
            shared_subjects=tuple(sorted(trained & tested)),
            selection=as_dict(done.get("selection")),
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
