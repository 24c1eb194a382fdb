"""From data sets to the sequences that an experiment works on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fleeting.clips import Clip
from fleeting.datasets import apply_scheme, left_out, load_with_problems, open_dataset
from fleeting.errors import FleetingError, UsageError
from fleeting.experiments.config import ExperimentConfig
from fleeting.experiments.observer import Observer
from fleeting.records import SkippedRow
from fleeting.renamed import renamed_argument
from fleeting.sequences import SequenceSet, prepare

if TYPE_CHECKING:
    import os

__all__ = ["PreparedData", "prepare_clips"]


@dataclass(frozen=True)
class PreparedData:
    """The sequences that an experiment works on.

    Attributes
    ----------
    sequences : SequenceSet
        The sequences of all clips that are used.
    classes : tuple of str
        Classes in order.
    skipped : list of SkippedRow
        The other clips, and why they cannot be used.
    notes : list of str
        Defects of the data sets that cost no clip.
    synthetic : tuple of bool
        For each data set, whether its people do not exist.
    """

    sequences: SequenceSet
    classes: tuple[str, ...]
    skipped: list[SkippedRow]
    notes: list[str]
    synthetic: tuple[bool, ...] = ()


@dataclass
class _Loaded:
    """Clips on their way to sequences, and what is to be said of those that fall away."""

    clips: list[Clip]
    skipped: list[SkippedRow]
    notes: list[str]
    synthetic: tuple[bool, ...]


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
    loaded = _load(config, clips)
    _name_emotions(config, loaded)
    labelled = _labelled(config, loaded)
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
    skipped = [*loaded.skipped, *(_skipped(item.clip, item.reason) for item in sequences.skipped)]
    return PreparedData(sequences, classes, skipped, loaded.notes, loaded.synthetic)


def _skipped(clip: Clip, reason: str) -> SkippedRow:
    return SkippedRow(dataset=clip.dataset, subject=clip.subject, clip=clip.name, reason=reason)


def _load(config: ExperimentConfig, clips: Sequence[Clip] | None) -> _Loaded:
    if clips is not None:
        # Of clips that were handed over, the data sets need not be here.
        synthetic = tuple(spec.startswith("synthetic:") for spec in config.data)
        return _Loaded(list(clips), [], [], synthetic)
    synthetic = tuple(open_dataset(spec).synthetic for spec in config.data)
    found, problems = load_with_problems(config.data)
    loaded = _Loaded(list(found), [], [], synthetic)
    for one in problems:
        if one.skipped:
            row = SkippedRow(dataset=one.dataset, subject=one.subject, clip=one.clip, reason=one.reason)
            loaded.skipped.append(row)
        else:
            loaded.notes.append(f"{one}.")
    return loaded


def _name_emotions(config: ExperimentConfig, loaded: _Loaded) -> None:
    """Apply the label scheme; check that there are clips, and each once."""
    scheme = config.effective_scheme
    if scheme is not None:
        dropped = len(left_out(loaded.clips, scheme))
        loaded.clips = list(apply_scheme(loaded.clips, scheme))
        if dropped:
            loaded.notes.append(f"{dropped} clips have no label in the scheme {scheme} and were left out.")
    if not loaded.clips:
        raise UsageError(f"no clips in {', '.join(config.data) or 'what was given'}; expected annotated clips")
    repeated = [key for key, count in Counter(clip.key for clip in loaded.clips).items() if count > 1]
    if repeated:
        raise UsageError(
            f"{len(repeated)} clips occur more than once ({', '.join(repeated[:3])}); name each data set once"
        )


def _labelled(config: ExperimentConfig, loaded: _Loaded) -> list[Clip]:
    """The clips of the classes that are asked for."""
    labelled: list[Clip] = []
    for clip in loaded.clips:
        if not clip.emotion:
            loaded.skipped.append(_skipped(clip, "has no emotion label"))
        elif config.classes is None or clip.emotion in config.classes:
            labelled.append(clip)
    present = {str(clip.emotion) for clip in labelled}
    absent = [name for name in config.classes or () if name not in present]
    if absent:
        found = sorted({str(clip.emotion) for clip in loaded.clips if clip.emotion})
        raise UsageError(f"no clip is labelled {', '.join(absent)}; the labels found are: {', '.join(found)}")
    return labelled
