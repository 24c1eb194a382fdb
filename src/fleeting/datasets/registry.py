"""From ``KIND:PATH`` to clips."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from fleeting.clips import Clip
from fleeting.datasets.base import Dataset, Problem
from fleeting.datasets.casme2 import Casme2
from fleeting.datasets.casme_squared import CasmeSquared
from fleeting.datasets.flow import FlowFolder
from fleeting.datasets.folder import Folder
from fleeting.datasets.recordings import Recordings
from fleeting.datasets.samm import Samm
from fleeting.datasets.samm_long import SammLong
from fleeting.datasets.smic import Smic
from fleeting.datasets.synthetic import Synthetic
from fleeting.errors import UsageError, unknown_choice
from fleeting.plugins import load_announced

__all__ = ["list_datasets", "load_clips", "load_with_problems", "open_dataset", "register_dataset"]

Loader = Callable[[str], Dataset]

_loaders: dict[str, Loader] = {}


def register_dataset(kind: str, loader: Loader) -> None:
    """Make ``KIND:PATH`` known.

    Parameters
    ----------
    kind : str
        Lower-case name, at least two letters (one letter would look like a Windows drive).
    loader : Loader
        Called with the path; returns a :class:`Dataset`.

    Raises
    ------
    UsageError
        If the name is taken or unfit.
    """
    if len(kind) < 2 or kind != kind.lower() or ":" in kind or not kind.strip():
        raise UsageError(f"data set kind {kind!r}: expected a lower-case name of two letters or more, without a colon")
    if kind in _loaders:
        raise UsageError(f"data set kind {kind!r} is taken by {_loaders[kind]!r}; choose another name")
    _loaders[kind] = loader


def list_datasets() -> list[str]:
    """The kinds that :func:`open_dataset` knows, sorted."""
    load_announced()
    return sorted(_loaders)


def open_dataset(spec: str) -> Dataset:
    """Open a data set given as ``KIND:PATH``, for instance ``synthetic:data/demo``.

    Raises
    ------
    UsageError
        If the text is not of this form, the kind is unknown (the message lists the kinds), or the path does not
        hold it.
    """
    kind, colon, path = spec.partition(":")
    if not colon or not path or len(kind) < 2:
        raise UsageError(
            f"data set {spec!r}: expected KIND:PATH with KIND one of {', '.join(list_datasets())}; for instance "
            "synthetic:data/demo"
        )
    if kind not in _loaders:
        load_announced()
    if kind not in _loaders:
        raise unknown_choice("kind of data set", kind, _loaders)
    return _loaders[kind](path)


def load_clips(specs: Sequence[str]) -> list[Clip]:
    """The clips of one data set, or of several as a composite, in the order given.

    Raises
    ------
    UsageError
        If there is none, one cannot be opened, all clips are unusable, or two clips would have the same key.
    """
    return load_with_problems(specs)[0]


def load_with_problems(specs: Sequence[str]) -> tuple[list[Clip], list[Problem]]:
    """As :func:`load_clips`, with what was found wrong on the way."""
    if isinstance(specs, str):
        specs = [specs]
    if not specs:
        raise UsageError("no data set given; expected KIND:PATH, for instance synthetic:data/demo")
    clips: list[Clip] = []
    problems: list[Problem] = []
    owner: dict[str, str] = {}
    for spec in specs:
        dataset = open_dataset(spec)
        found = dataset.clips()
        if not found:
            reasons = (
                "; ".join(f"{p}{p.remedy and f'. To do: {p.remedy}'}" for p in dataset.problems[:3])
                or "its table is empty"
            )
            raise UsageError(f"{spec}: no usable clip ({reasons})")
        for clip in found:
            if clip.key in owner:
                raise UsageError(
                    f"{clip.key} is in {owner[clip.key]} and in {spec}; a composite needs distinct subjects and "
                    "clips (a second synthetic set: --first-subject)"
                )
            owner[clip.key] = spec
        clips += found
        problems += dataset.problems
    return clips, problems


def _smic(subset: str) -> Loader:
    return lambda path: Smic(path, subset=subset)


register_dataset("casme2", Casme2)
register_dataset("casme-squared", CasmeSquared)
register_dataset("flow", FlowFolder)
register_dataset("folder", Folder)
register_dataset("recordings", Recordings)
register_dataset("samm", Samm)
register_dataset("samm-long", SammLong)
register_dataset("smic", Smic)
register_dataset("smic-hs-e", _smic("HS-E"))
register_dataset("smic-vis", _smic("VIS"))
register_dataset("smic-nir", _smic("NIR"))
register_dataset("synthetic", Synthetic)
