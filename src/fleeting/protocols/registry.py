"""Protocols by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import Any, TypeVar, overload

from fleeting.errors import UsageError, unknown_choice
from fleeting.protocols.base import Protocol
from fleeting.registry import Registry, warn_nameless

__all__ = ["PROTOCOLS", "create_protocol", "list_protocols", "register_protocol"]

PROTOCOLS: Registry[type[Protocol]] = Registry("protocol", separator="-")
_P = TypeVar("_P", bound=type[Protocol])


@overload
def register_protocol(name: str) -> Callable[[_P], _P]: ...


@overload
def register_protocol(name: _P) -> _P: ...


def register_protocol(name: Any) -> Any:
    """Make a :class:`Protocol` subclass known by name, which becomes its class attribute; use it as a decorator.

    Parameters
    ----------
    name : str
        Name by which :func:`create_protocol` finds it.

    Raises
    ------
    UsageError
        If another protocol has that name already, or the class lacks its promise.
    """
    if isinstance(name, type):
        own = getattr(name, "name", None)
        warn_nameless("register_protocol", own)
        return _register(own if isinstance(own, str) else "", name)
    return lambda protocol: _register(name, protocol)


def _register(name: str, protocol: _P) -> _P:
    if not isinstance(getattr(protocol, "subject_independent", None), bool):
        raise UsageError(
            f"{protocol.__name__} cannot be registered: it needs the class attribute subject_independent (True or False)"
        )
    own = vars(protocol).get("name", name)
    if PROTOCOLS.spell(own) != PROTOCOLS.spell(name):
        raise UsageError(
            f"{protocol.__name__} calls itself {own!r} and is registered as {name!r}; leave its attribute name out"
        )
    protocol.name = PROTOCOLS.add(name, protocol)
    return protocol


def list_protocols(pattern: str = "*") -> list[str]:
    """List the names of the registered protocols that match a wildcard, sorted.

    >>> list_protocols("*kfold")
    ['stratified-kfold', 'subject-kfold']
    """
    return PROTOCOLS.list(pattern)


def create_protocol(name: str, **options: Any) -> Protocol:
    """Build a protocol by name.

    Parameters
    ----------
    name : str
        One of :func:`list_protocols`.
    options : object
        Its fields, such as ``folds`` and ``seed``.

    Raises
    ------
    UsageError
        If the name or an option is unknown, or an option's value is impossible.

    Examples
    --------
    >>> create_protocol("stratified-kfold", folds=5, seed=1)
    StratifiedKFoldProtocol(seed=1, label='emotion', folds=5)
    """
    protocol = PROTOCOLS.find(name)
    known = [field.name for field in fields(protocol) if field.init]
    for option in options:
        if option not in known:
            raise unknown_choice(f"option of protocol {name!r}:", option, known)
    return protocol(**options)
