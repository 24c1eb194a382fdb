"""Spotters by name, of the apex of a clip and of the intervals of a recording: from the literature, ours, a user's own."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator
from copy import deepcopy
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np

from fleeting.errors import UsageError, unknown_choice
from fleeting.plugins import source_digest
from fleeting.registry import Registry
from fleeting.spotting.course import ApexSpot

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from fleeting.spotting.intervals import SpottedEvent

__all__ = [
    "INTERVAL_SPOTTERS",
    "SPOTTERS",
    "NoFramesError",
    "RegisteredSpotter",
    "SpotterInfo",
    "find_apex",
    "find_interval_spotter",
    "list_interval_spotters",
    "list_spotters",
    "register_interval_spotter",
    "register_spotter",
    "spotter_info",
]

Spotter = Callable[..., ApexSpot]
S = TypeVar("S", bound=Spotter)
IntervalFinder = Callable[..., "list[SpottedEvent]"]
I = TypeVar("I", bound=IntervalFinder)  # noqa: E741

_GIVEN = ("frames", "landmarks", "fps")


class NoFramesError(UsageError):
    """There is nothing to spot in."""


@dataclass(frozen=True)
class SpotterInfo:
    """A registered spotter: its source and its options.

    Attributes
    ----------
    name : str
        Name in the registry.
    summary : str
        One line.
    paper : str
        The publication that it comes from.
    options : dict of str to object
        Its options with their defaults.
    source : str or None
        Hash of the file of a spotter from outside; ``None`` for ours.
    """

    name: str
    summary: str
    paper: str
    options: dict[str, Any]
    source: str | None = None


F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True)
class RegisteredSpotter(Generic[F]):
    """A registered spotter.

    Attributes
    ----------
    spot : callable
        The function.
    info : SpotterInfo
        Its paper and options.
    """

    spot: F
    info: SpotterInfo


SPOTTERS: Registry[RegisteredSpotter[Spotter]] = Registry("apex spotter")
INTERVAL_SPOTTERS: Registry[RegisteredSpotter[IntervalFinder]] = Registry("interval spotter")


def register_spotter(name: str, *, paper: str) -> Callable[[S], S]:
    """Make an apex spotter known by name; use it as a decorator on a function.

    The function takes ``frames`` (an iterator over aligned grey ``uint8`` frames ``(H, W)``, the first of which is the
    reference), ``landmarks`` (``(68, 2)``, in pixels of those frames) and ``fps`` (or ``None``), then its options, all
    with defaults. It returns an :class:`ApexSpot`; :func:`fleeting.spotting.spot_in` makes one from a score per frame. The
    first line of its docstring becomes the summary.

    Parameters
    ----------
    name : str
        Its name for :func:`find_apex`.
    paper : str
        The source.

    Raises
    ------
    UsageError
        If the name is taken, or the function does not take what it is given, or an option lacks a default.
    """

    def register(spotter: S) -> S:
        info = _inspect(spotter, SPOTTERS, name, paper, _GIVEN)
        SPOTTERS.add(name, RegisteredSpotter(spotter, info), place=spotter)
        return spotter

    return register


def list_spotters(pattern: str = "*") -> list[str]:
    """List the names of the registered apex spotters that match a wildcard, sorted.

    >>> list_spotters("l*")
    ['liong2015']
    """
    return SPOTTERS.list(pattern)


def spotter_info(name: str) -> SpotterInfo:
    """Give the paper and the options of an apex spotter.

    Raises
    ------
    UsageError
        If none has that name; lists those there are.
    """
    return deepcopy(SPOTTERS.find(name).info)


def register_interval_spotter(name: str, *, paper: str) -> Callable[[I], I]:
    """Make a spotter of intervals known by name; use it as a decorator on a function.

    The function takes ``table``, the measurements of a whole recording (:class:`~fleeting.spotting.MotionTable`), then
    its options, all with defaults. It returns a list of :class:`~fleeting.spotting.SpottedEvent` in order of time. The
    first line of its docstring becomes the summary.

    Parameters
    ----------
    name : str
        Its name for :func:`find_interval_spotter`.
    paper : str
        The source.

    Raises
    ------
    UsageError
        If the name is taken, or the function does not take what it is given, or an option lacks a default.
    """

    def register(spotter: I) -> I:
        info = _inspect(spotter, INTERVAL_SPOTTERS, name, paper, ("table",))
        INTERVAL_SPOTTERS.add(name, RegisteredSpotter(spotter, info), place=spotter)
        return spotter

    return register


def list_interval_spotters(pattern: str = "*") -> list[str]:
    """List the names of the registered spotters of intervals that match a wildcard, sorted.

    >>> list_interval_spotters()
    ['motion']
    """
    return INTERVAL_SPOTTERS.list(pattern)


def find_interval_spotter(name: str) -> RegisteredSpotter[IntervalFinder]:
    """Find a spotter of intervals by name.

    Returns
    -------
    RegisteredSpotter
        The function and what is known of it.

    Raises
    ------
    UsageError
        If none has that name; lists those there are.
    """
    return INTERVAL_SPOTTERS.find(name)


def _inspect(
    spotter: Callable[..., Any], registry: Registry[Any], name: str, paper: str, given: tuple[str, ...]
) -> SpotterInfo:
    parameters = list(inspect.signature(spotter).parameters.values())
    if tuple(p.name for p in parameters[: len(given)]) != given:
        raise UsageError(
            f"{registry.what} {name!r}: its first parameters must be ({', '.join(given)}); "
            f"found ({', '.join(p.name for p in parameters)})"
        )
    options = {p.name: p.default for p in parameters[len(given) :]}
    for option, default in options.items():
        if default is inspect.Parameter.empty:
            raise UsageError(f"{registry.what} {name!r}: its option {option!r} needs a default value")
    summary = (inspect.getdoc(spotter) or name).splitlines()[0].rstrip(".")
    return SpotterInfo(registry.spell(name), summary, paper, options, source_digest(spotter))


def find_apex(
    frames: Iterable[NDArray[np.uint8]],
    landmarks: NDArray[np.float64],
    *,
    method: str = "motion",
    fps: float | None = None,
    **options: Any,
) -> ApexSpot:
    """Find the apex of one expression in aligned frames.

    Parameters
    ----------
    frames : iterable of numpy.ndarray of uint8
        Aligned grey ``uint8`` frames ``(H, W)``, at least one; the first is what the others are compared with. They may
        come from a generator: no method keeps them.
    landmarks : numpy.ndarray of float64
        ``(68, 2)`` of the first frame, in its pixels.
    method : str, optional
        One of :func:`list_spotters`.
    fps : float or None, optional
        Frames per second, by which smoothing is set; ``None`` if unknown.
    options : object
        The method's own, see ``spotter_info(method).options``.

    Raises
    ------
    UsageError
        For an unknown method or option, no frames, or frames and landmarks of the wrong shape or type.
    """
    info = spotter_info(method)
    for option, value in options.items():
        if option not in info.options:
            raise unknown_choice(f"option of {method}", option, info.options)
        if isinstance(info.options[option], int | float) and not isinstance(value, int | float):
            raise UsageError(f"apex spotter {method}: found {option}={value!r}; expected a number")
    points = np.asarray(landmarks, dtype=np.float64)
    if points.shape != (68, 2) or not np.isfinite(points).all():
        raise UsageError(f"landmarks are 68 finite points (68, 2); found shape {points.shape}")
    counted = _Checked(frames)
    spot = SPOTTERS.find(method).spot(counted, points, fps, **options)
    if len(spot.scores) != counted.seen:
        raise UsageError(f"apex spotter {method!r} returned {len(spot.scores)} scores for {counted.seen} frames")
    return spot


class _Checked:
    """The frames, each looked at on the way; a frame of another kind would be a wrong score and not an error."""

    def __init__(self, frames: Iterable[NDArray[np.uint8]]) -> None:
        self.seen = 0
        source = iter(frames)
        first = next(source, None)
        if first is None:
            raise NoFramesError("an apex needs at least one frame, found none")
        self._first = np.asarray(first)
        self._frames = chain([first], source)

    def __iter__(self) -> Iterator[NDArray[np.uint8]]:
        shape = self._first.shape
        for item in self._frames:
            frame = np.asarray(item)
            if frame.dtype != np.uint8 or frame.ndim != 2 or frame.shape != shape:
                raise UsageError(
                    f"spotting needs grey uint8 frames of one shape; found {frame.dtype} {frame.shape} where the first "
                    f"is {self._first.dtype} {shape}"
                )
            self.seen += 1
            yield frame
