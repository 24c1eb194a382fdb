"""From ``KIND:PATH`` to clips."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar, overload

from fleeting.clips import Clip
from fleeting.datasets.base import Dataset
from fleeting.datasets.problems import Problem
from fleeting.errors import UsageError
from fleeting.registry import Registry, warn_nameless

__all__ = ["DATASETS", "list_datasets", "load_clips", "load_with_problems", "open_dataset", "register_dataset"]

Loader = Callable[[str], Dataset]
L = TypeVar("L", bound=Loader)

DATASETS: Registry[Loader] = Registry("kind of data set", separator="-")


@overload
def register_dataset(kind: str) -> Callable[[L], L]: ...


@overload
def register_dataset(kind: str, loader: Loader) -> None: ...


def register_dataset(kind: str, loader: Loader | None = None) -> Callable[[L], L] | None:
    """Make ``KIND:PATH`` known; use it as a decorator on a :class:`Dataset` or a function that opens one.

    Parameters
    ----------
    kind : str
        The name; a :class:`Dataset` that has no ``name`` of its own gets this one. One letter would look like a Windows
        drive.
    loader : Loader or None, optional
        The old form, which goes with the next release: what is registered, instead of decorating it.

    Raises
    ------
    UsageError
        If the name is taken or unfit.
    """
    if loader is not None:
        warn_nameless("register_dataset", kind)
        DATASETS.add(kind, loader)
        return None

    def register(opens: L) -> L:
        name = DATASETS.add(kind, opens)
        if isinstance(opens, type) and issubclass(opens, Dataset) and opens.name == Dataset.name:
            opens.name = name
        return opens

    return register


def list_datasets(pattern: str = "*") -> list[str]:
    """List the kinds that :func:`open_dataset` knows and that match a wildcard, sorted.

    >>> list_datasets("smic*")
    ['smic', 'smic-hs-e', 'smic-nir', 'smic-vis']
    """
    return DATASETS.list(pattern)


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
    return DATASETS.find(kind)(path)


def load_clips(specs: Sequence[str]) -> list[Clip]:
    """Load the clips of one data set, or of several as a composite, in the order given.

    Raises
    ------
    UsageError
        If there is none, one cannot be opened, all clips are unusable, or two clips would have the same key.
    """
    return load_with_problems(specs)[0]


def load_with_problems(specs: Sequence[str]) -> tuple[list[Clip], list[Problem]]:
    """Load clips as :func:`load_clips` does, with the faults that were found on the way.

    Raises
    ------
    UsageError
        If there is none, one cannot be opened, all clips are unusable, or two clips would have the same key.
    """
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
