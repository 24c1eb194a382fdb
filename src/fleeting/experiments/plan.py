"""From sequences to a run folder that says what is to be done: folds, units, ``run.json``."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import ValidationError

from fleeting.clips import Clip
from fleeting.errors import UsageError
from fleeting.experiments.config import ExperimentConfig, Unit, unit_key
from fleeting.experiments.machine import machine, versions
from fleeting.experiments.observer import Observer
from fleeting.experiments.prepare import PreparedData, prepare_clips
from fleeting.experiments.run import RunFolder
from fleeting.experiments.selection import nothing_chosen
from fleeting.experiments.unit import FoldSide, TrainingJob, UnitJob
from fleeting.files import write_atomic
from fleeting.models import create_model, model_info
from fleeting.protocols import Fold, Protocol, create_protocol, folds_of, split_notes
from fleeting.records import (
    ListedUnit,
    ModelPart,
    ProtocolPart,
    PublishedScore,
    RecipePart,
    RecordError,
    RunConfig,
    RunHead,
    SampleRow,
    SelectionPart,
    SkippedRow,
    TrainingPart,
    UnitRecord,
    explain_invalid,
    write_frame,
)
from fleeting.renamed import renamed_argument
from fleeting.sequences import Recipe, SequenceSet
from fleeting.training.device import device_for

if TYPE_CHECKING:
    import os

    from numpy.typing import NDArray

__all__ = ["StartedRun", "job_of", "model_shape", "start_run"]

SAMPLES_PER_CLASS = 2


@dataclass(frozen=True)
class StartedRun:
    """A run whose sequences, folds and ``run.json`` stand, and what is left to do.

    Attributes
    ----------
    run : RunFolder
        Its folder.
    todo : list of UnitJob
        The units that are not finished; :func:`run_units` takes those of several runs together.
    n_units : int
        All units.
    """

    run: RunFolder
    todo: list[UnitJob]
    n_units: int


@renamed_argument("store", "cache")
def start_run(
    config: ExperimentConfig,
    out: str | os.PathLike[str],
    *,
    clips: Sequence[Clip] | None = None,
    prepared: PreparedData | None = None,
    jobs: int | None = 1,
    cache: str | os.PathLike[str] | None = None,
    observer: Observer | None = None,
    samples: bool = True,
) -> StartedRun:
    """Do everything of :func:`evaluate` that comes before training; same parameters, same errors.

    ``prepared`` spares the preparation when runs share data, classes and recipe. A finished unit whose predictions are
    damaged is trained again; ``observer`` is told which.
    """
    observer = observer or Observer()
    run = RunFolder(out)
    # A misspelt option, an absent card or a folder of somebody else is to be told before sequences are made for minutes.
    protocol = create_protocol(config.protocol, **config.protocol_options)
    device_for(config.training, config.device)
    if config.watch and protocol.blind:
        raise UsageError(
            f"protocol {protocol.name!r} never looks at test clips before training has ended, so they cannot be watched; "
            "leave --watch out, or watch under another protocol, such as subject-kfold"
        )
    run.claim()
    prepared = prepared or prepare_clips(config, clips=clips, cache=cache, jobs=jobs, observer=observer)
    table = prepared.sequences.table()
    folds = folds_of(protocol, table)
    units = [_unit(config, prepared, fold, seed) for fold in folds for seed in config.seeds]
    notes = [*_notes(config, prepared), *split_notes(protocol, table, folds), *prepared.notes]
    try:
        head = _head(run, config, prepared, protocol, units, notes)
    except ValidationError as exc:
        raise UsageError(f"this run cannot be written down: {explain_invalid(exc)}") from exc
    run.begin(head)
    write_frame(run.path / "clips.csv", table)
    SkippedRow.write_all(run.path / "skipped.csv", prepared.skipped)
    if samples:
        _write_samples(run, prepared.sequences)
    whole = {unit.key for unit in head.units if _is_whole(run, unit, observer)}
    todo = [job_of(config, prepared, run, unit) for unit in units if unit.key not in whole]
    return StartedRun(run, todo, len(units))


def _is_whole(run: RunFolder, unit: ListedUnit, observer: Observer) -> bool:
    """Tell whether a unit is finished and its predictions are those that it made."""
    path = run.unit_folder(unit.key) / "unit.json"
    if not path.exists():
        return False
    try:
        run.answers(UnitRecord.read(path), unit)
    except RecordError as exc:
        observer.say(f"Unit {unit.key} is trained again: {exc.path.name} {exc.found}")
        # The old record would vouch for the new files.
        with suppress(OSError):
            path.unlink()
        return False
    return True


def _head(
    run: RunFolder,
    config: ExperimentConfig,
    prepared: PreparedData,
    protocol: Protocol,
    units: Sequence[Unit],
    notes: Sequence[str],
) -> RunHead:
    rule = config.selection
    return RunHead(
        kind="evaluate",
        name=run.path.resolve().name,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        config=RunConfig(
            data=config.data,
            synthetic=prepared.synthetic,
            scheme=config.effective_scheme,
            recipe=RecipePart(**config.recipe.model_dump(mode="json")),
            recipe_hash=prepared.sequences.cache.folder.name,
            model=_model_part(config, model_shape(config.recipe, len(prepared.classes))),
            training=TrainingPart(**config.effective_training.model_dump(mode="json")),
            protocol=ProtocolPart(**protocol.describe()),
            seeds=config.seeds,
            device=config.device,
            watch=config.watch,
            selection=SelectionPart(
                sentence=_selection_sentence(config), **({} if rule is None else rule.model_dump(mode="json"))
            ),
        ),
        classes=prepared.classes,
        units=tuple(
            ListedUnit(key=u.key, fold=u.fold, seed=u.seed, n_train=len(u.train), n_test=len(u.test)) for u in units
        ),
        versions=versions(),
        machine=machine(),
        notes=tuple(notes),
    )


def _model_part(config: ExperimentConfig, shape: dict[str, int]) -> ModelPart:
    model = create_model(config.model, **shape, **config.model_options)
    return ModelPart(
        name=config.model,
        options=json.loads(json.dumps(config.model_options)),
        **_source(config),
        shape=shape,
        n_parameters=sum(p.numel() for p in model.parameters() if p.requires_grad),
        # For the page to print beside the measured figures.
        published=tuple(PublishedScore(**asdict(score)) for score in model_info(config.model).published),
    )


def model_shape(recipe: Recipe, n_classes: int) -> dict[str, int]:
    """Give the sizes of a network for a recipe's sequences, as :func:`~fleeting.models.create_model` takes them."""
    return {
        "n_classes": n_classes,
        "n_frames": recipe.frames,
        "height": recipe.height,
        "width": recipe.width,
        "in_channels": recipe.channels,
    }


def _source(config: ExperimentConfig) -> dict[str, str]:
    """Which version of a network from outside this is; nothing for ours."""
    source = model_info(config.model).source
    return {} if source is None else {"source": source}


def _unit(config: ExperimentConfig, prepared: PreparedData, fold: Fold, seed: int) -> Unit:
    sequences = prepared.sequences
    labels = sequences.labels()

    def side(positions: NDArray[np.int64]) -> list[list[str]]:
        return [[sequences.keys[i], str(labels[i])] for i in positions]

    content: dict[str, Any] = {
        "recipe": sequences.cache.folder.name,
        "model": [config.model, config.model_options, *_source(config).values()],
        "training": config.effective_training.model_dump(mode="json"),
        "classes": prepared.classes,
        "device": config.device,
        "watch": config.watch,
        "train": side(fold.train),
        "test": side(fold.test),
    }
    if config.selection is not None:
        content["selection"] = config.selection.model_dump(mode="json")
        # The inner split goes by people.
        content["people"] = [f"{sequences.clips[i].dataset}/{sequences.clips[i].subject}" for i in fold.train]
    return Unit(
        unit_key(fold.index, seed, content | {"seed": seed}),
        fold.index,
        seed,
        tuple(int(i) for i in fold.train),
        tuple(int(i) for i in fold.test),
    )


def job_of(config: ExperimentConfig, prepared: PreparedData, run: RunFolder, unit: Unit) -> UnitJob:
    """Give all that a worker process needs for a unit."""
    sequences = prepared.sequences
    paths, labels = sequences.paths(), sequences.labels()

    def side(positions: tuple[int, ...]) -> FoldSide:
        clips = [sequences.clips[i] for i in positions]
        return FoldSide(
            tuple(paths[i] for i in positions),
            tuple(str(labels[i]) for i in positions),
            tuple((clip.dataset, clip.subject, clip.name) for clip in clips),
        )

    test = side(unit.test)
    training_job = TrainingJob(
        key=unit.key,
        seed=unit.seed,
        folder=run.unit_folder(unit.key),
        side=side(unit.train),
        classes=prepared.classes,
        model=config.model,
        shape=model_shape(config.recipe, len(prepared.classes)),
        model_options=config.model_options,
        training=config.effective_training,
        recipe=config.recipe.model_dump(mode="json"),
        selection=config.selection,
        device=config.device,
        extra={
            "data": list(config.data),
            "synthetic": any(prepared.synthetic),
            "fps": _typical_fps(sequences.clips),
            # Who must not be shown to the model as if they were strangers; names only.
            "test_subjects": test.subjects(),
        },
    )
    return UnitJob(unit.fold, training_job, test, watch=config.watch)


def _selection_sentence(config: ExperimentConfig) -> str:
    rule = config.selection
    what = nothing_chosen(config.training) if rule is None else rule.sentence()
    seen = (
        "test clips were watched after each epoch, which decided nothing"
        if config.watch
        else "test clips were predicted once, after training"
    )
    return f"{what}; {seen}"


def _typical_fps(clips: Sequence[Clip]) -> float | None:
    known = [clip.fps for clip in clips if clip.fps]
    return float(np.median(known)) if known else None


def _notes(config: ExperimentConfig, prepared: PreparedData) -> list[str]:
    sequences = prepared.sequences
    notes = config.recipe.describe()
    sources = Counter(info.get("apex_source", "") for info in sequences.infos)
    if guessed := sources["spotted"] + sources["middle"]:
        notes.append(
            f"{guessed} of {len(sequences)} clips have no annotated apex; theirs was spotted or set to the middle."
        )
    if config.watch:
        notes.append("Test clips were watched after each epoch; the watching was only shown, never used to choose.")
    if any(prepared.synthetic):
        notes.append("The clips are synthetic: a score on them says nothing about real people.")
    return notes


def _write_samples(run: RunFolder, sequences: SequenceSet) -> None:
    """Write a few film strips of each class for the report."""
    import cv2

    folder = run.path / "samples"
    taken: Counter[str] = Counter()
    subjects: set[str] = set()
    rows: list[SampleRow] = []
    for index, clip in enumerate(sequences.clips):
        emotion = str(clip.emotion)
        # Different people, where there are enough of them.
        if taken[emotion] >= SAMPLES_PER_CLASS or (f"{clip.dataset}/{clip.subject}" in subjects and index < 200):
            continue
        strip = sequences.recipe.picture(sequences[index])
        if strip is None:
            continue
        taken[emotion] += 1
        subjects.add(f"{clip.dataset}/{clip.subject}")
        name = f"{len(rows):02d}.png"
        ok, png = cv2.imencode(".png", strip[..., ::-1])
        assert ok
        content = png.tobytes()
        write_atomic(folder / name, lambda file, content=content: file.write(content))  # type: ignore[misc]
        shown = sequences.recipe.picture_caption(sequences.infos[index], len(clip))
        rows.append(
            SampleRow(
                file=name,
                dataset=clip.dataset,
                subject=clip.subject,
                clip=clip.name,
                emotion=emotion,
                caption=f"{clip.key}: {emotion}. {shown}",
            )
        )
    SampleRow.write_all(folder / "samples.csv", rows)
