"""The state of an analysis in one file, so that it goes on bit for bit: arrays in an ``.npz`` and plain JSON, no pickle.

Each part of an analysis gives its ``state()`` and goes on from it by ``restore()``. Only kinds named here come back, so a
file cannot make anything else.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import deque
from collections.abc import Mapping
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fleeting.analysis.lane import Measured
from fleeting.errors import FleetingError
from fleeting.faces import Box
from fleeting.files import write_atomic
from fleeting.spotting import FrameMotion, KeyFrame, MotionTable

__all__ = ["read_snapshot", "write_snapshot"]

_KINDS: dict[str, type] = {"Measured": Measured, "Box": Box, "FrameMotion": FrameMotion, "KeyFrame": KeyFrame}
_NAMES = {kind: name for name, kind in _KINDS.items()}


def write_snapshot(path: str | os.PathLike[str], content: Any) -> Path:
    """Write values and arrays to a file, whole or not at all."""
    arrays: dict[str, Any] = {}
    text = json.dumps(_packed(content, arrays))
    arrays["content"] = np.frombuffer(text.encode(), np.uint8)
    arrays["digest"] = np.frombuffer(_digest(arrays), np.uint8)
    return write_atomic(path, lambda file: np.savez(file, **arrays))


def read_snapshot(path: str | os.PathLike[str]) -> Any:
    """Read what :func:`write_snapshot` wrote.

    Raises
    ------
    FleetingError
        If the file is damaged.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        digest = arrays.pop("digest", None)
        # Numbers that were damaged fail long after, in the middle of the recording.
        if digest is not None and bytes(digest) != _digest(arrays):
            raise ValueError("it is not what was written")
        return _unpacked(json.loads(arrays["content"].tobytes().decode()), arrays)
    except Exception as exc:  # a damaged file fails in many ways
        raise FleetingError(
            f"{path}: cannot be resumed from ({type(exc).__name__}: {exc}); analyze the recording again into a new folder"
        ) from exc


def _digest(arrays: Mapping[str, Any]) -> bytes:
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"{name} {array.dtype.str} {array.shape};".encode())
        digest.update(array.tobytes())
    return digest.digest()


def _packed(value: Any, arrays: dict[str, Any]) -> Any:
    if value is None or (isinstance(value, bool | int | float | str) and not isinstance(value, np.generic)):
        return value
    if isinstance(value, np.ndarray | np.generic):
        name = f"a{len(arrays)}"
        arrays[name] = np.asarray(value)
        return {"is": "scalar" if isinstance(value, np.generic) else "array", "of": name}

    def inner(item: Any) -> Any:
        return _packed(item, arrays)

    if isinstance(value, slice):
        return {"is": "slice", "of": [value.start, value.stop]}
    if isinstance(value, list) and len(value) > 2 and all(isinstance(item, FrameMotion) for item in value):
        columns = [np.stack([np.asarray(row[i]) for row in value]) for i in range(len(FrameMotion._fields))]
        return {"is": "rows", "of": [inner(column) for column in columns]}
    if type(value) in _NAMES:
        fields = value._asdict() if hasattr(value, "_asdict") else vars(value)
        return {"is": "kind", "name": _NAMES[type(value)], "of": {k: inner(v) for k, v in fields.items()}}
    if isinstance(value, deque):
        whole = list(value)
        if whole and all(type(item) is float for item in whole):
            return {"is": "times", "of": inner(np.asarray(whole)), "most": value.maxlen}
        return {"is": "deque", "of": [inner(item) for item in whole], "most": value.maxlen}
    if type(value) is tuple or type(value) is list:
        return {"is": type(value).__name__, "of": [inner(item) for item in value]}
    if isinstance(value, dict):
        return {"is": "dict", "of": [[inner(k), inner(v)] for k, v in value.items()]}
    raise TypeError(f"a {type(value).__name__} cannot be part of a snapshot")


def _unpacked(value: Any, arrays: dict[str, Any]) -> Any:
    if not isinstance(value, dict):
        return value
    what, of = value["is"], value["of"]

    def inner(item: Any) -> Any:
        return _unpacked(item, arrays)

    if what in ("array", "scalar"):
        return arrays[of] if what == "array" else arrays[of][()]
    if what == "slice":
        return slice(*of)
    if what == "rows":
        table = MotionTable(1.0, *(inner(column) for column in of))
        return [table.row(k) for k in range(len(table))]
    if what == "kind":
        kind, fields = _KINDS[value["name"]], {name: inner(item) for name, item in of.items()}
        if not is_dataclass(kind):
            return kind(**fields)
        made = object.__new__(kind)
        for name, item in fields.items():
            object.__setattr__(made, name, item)
        return made
    if what == "times":
        return deque(inner(of).tolist(), value["most"])
    if what == "deque":
        return deque((inner(item) for item in of), value["most"])
    if what == "tuple":
        return tuple(inner(item) for item in of)
    if what == "list":
        return [inner(item) for item in of]
    return {inner(k): inner(v) for k, v in of}
