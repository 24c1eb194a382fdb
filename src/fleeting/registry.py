"""Things that are found by name: models, data sets, recipes, protocols, spotters, studies; ours and a user's own."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from fnmatch import fnmatchcase
from typing import Generic, Literal, TypeVar

from fleeting.errors import UsageError, unknown_choice
from fleeting.plugins import load_announced

__all__ = ["Registry", "matching", "warn_nameless"]

T = TypeVar("T")


class Registry(Generic[T]):
    """Things by name.

    Names have one spelling: lower case, words joined by ``separator``. What is looked up may be spelled otherwise:
    ``Subject_KFold`` finds ``subject-kfold``. Before a name is called unknown, the user's own files are loaded
    (:mod:`fleeting.plugins`).

    Parameters
    ----------
    what : str
        Noun for one of the things, for messages.
    separator : {"_", "-"}, optional
        Sign between the words of a name.

    Examples
    --------
    >>> greetings = Registry("greeting")
    >>> @greetings.register("good_day")
    ... def good_day():
    ...     return "Good day"
    >>> greetings.find("Good-Day")()
    'Good day'
    >>> greetings.list("good*"), greetings.list("bad*", "worse*")
    (['good_day'], [])
    """

    def __init__(self, what: str, *, separator: Literal["_", "-"] = "_") -> None:
        self.what = what
        self._separator = separator
        self._things: dict[str, T] = {}
        self._places: dict[str, str] = {}

    def register(self, name: str) -> Callable[[T], T]:
        """Make what is decorated known by a name.

        Parameters
        ----------
        name : str
            The name; brought to the one spelling.

        Raises
        ------
        UsageError
            If the name is taken, or is no name.
        """

        def decorate(thing: T) -> T:
            self.add(name, thing)
            return thing

        return decorate

    def add(self, name: str, thing: T, *, place: object = None) -> str:
        """Make a thing known by a name, as :meth:`register` does.

        Parameters
        ----------
        name : str
            The name.
        thing : object
            The thing, which :meth:`find` returns.
        place : object, optional
            Class or function that is named if somebody else wants the name; the thing itself by default.

        Returns
        -------
        str
            The name in its one spelling.

        Raises
        ------
        UsageError
            If the name is taken, or is no name.
        """
        spelled = self.spell(name)
        word = rf"[^\W_]+({re.escape(self._separator)}[^\W_]+)*"
        if not re.fullmatch(word, spelled) or len(spelled) < 2:
            raise UsageError(
                f"{self.what} {name!r}: expected a name of two letters or more: words of letters and digits, joined by "
                f"{self._separator!r}"
            )
        if spelled in self._things:
            article = "an" if self.what[0] in "aeiou" else "a"
            raise UsageError(
                f"{article} {self.what} named {spelled!r} is registered already ({self._places[spelled]}); choose another "
                "name"
            )
        owner = thing if place is None else place
        self._things[spelled] = thing
        self._places[spelled] = f"{getattr(owner, '__module__', '')}.{getattr(owner, '__qualname__', repr(owner))}"
        return spelled

    def spell(self, name: str) -> str:
        """Give a name in the one spelling.

        Examples
        --------
        >>> Registry("protocol", separator="-").spell("Subject_KFold")
        'subject-kfold'
        """
        return re.sub("[-_]", self._separator, str(name).strip().lower())

    def name(self, name: str) -> str:
        """Give the name, in its one spelling, under which a thing is found.

        Raises
        ------
        UsageError
            If nothing has that name; suggests, and lists the names.
        PluginError
            If a file that the user named fails; it may have held the thing.
        """
        spelled = self.spell(name)
        if spelled not in self._things:
            load_announced()
        if spelled not in self._things:
            raise unknown_choice(self.what, name, self._things)
        return spelled

    def find(self, name: str) -> T:
        """Find a thing by name.

        Raises
        ------
        UsageError
            If nothing has that name; suggests, and lists the names.
        PluginError
            If a file that the user named fails; it may have held the thing.
        """
        return self._things[self.name(name)]

    def list(self, *patterns: str) -> list[str]:
        """List the names that match one of several wildcards, or all names if none is given; sorted.

        Raises
        ------
        PluginError
            If a file that the user named fails.
        """
        load_announced()
        return matching(sorted(self._things), patterns or ("*",), self._separator)

    @contextmanager
    def forgetful(self) -> Iterator[None]:
        """Forget at the end what is registered meanwhile; for tests.

        Examples
        --------
        >>> numbers = Registry("number")
        >>> with numbers.forgetful():
        ...     numbers.add("one", 1), numbers.list()
        ('one', ['one'])
        >>> numbers.list()
        []
        """
        things, places = dict(self._things), dict(self._places)
        try:
            yield
        finally:
            self._things, self._places = things, places


def matching(names: Iterable[str], patterns: Iterable[str], separator: str = "_") -> list[str]:
    """Choose the names that match one of several wildcards, in the order of the names.

    Parameters
    ----------
    names : iterable of str
        Names to choose from.
    patterns : iterable of str
        Wildcards with ``*``, ``?`` and ``[...]``.
    separator : str, optional
        Sign between the words of a name; a pattern may have the other one.

    Examples
    --------
    >>> matching(["model_a", "model_b", "ststnet"], ["model-*"])
    ['model_a', 'model_b']
    """
    wanted = set(patterns)
    # Within brackets a hyphen is a range.
    wanted |= {re.sub("[-_]", separator, pattern.lower()) for pattern in wanted if "[" not in pattern}
    return [name for name in names if any(fnmatchcase(name, pattern) for pattern in wanted)]


def warn_nameless(function: str, name: object) -> None:
    """Warn that a registration of the old form, which goes with the next release, lacks the name in the decorator.

    Parameters
    ----------
    function : str
        Name of the function that was called.
    name : object
        Name that the thing is registered by.
    """
    warnings.warn(
        f"{function}() takes a name: write @{function}({name!r}); the old form goes with the next release",
        FutureWarning,
        stacklevel=3,
    )
