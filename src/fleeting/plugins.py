"""A user's own data sets, models, recipes and protocols: files and modules that register them when they are imported.

The environment variable ``FLEETING_PLUGINS`` names them, separated as in ``PATH``, so that worker processes know them
too: the registries look there before they call a name unknown. ``fleeting --plugin FILE`` and :func:`load_plugin` add
to it.
"""

from __future__ import annotations

import hashlib
import importlib
import os
import re
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_file_location
from pathlib import Path
from types import ModuleType

from fleeting.errors import FleetingError, PluginError

__all__ = ["VARIABLE", "load_announced", "load_plugin", "source_digest"]

VARIABLE = "FLEETING_PLUGINS"
# Module names of plugin files, so that my_model.py never meets an installed module of that name.
_PREFIX = "fleeting_plugin_"
_DOTTED = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")

_begun: set[str] = set()


def load_plugin(plugin: str | os.PathLike[str]) -> ModuleType:
    """Import a Python file, or a module by its dotted name, for what it registers.

    The plugin is added to ``FLEETING_PLUGINS`` of this process, from where the processes that it starts know it.
    Loading it again does nothing.

    Parameters
    ----------
    plugin : str or os.PathLike
        Path of a ``.py`` file, or the name of a module that can be imported.

    Raises
    ------
    PluginError
        If there is no such file or module, or it fails: a syntax error, a name that is taken, or anything else. The
        message says where.

    Examples
    --------
    >>> load_plugin("nothing_like_it.py")
    Traceback (most recent call last):
    ...
    fleeting.errors.PluginError: plugin nothing_like_it.py: no such file; expected a Python file or a module's name
    """
    entry, module = _resolve(os.fspath(plugin))
    loaded = _import(entry, module)
    announced = _announced()
    if entry not in announced:
        os.environ[VARIABLE] = os.pathsep.join([*announced, entry])
    return loaded


def load_announced() -> None:
    """Load what ``FLEETING_PLUGINS`` names and is not loaded yet; registries call it before a name is unknown.

    Raises
    ------
    PluginError
        If one of them fails; see :func:`load_plugin`.
    """
    for text in _announced():
        entry, module = _resolve(text)
        # A plugin that asks a registry while it is being imported must not begin again.
        if module not in _begun:
            _import(entry, module)


def source_digest(thing: object) -> str | None:
    """A hash of the file that defines a class or function; ``None`` for Fleeting's own and where there is no file.

    What is kept from run to run is told apart by it: code of one's own changes without a change of version.
    """
    name = getattr(thing, "__module__", None) or ""
    if name.partition(".")[0] == "fleeting":
        return None
    path = getattr(sys.modules.get(name), "__file__", None)
    try:
        return None if path is None else hashlib.sha256(Path(path).read_bytes()).hexdigest()[:16]
    except OSError:
        return None


def _announced() -> list[str]:
    return [part for part in os.environ.get(VARIABLE, "").split(os.pathsep) if part.strip()]


def _resolve(text: str) -> tuple[str, str]:
    """What the environment variable holds for a plugin, and the name of its module."""
    path = Path(text).expanduser()
    if _DOTTED.fullmatch(text) and path.suffix != ".py" and not os.path.lexists(path):
        return text, text
    try:
        there, regular = path.exists(), path.is_file()
    except OSError as exc:
        raise PluginError(f"plugin {text}: {exc.strerror}; expected a Python file or a module's name") from exc
    if not regular:
        found = "a folder" if path.is_dir() else "neither a file nor a folder" if there else "no such file"
        raise PluginError(f"plugin {text}: {found}; expected a Python file or a module's name")
    if path.suffix != ".py":
        raise PluginError(f"plugin {text}: found a {path.suffix or 'nameless'} file; expected a Python file (.py)")
    entry = str(path.resolve())
    if os.pathsep in entry:
        raise PluginError(
            f"plugin {entry}: {os.pathsep!r} in a path separates plugins in {VARIABLE}; rename the folder"
        )
    return entry, _module_name(entry)


def _module_name(entry: str) -> str:
    stem = re.sub(r"\W", "_", Path(entry).stem)
    return f"{_PREFIX}{stem}_{hashlib.sha256(entry.encode()).hexdigest()[:8]}"


def _import(entry: str, module: str) -> ModuleType:
    if module in sys.modules:
        _begun.add(module)
        return sys.modules[module]
    _begun.add(module)
    _files[module] = entry
    importlib.invalidate_caches()
    try:
        return importlib.import_module(module)
    except BaseException as exc:
        _begun.discard(module)
        if not isinstance(exc, Exception | SystemExit):
            raise
        raise PluginError(f"plugin {entry}: {_explain(exc, entry, module)}") from exc


def _explain(exc: BaseException, entry: str, module: str) -> str:
    if isinstance(exc, ModuleNotFoundError) and exc.name and module.startswith(exc.name):
        return "no such file and no such module; give the path of a Python file, or install the module"
    line = next((f", line {n}" for n in reversed(_lines(exc, entry))), "")
    if isinstance(exc, SyntaxError):
        at = f", line {exc.lineno}" if exc.filename == entry and exc.lineno else line
        return f"a syntax error{at}: {exc.msg}"
    if isinstance(exc, FleetingError):
        return f"{exc} (raised{line or ' on import'})"
    return f"it failed{line or ' on import'}: {type(exc).__name__}: {exc}"


def _lines(exc: BaseException, entry: str) -> list[int]:
    """Lines of the plugin's file that the error passed through, outermost first."""
    lines, trace = [], exc.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == entry:
            lines.append(trace.tb_lineno)
        trace = trace.tb_next
    return lines


_files: dict[str, str] = {}


class _PluginFinder(MetaPathFinder):
    """Finds plugin files by the names that :func:`_module_name` gives them.

    A recipe or a clip of a plugin's class reaches a worker process as a reference to that module; with this, the
    worker imports it before anything has looked at the registries.
    """

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if not fullname.startswith(_PREFIX):
            return None
        entry = _files.get(fullname) or next((e for e in _announced() if _module_name(e) == fullname), None)
        return None if entry is None else spec_from_file_location(fullname, entry)


sys.meta_path.append(_PluginFinder())
