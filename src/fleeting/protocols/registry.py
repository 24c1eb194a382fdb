"""Protocols by name."""

from __future__ import annotations

from dataclasses import fields
from fnmatch import fnmatchcase
from typing import Any, TypeVar

from fleeting.errors import UsageError, unknown_choice
from fleeting.plugins import load_announced
from fleeting.protocols.base import Protocol

__all__ = ["create_protocol", "list_protocols", "register_protocol"]

_PROTOCOLS: dict[str, type[Protocol]] = {}
_P = TypeVar("_P", bound=type[Protocol])


def register_protocol(protocol: _P) -> _P:
    """Make a :class:`Protocol` subclass known by its ``name``; use it as a class decorator.

    Raises
    ------
    UsageError
        If another protocol has that name already, or the class lacks a name or its promise.
    """
    name = getattr(protocol, "name", None)
    if not isinstance(name, str) or not name or not isinstance(getattr(protocol, "subject_independent", None), bool):
        raise UsageError(
            f"{protocol.__name__} cannot be registered: it needs the class attributes name (text) and "
            f"subject_independent (True or False); found name={name!r}"
        )
    if _PROTOCOLS.get(name, protocol) is not protocol:
        raise UsageError(
            f"a protocol named {name!r} exists already ({_PROTOCOLS[name].__qualname__}); choose another name"
        )
    _PROTOCOLS[name] = protocol
    return protocol


def list_protocols(pattern: str = "*") -> list[str]:
    """Names of the registered protocols that match a wildcard, sorted.

    >>> list_protocols("*kfold")
    ['stratified-kfold', 'subject-kfold']
    """
    load_announced()
    return sorted(name for name in _PROTOCOLS if fnmatchcase(name, pattern))


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
    if name not in _PROTOCOLS:
        load_announced()
    if name not in _PROTOCOLS:
        raise unknown_choice("protocol", name, _PROTOCOLS)
    protocol = _PROTOCOLS[name]
    known = [field.name for field in fields(protocol) if field.init]
    for option in options:
        if option not in known:
            raise unknown_choice(f"option of protocol {name!r}:", option, known)
    return protocol(**options)
