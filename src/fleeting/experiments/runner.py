"""Run an experiment: clips → sequences → folds → units → results, resuming whatever is there."""

from __future__ import annotations

import multiprocessing
import threading
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fleeting.clips import Clip
from fleeting.datasets import apply_scheme, left_out, load_with_problems, open_dataset
from fleeting.errors import CollapseWarning, FleetingError, UsageError
from fleeting.experiments.aggregate import aggregate
from fleeting.experiments.config import ExperimentConfig, Unit, unit_key
from fleeting.experiments.machine import machine, versions
from fleeting.experiments.run import FORMAT, RunFolder
from fleeting.experiments.selection import nothing_chosen
from fleeting.experiments.unit import FoldSide, OnEpoch, TrainingJob, UnitJob, fit, run_unit
from fleeting.files import write_atomic, write_csv
from fleeting.models import create_model, model_info
from fleeting.parallel import Progress, map_jobs, resolve_jobs
from fleeting.protocols import create_protocol, folds_of, split_notes
from fleeting.renamed import renamed_argument
from fleeting.sequences import Recipe, SequenceSet, prepare
from fleeting.training import keep_memory
from fleeting.training.device import device_for, resolve_device

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

    import pandas as pd

SAMPLES_PER_CLASS = 2
# One unit leaves most of a card idle; with more than a few they only queue.
UNITS_A_CARD = 4


@dataclass(frozen=True)
class Observer:
    """What a screen may want to know while a run goes on; every field may be left out.

    Parameters
    ----------
    stage : callable or None, optional
        Called with one sentence when a stage begins.
    preprocessing : Progress or None, optional
        Called with clips done and all clips.
    epoch : OnEpoch or None, optional
        Called with a unit's key and the record of each epoch; a record with the key ``warning`` is a sentence about a
        run that has stopped learning.
    units : Progress or None, optional
        Called with units done and all units.
    """

    stage: Callable[[str], None] | None = None
    preprocessing: Progress | None = None
    epoch: OnEpoch | None = None
    units: Progress | None = None

    def say(self, sentence: str) -> None:
        """Announce a stage."""
        if self.stage is not None:
            self.stage(sentence)


@dataclass(frozen=True)
class PreparedData:
    """The sequences that an experiment works on.

    Attributes
    ----------
    sequences : SequenceSet
        Of all clips that are used.
    classes : tuple of str
        In order.
    skipped : list of tuple of (str, str, str, str)
        ``dataset, subject, clip, reason`` of the others.
    notes : list of str
        What was wrong with the data sets without costing a clip.
    synthetic : tuple of bool
        Of each data set, whether its people do not exist.
    """

    sequences: SequenceSet
    classes: tuple[str, ...]
    skipped: list[tuple[str, str, str, str]]
    notes: list[str]
    synthetic: tuple[bool, ...] = ()


@renamed_argument("store", "cache")
def prepare_clips(
    config: ExperimentConfig,
    *,
    clips: Sequence[Clip] | None = None,
    cache: str | os.PathLike[str] | None = None,
    jobs: int | None = 1,
    observer: Observer | None = None,
) -> PreparedData:
    """Load the clips of a configuration, keep those of its classes, and make their sequences.

    Raises
    ------
    UsageError
        If there are no clips, a class does not occur, or only one class is left.
    FleetingError
        If no clip can become a sequence.
    """
    observer = observer or Observer()
    skipped: list[tuple[str, str, str, str]] = []
    notes: list[str] = []
    # Of clips that were handed over, the data sets need not be here.
    synthetic = tuple(spec.startswith("synthetic:") for spec in config.data)
    if clips is None:
        synthetic = tuple(open_dataset(spec).synthetic for spec in config.data)
        clips, problems = load_with_problems(config.data)
        for problem in problems:
            if problem.skipped:
                skipped.append((problem.dataset, problem.subject, problem.clip, problem.reason))
            else:
                notes.append(f"{problem}.")
    clips = list(clips)
    scheme = config.effective_scheme
    if scheme is not None:
        dropped = len(left_out(clips, scheme))
        clips = list(apply_scheme(clips, scheme))
        if dropped:
            notes.append(f"{dropped} clips have no label in the scheme {scheme} and were left out.")
    if not clips:
        raise UsageError(f"no clips in {', '.join(config.data) or 'what was given'}; expected annotated clips")
    repeated = [key for key, count in Counter(clip.key for clip in clips).items() if count > 1]
    if repeated:
        raise UsageError(
            f"{len(repeated)} clips occur more than once ({', '.join(repeated[:3])}); name each data set once"
        )
    labelled: list[Clip] = []
    for clip in clips:
        if not clip.emotion:
            skipped.append((clip.dataset, clip.subject, clip.name, "has no emotion label"))
        elif config.classes is None or clip.emotion in config.classes:
            labelled.append(clip)
    present = sorted({str(clip.emotion) for clip in labelled})
    if config.classes is not None:
        absent = [name for name in config.classes if name not in present]
        if absent:
            found = sorted({str(clip.emotion) for clip in clips if clip.emotion})
            raise UsageError(f"no clip is labelled {', '.join(absent)}; the labels found are: {', '.join(found)}")
    observer.say(f"Preparing {len(labelled)} sequences")
    sequences = prepare(labelled, config.recipe, root=cache, jobs=jobs, progress=observer.preprocessing)
    if not sequences.clips:
        reasons = "; ".join(item.reason for item in sequences.skipped[:2])
        raise FleetingError(f"none of the {len(labelled)} clips could become a sequence. The first reasons: {reasons}")
    classes = config.classes or tuple(sorted({str(clip.emotion) for clip in sequences.clips}))
    if len(set(sequences.labels().tolist())) < 2:
        raise UsageError(
            f"the clips that are left show one class only ({', '.join(classes)}); recognition needs at least two"
        )
    skipped += [(s.clip.dataset, s.clip.subject, s.clip.name, s.reason) for s in sequences.skipped]
    return PreparedData(sequences, classes, skipped, notes, synthetic)


def _shape(recipe: Recipe, n_classes: int) -> dict[str, int]:
    return {
        "n_classes": n_classes,
        "n_frames": recipe.frames,
        "height": recipe.height,
        "width": recipe.width,
        "in_channels": recipe.channels,
    }


@renamed_argument("store", "cache")
def evaluate(
    config: ExperimentConfig,
    out: str | os.PathLike[str],
    *,
    clips: Sequence[Clip] | None = None,
    jobs: int | None = 1,
    cache: str | os.PathLike[str] | None = None,
    observer: Observer | None = None,
    samples: bool = True,
) -> RunFolder:
    """Run every unit that is not finished yet, then score them all.

    Parameters
    ----------
    config : ExperimentConfig
        What is run.
    out : str or os.PathLike
        The run folder. Asking again for the same run resumes it.
    clips : sequence or None, optional
        The clips, if they do not come from ``config.data``.
    jobs : int or None, optional
        Processes for preprocessing and for units, one thread each; 0 or ``None`` for one per core, for units on CUDA up
        to four, which share the card. It does not change the result.
    cache : str or os.PathLike or None, optional
        Root of the sequence cache; see :func:`fleeting.sequences.cache.default_cache`.
    observer : Observer or None, optional
        What is told of the progress.
    samples : bool, optional
        Write a few film strips into the run folder for the report. They show faces.

    Returns
    -------
    RunFolder
        RunFolder with ``results.csv`` and ``summary.json``; :func:`fleeting.reports.render_report` makes the page.

    Raises
    ------
    UsageError
        If the configuration is impossible, or ``out`` holds another run.
    LeakageError
        If the protocol breaks its promise of subject independence.
    """
    observer = observer or Observer()
    begun = begin(config, out, clips=clips, jobs=jobs, cache=cache, observer=observer, samples=samples)
    run_units(begun.todo, begun.n_units, jobs, observer)
    aggregate(begun.run)
    return begun.run


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
def begin(
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

    ``prepared`` spares the preparation when runs share data, classes and recipe.
    """
    observer = observer or Observer()
    run = RunFolder(out)
    # A misspelt option or an absent card is to be told before sequences are made for minutes.
    protocol = create_protocol(config.protocol, **config.protocol_options)
    device_for(config.training, config.device)
    if config.watch and protocol.blind:
        raise UsageError(
            f"protocol {protocol.name!r} never looks at test clips before training has ended, so they cannot be watched; "
            "leave --watch out, or watch under another protocol, such as subject-kfold"
        )
    prepared = prepared or prepare_clips(config, clips=clips, cache=cache, jobs=jobs, observer=observer)
    sequences, classes = prepared.sequences, prepared.classes
    table = sequences.table()
    folds = folds_of(protocol, table)
    shape = _shape(config.recipe, len(classes))
    model = create_model(config.model, **shape, **config.model_options)
    units = [
        _unit(config, classes, sequences, fold.index, seed, fold.train, fold.test)
        for fold in folds
        for seed in config.seeds
    ]
    content = {
        "format": FORMAT,
        "kind": "evaluate",
        "name": run.path.resolve().name,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "config": {
            "data": list(config.data),
            "synthetic": list(prepared.synthetic),
            "scheme": config.effective_scheme,
            "recipe": config.recipe.model_dump(mode="json"),
            "recipe_hash": sequences.cache.folder.name,
            "model": {
                "name": config.model,
                "options": config.model_options,
                **_source(config),
                "shape": shape,
                "n_parameters": sum(p.numel() for p in model.parameters() if p.requires_grad),
                "published": _published(config),
            },
            "training": config.effective_training.model_dump(mode="json"),
            "protocol": protocol.describe(),
            "seeds": list(config.seeds),
            "device": config.device,
            "watch": config.watch,
            "selection": _selection(config),
        },
        "classes": list(classes),
        "units": [
            {"key": u.key, "fold": u.fold, "seed": u.seed, "n_train": len(u.train), "n_test": len(u.test)}
            for u in units
        ],
        "versions": versions(),
        "machine": machine(),
        "notes": [*_notes(config, prepared), *split_notes(protocol, table, folds), *prepared.notes],
    }
    run.begin(content)
    _write_tables(run, table, prepared.skipped)
    if samples:
        _write_samples(run, sequences)
    todo = [_job(config, prepared, shape, run, unit) for unit in units if run.finished(unit.key) is None]
    return StartedRun(run, todo, len(units))


def _source(config: ExperimentConfig) -> dict[str, str]:
    """Which version of a network from outside this is; nothing for ours."""
    source = model_info(config.model).source
    return {} if source is None else {"source": source}


def _unit(
    config: ExperimentConfig,
    classes: tuple[str, ...],
    sequences: SequenceSet,
    fold: int,
    seed: int,
    train: Any,
    test: Any,
) -> Unit:
    labels = sequences.labels()
    content = {
        "recipe": sequences.cache.folder.name,
        "model": [config.model, config.model_options, *_source(config).values()],
        "training": config.effective_training.model_dump(mode="json"),
        "classes": classes,
        "device": config.device,
        "watch": config.watch,
        "train": [[sequences.keys[i], str(labels[i])] for i in train],
        "test": [[sequences.keys[i], str(labels[i])] for i in test],
    }
    if config.selection is not None:
        content["selection"] = config.selection.model_dump(mode="json")
        # The inner split goes by people.
        content["people"] = [f"{sequences.clips[i].dataset}/{sequences.clips[i].subject}" for i in train]
    return Unit(
        unit_key(fold, seed, content | {"seed": seed}),
        fold,
        seed,
        tuple(int(i) for i in train),
        tuple(int(i) for i in test),
    )


def _job(
    config: ExperimentConfig, prepared: PreparedData, shape: dict[str, int], run: RunFolder, unit: Unit
) -> UnitJob:
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
        shape=shape,
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


def _published(config: ExperimentConfig) -> list[dict[str, Any]]:
    """What papers report of this network on the composite, for the page to print beside the measured figures."""
    return [asdict(score) for score in model_info(config.model).published]


def _selection(config: ExperimentConfig) -> dict[str, Any]:
    rule = config.selection
    what = nothing_chosen(config.training) if rule is None else rule.sentence()
    seen = (
        "test clips were watched after each epoch, which decided nothing"
        if config.watch
        else "test clips were predicted once, after training"
    )
    return {"sentence": f"{what}; {seen}"} | ({} if rule is None else rule.model_dump(mode="json"))


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


def _write_tables(run: RunFolder, table: pd.DataFrame, skipped: Sequence[tuple[str, str, str, str]]) -> None:
    import pandas as pd

    write_csv(run.path / "clips.csv", table)
    write_csv(run.path / "skipped.csv", pd.DataFrame(skipped, columns=["dataset", "subject", "clip", "reason"]))


def _write_samples(run: RunFolder, sequences: SequenceSet) -> None:
    import cv2
    import pandas as pd

    folder = run.path / "samples"
    taken: Counter[str] = Counter()
    subjects: set[str] = set()
    rows: list[tuple[str, ...]] = []
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
        caption = f"{clip.key}: {emotion}. {shown}"
        rows.append((name, clip.dataset, clip.subject, clip.name, emotion, caption))
    columns = ["file", "dataset", "subject", "clip", "emotion", "caption"]
    write_csv(folder / "samples.csv", pd.DataFrame(rows, columns=columns))


_events: Any = None


def _start_worker(events: Any) -> None:
    global _events
    _events = events
    if multiprocessing.parent_process() is not None:
        # A process of ours that does nothing but train; a caller's own process is not ours to tune.
        keep_memory()


def _run_in_worker(job: UnitJob) -> dict[str, Any]:
    try:
        if _events is None:
            return run_unit(job)
        with warnings.catch_warnings():
            # Printed from here it would tear the parent's progress bar apart, and the parent can say which fold it is.
            warnings.simplefilter("always", CollapseWarning)
            warnings.showwarning = lambda message, *_args, **_more: _events.put((job.key, {"warning": str(message)}))
            return run_unit(job, lambda key, record: _events.put((key, record)))
    except UsageError:
        raise
    except FleetingError as exc:
        # A training that diverges is a result; the units beside it must not be lost with it.
        return {"key": job.key, "failed": str(exc)}


@contextmanager
def _listening(on_epoch: OnEpoch | None, parallel: bool) -> Iterator[Any]:
    """A queue on which workers report their epochs, drained by a thread; or ``None`` if nobody listens."""
    if on_epoch is None:
        yield None
        return
    if not parallel:
        yield _Direct(on_epoch)
        return
    queue: Any = multiprocessing.get_context("spawn").Queue()

    def drain() -> None:
        while (event := queue.get()) is not None:
            on_epoch(*event)

    thread = threading.Thread(target=drain, daemon=True)
    thread.start()
    try:
        yield queue
    finally:
        queue.put(None)
        thread.join(timeout=5)


class _Direct:
    """Looks like a queue to a worker that runs in this very process."""

    def __init__(self, on_epoch: OnEpoch) -> None:
        self._on_epoch = on_epoch

    def put(self, event: tuple[str, dict[str, Any]]) -> None:
        self._on_epoch(*event)


def run_units(
    todo: Sequence[UnitJob],
    n_units: int,
    jobs: int | None = 1,
    observer: Observer | None = None,
    *,
    keep_going: bool = False,
) -> dict[str, str]:
    """Run units, of one run or of several, over processes; each is finished and safe as soon as it is done.

    Parameters
    ----------
    todo : sequence
        Units that are not finished.
    n_units : int
        All units, for the progress.
    jobs : int or None, optional
        Processes, one thread each; 0 or ``None`` for one per core, on CUDA for up to four, which share the card.
    observer : Observer or None, optional
        What is told of the progress.
    keep_going : bool, optional
        Return what failed instead of raising.

    Returns
    -------
    dict of str to str
        Why units failed, by key; empty if none did.

    Raises
    ------
    FleetingError
        After all other units are finished, if some failed (a training that diverged) and ``keep_going`` is not set.
    """
    observer = observer or Observer()
    if len(todo) < n_units:
        observer.say(f"{n_units - len(todo)} of {n_units} units are finished already")
    failed: dict[str, str] = {}
    if not todo:
        return failed
    observer.say(f"Training {len(todo)} units of {n_units}")
    before = n_units - len(todo)
    progress = observer.units
    if progress is not None:
        progress(before, n_units)
    jobs = _processes(todo, jobs)
    parallel = min(jobs, len(todo)) > 1
    if parallel:
        # The longest first, so that no core is left with one of them at the end.
        todo = sorted(todo, key=lambda job: job.cost, reverse=True)
    with _listening(observer.epoch, parallel) as events:
        for done, (_, result) in enumerate(
            map_jobs(_run_in_worker, todo, jobs=jobs, initializer=_start_worker, initargs=(events,)), start=1
        ):
            if "failed" in result:
                failed[result["key"]] = result["failed"]
            if progress is not None:
                progress(before + done, n_units)
    if failed and not keep_going:
        reasons = "; ".join(f"{key}: {reason}" for key, reason in list(failed.items())[:3])
        raise FleetingError(f"{len(failed)} of {n_units} units failed, the others are kept. {reasons}")
    return failed


def _processes(todo: Sequence[UnitJob], jobs: int | None) -> int:
    if not jobs and any(resolve_device(device).type == "cuda" for device in {job.training_job.device for job in todo}):
        return UNITS_A_CARD
    return resolve_jobs(jobs)


@renamed_argument("store", "cache")
def train_on_all(
    config: ExperimentConfig,
    out: str | os.PathLike[str],
    *,
    clips: Sequence[Clip] | None = None,
    jobs: int | None = 1,
    cache: str | os.PathLike[str] | None = None,
    observer: Observer | None = None,
) -> Path:
    """Train one model on every clip, for use on recordings outside the data set; nothing is tested.

    Parameters
    ----------
    config : ExperimentConfig
        As for :func:`evaluate`; its protocol is not used, its first seed is.
    out : str or os.PathLike
        Folder for ``model.safetensors``, ``config.json`` and ``history.csv``.

    Returns
    -------
    pathlib.Path
        The folder.
    """
    observer = observer or Observer()
    device_for(config.training, config.device)
    prepared = prepare_clips(config, clips=clips, cache=cache, jobs=jobs, observer=observer)
    sequences = prepared.sequences
    folder = Path(out)
    if (folder / "run.json").exists():
        raise UsageError(f"{folder}: holds a run; choose another --out for the model")
    everything = tuple(range(len(sequences)))
    unit = Unit("all", 0, config.seeds[0], everything, ())
    job = _job(config, prepared, _shape(config.recipe, len(prepared.classes)), RunFolder(folder), unit)
    observer.say(f"Training on {len(sequences)} clips")
    fit(replace(job.training_job, folder=folder), observer.epoch)
    return folder
