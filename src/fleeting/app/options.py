"""Options that several verbs share, each declared once, and what a value on the command line may be."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter, Token

from fleeting.app.screen import Screen
from fleeting.app.specs import parse_grid
from fleeting.errors import UsageError

__all__ = [
    "CacheOptions",
    "DataOptions",
    "DeviceOptions",
    "Epochs",
    "Flag",
    "Folds",
    "FramesPerSecond",
    "JobsOptions",
    "JsonOption",
    "LabelOptions",
    "ModelOptions",
    "OutputOptions",
    "Seed",
    "SelectionOptions",
    "TrainingOptions",
    "between",
    "check_value",
    "name_list",
    "whole",
    "whole_numbers",
]

# No seed, size or count is larger; what is would only end in an overflow somewhere.
_LARGEST = 1e12
# No file system that we know takes a longer name.
_LONGEST_NAME = 255
# The largest seed that scikit-learn takes; NumPy and torch take larger ones.
LARGEST_SEED = 2**32 - 1


def check_value(kind: Any, value: Any) -> None:
    """Refuse what no option can be: numbers that are not finite or beyond all measure, names that no file can have.

    Parameters
    ----------
    kind : type
        Declared type of the option.
    value : object
        The value, or a group of options.

    Raises
    ------
    ValueError
        With what was found and what was expected.
    """
    if is_dataclass(value):
        for field in fields(value):
            check_value(field.type, getattr(value, field.name))
    elif isinstance(value, list | tuple):
        for item in value:
            check_value(kind, item)
    elif isinstance(value, bool):
        return
    elif isinstance(value, int | float) and not abs(value) <= _LARGEST:
        raise ValueError(f"Found {_short(value)}; expected a number of at most {_LARGEST:g}")
    elif isinstance(value, Path):
        for part in value.parts:
            if len(os.fsencode(part)) > _LONGEST_NAME:
                raise ValueError(f"Found a name of {len(os.fsencode(part))} bytes; expected at most {_LONGEST_NAME}")


def between(low: float, high: float) -> Parameter:
    """Build the declaration of an option whose numbers lie from ``low`` to ``high``, both included."""

    def check(kind: Any, value: Any) -> None:
        for one in value if isinstance(value, tuple) else (value,):
            if one is not None and not low <= one <= high:
                raise ValueError(f"Expected a number from {low:.10g} to {high:.10g}")

    return Parameter(validator=check)


def whole(low: int, high: int) -> Parameter:
    """Build the declaration of an option that is a whole number from ``low`` to ``high``; 1.5 is not rounded."""

    def convert(kind: Any, tokens: Sequence[Token]) -> int:
        text = tokens[0].value
        if not re.fullmatch(r"[+-]?[0-9]{1,20}", text) or not low <= int(text) <= high:
            raise ValueError(f"Found {text[:80]}; expected a whole number from {low} to {high}")
        return int(text)

    return Parameter(converter=convert)


def _short(number: float) -> str:
    # More digits than a number may have cannot even be printed.
    if isinstance(number, int) and number.bit_length() > 128:
        return f"a number of {int(number.bit_length() * math.log10(2)) + 1} digits"
    return str(number)


# A switch that is off unless it is given.
Flag = Annotated[bool, Parameter(negative="", show_default=False)]
Seed = Annotated[int, whole(0, LARGEST_SEED)]
Epochs = Annotated[int | None, whole(1, 1_000_000)]
Folds = Annotated[int, whole(2, 1_000_000)]
FramesPerSecond = Annotated[float | None, between(0.001, 1e6)]


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class JsonOption:
    """Option of a verb that only prints.

    Parameters
    ----------
    json : bool
        Print the result as JSON.
    """

    json: Annotated[Flag, Parameter(name="--json")] = False

    def screen(self) -> Screen:
        """Open the screen as it was asked for."""
        return Screen(json_output=self.json)


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class OutputOptions(JsonOption):
    """Options of every verb that works: how the result is printed.

    Parameters
    ----------
    json : bool
        Print the result as JSON.
    quiet : bool
        Print the result only.
    """

    quiet: Annotated[Flag, Parameter(name=["--quiet", "-q"])] = False

    def screen(self) -> Screen:
        """Open the screen as it was asked for."""
        return Screen(self.quiet, self.json)


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class JobsOptions:
    """Option of a verb that works in several processes.

    Parameters
    ----------
    jobs : int
        Processes; 0 for one per core.
    """

    jobs: Annotated[int, Parameter(name=["--jobs", "-j"]), whole(0, 4096)] = 0


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class CacheOptions(JobsOptions):
    """Options of a verb that prepares sequences.

    Parameters
    ----------
    cache : pathlib.Path or None
        Folder of prepared sequences (default: the user's cache folder).
    jobs : int
        Processes; 0 for one per core.
    """

    cache: Path | None = None


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class DeviceOptions:
    """Option of a verb that trains.

    Parameters
    ----------
    device : {"cpu", "cuda", "auto"}
        Processor to train on.
    """

    device: Literal["cpu", "cuda", "auto"] = "cpu"


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class DataOptions:
    """Option of a verb that needs data sets.

    Parameters
    ----------
    data : list of str
        Data set as KIND:PATH; several make a composite.
    """

    data: Annotated[list[str], Parameter(name="--data")]


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class ModelOptions:
    """Options that name a network and what it sees.

    Parameters
    ----------
    recipe : str or None
        NAME[,field=value...], as in talluri2022,frames=26,motion=difference (default: the model's own).
    model : str
        NAME[,option=value...]; `fleeting models` lists them.
    motion : {"none", "difference"} or None
        Show the network the frames (none, as published), or their difference from the onset frame.
    """

    recipe: str | None = None
    model: str = "model_a"
    motion: Literal["none", "difference"] | None = None

    def named(self) -> dict[str, Any]:
        """Give them as arguments of :func:`fleeting.app.experiment.experiment_from`."""
        return {"recipe": self.recipe, "model": self.model, "motion": self.motion}


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class LabelOptions:
    """Options that say which labels the clips have.

    Parameters
    ----------
    classes : str or None
        Comma-separated emotions to keep (default: all that occur).
    scheme : str or None
        Label scheme, such as talluri2022 or megc2019 (default: own labels).
    """

    classes: str | None = None
    scheme: str | None = None

    def named(self) -> dict[str, Any]:
        """Give them as arguments of :func:`fleeting.app.experiment.experiment_from`."""
        classes = None if self.classes is None else name_list(self.classes, "classes")
        return {"classes": classes, "scheme": self.scheme}


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class TrainingOptions:
    """Options of one training.

    Parameters
    ----------
    epochs : int or None
        Passes over the training clips (default: the paper's).
    learning_rate : float or None
        Learning rate (default: the paper's).
    batch_size : int or None
        Clips per step (default: the paper's).
    optimizer : {"sgd", "adam"} or None
        Optimiser (default: the paper's).
    clip_norm : float or None
        Largest norm of the gradient; longer ones are cut, which keeps training alive.
    """

    epochs: Epochs = None
    learning_rate: float | None = None
    batch_size: Annotated[int | None, whole(1, 1_000_000)] = None
    optimizer: Literal["sgd", "adam"] | None = None
    clip_norm: float | None = None

    def given(self) -> dict[str, Any]:
        """Give the options that were given, by name."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in values.items() if value is not None}


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class SelectionOptions:
    """Options of choosing on inner folds.

    Parameters
    ----------
    choose : list of str or None
        Choose on inner folds of the training side, by people: epochs, training.FIELD=v1,v2 or model.OPTION=v1,v2.
    choose_by : {"uf1", "uar", "accuracy"}
        Figure that --choose makes large.
    inner_folds : int
        Inner folds of --choose.
    """

    choose: Annotated[list[str] | None, Parameter(name="--choose")] = None
    choose_by: Literal["uf1", "uar", "accuracy"] = "uf1"
    inner_folds: Folds = 3

    def selection(self) -> Any:
        """Build the selection that was asked for; ``None`` if nothing is to be chosen."""
        from fleeting.experiments import Selection

        if not self.choose:
            return None
        grid = [parse_grid(text, option="--choose") for text in self.choose if text != "epochs"]
        return Selection.create(
            epochs="epochs" in self.choose,
            grid={name: tuple(values) for name, values in grid},
            metric=self.choose_by,
            folds=self.inner_folds,
        )


def name_list(text: str, option: str) -> tuple[str, ...]:
    """Split names separated by commas, each given once.

    Raises
    ------
    UsageError
        If there is none, or one is given twice.
    """
    names = tuple(part.strip() for part in text.split(",") if part.strip())
    if not names or len(set(names)) != len(names):
        raise UsageError(f"--{option}: found {text!r}; expected names separated by commas, each once")
    return names


def whole_numbers(text: str, option: str) -> tuple[int, ...]:
    """Split seeds separated by commas, each given once.

    Raises
    ------
    UsageError
        If one is no whole number, or too large for a seed.
    """
    names = name_list(text, option)
    if not all(name.isascii() and name.isdigit() and len(name) <= 10 and int(name) <= LARGEST_SEED for name in names):
        raise UsageError(
            f"--{option}: found {text!r}; expected whole numbers from 0 to {LARGEST_SEED} separated by commas"
        )
    return tuple(map(int, names))
