"""Names that have changed: the old ones work for one release and say what to write instead."""

from __future__ import annotations

import functools
import importlib
import warnings
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

__all__ = ["adopt_renamed_methods", "renamed_argument", "renamed_names"]

F = TypeVar("F", bound=Callable[..., Any])


def renamed_names(module: str, names: Mapping[str, str]) -> Callable[[str], Any]:
    """Build a module's ``__getattr__`` that answers to old names with a warning.

    Parameters
    ----------
    module : str
        Name of the module, ``__name__``.
    names : mapping of str to str
        New name by old name. A new name with dots, such as ``"fleeting.metrics.bootstrap.Interval"``, lies in another
        module.

    Returns
    -------
    callable
        For ``__getattr__ = renamed_names(__name__, {...})``.

    Examples
    --------
    >>> look_up = renamed_names("fleeting.errors", {"UsageMistake": "UsageError"})
    >>> import warnings
    >>> with warnings.catch_warnings(record=True) as heard:
    ...     warnings.simplefilter("always")
    ...     print(look_up("UsageMistake").__name__, "|", heard[0].message)
    UsageError | fleeting.errors.UsageMistake is now fleeting.errors.UsageError; the old name goes with the next release
    """

    def look_up(name: str) -> Any:
        if name not in names:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        new = names[name] if "." in names[name] else f"{module}.{names[name]}"
        warnings.warn(
            f"{module}.{name} is now {new}; the old name goes with the next release", FutureWarning, stacklevel=2
        )
        home, _, attribute = new.rpartition(".")
        return getattr(importlib.import_module(home), attribute)

    return look_up


def renamed_argument(old: str, new: str) -> Callable[[F], F]:
    """Decorate a function whose keyword argument has a new name, so that the old one works with a warning.

    Parameters
    ----------
    old, new : str
        The argument's names.

    Returns
    -------
    callable
        The decorator.

    Examples
    --------
    >>> @renamed_argument("store", "cache")
    ... def prepare(*, cache=None):
    ...     return cache
    >>> import warnings
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore")
    ...     prepare(store="folder")
    'folder'
    """

    def decorate(function: F) -> F:
        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            if old in kwargs:
                if new in kwargs:
                    raise TypeError(f"{function.__qualname__}() got both {new!r} and its old name {old!r}")
                warnings.warn(
                    f"{function.__qualname__}({old}=...) is now {new}=...; the old name goes with the next release",
                    FutureWarning,
                    stacklevel=2,
                )
                kwargs[new] = kwargs.pop(old)
            return function(*args, **kwargs)

        return call  # type: ignore[return-value]

    return decorate


def adopt_renamed_methods(cls: type, names: Mapping[str, str]) -> None:
    """Let a subclass that overrides a method by its old name override the new one, with a warning.

    Parameters
    ----------
    cls : type
        The subclass, as its base sees it in ``__init_subclass__``.
    names : mapping of str to str
        New name by old name.

    Examples
    --------
    >>> class Base:
    ...     def __init_subclass__(cls):
    ...         adopt_renamed_methods(cls, {"_read": "read_clips"})
    >>> import warnings
    >>> with warnings.catch_warnings(record=True) as heard:
    ...     warnings.simplefilter("always")
    ...     class Mine(Base):
    ...         def _read(self):
    ...             return "clips"
    ...     print(Mine().read_clips(), "|", heard[0].message)
    clips | Mine._read() is now Mine.read_clips(); the old name goes with the next release
    """
    for old, new in names.items():
        if old in vars(cls) and new not in vars(cls):
            warnings.warn(
                f"{cls.__name__}.{old}() is now {cls.__name__}.{new}(); the old name goes with the next release",
                FutureWarning,
                stacklevel=4,
            )
            setattr(cls, new, vars(cls)[old])
