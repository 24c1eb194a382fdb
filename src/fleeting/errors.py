"""Everything that can go wrong, as types.

Every error of ours derives from :class:`FleetingError` *and*, where there is one, from the built-in exception that
callers already catch. Its message says what was found, what was expected and what to do next.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path

__all__ = [
    "ClipReadError",
    "CollapseWarning",
    "EmptyClipError",
    "FleetingError",
    "FrameReadError",
    "LeakageError",
    "MissingExtraError",
    "ModelFileError",
    "NoFaceError",
    "NotAClipError",
    "PartialRunError",
    "PluginError",
    "UsageError",
    "unknown_choice",
]


class FleetingError(Exception):
    """Base of all errors raised on purpose. ``exit_code`` is what the command line returns for it."""

    exit_code: int = 1


class UsageError(FleetingError, ValueError):
    """A call that cannot be right whatever the data: a bad option, an unknown name, a wrong shape."""

    exit_code = 2


class ClipReadError(FleetingError, OSError):
    """A clip, or one frame of it, cannot be read. ``path`` names the file or folder."""

    def __init__(self, message: str, path: str | Path | None = None) -> None:
        super().__init__(message)
        self.path = None if path is None else Path(path)

    def __str__(self) -> str:
        return str(self.args[0])


class NotAClipError(ClipReadError):
    """The path is neither a folder of frames nor a video, or does not exist."""


class EmptyClipError(ClipReadError):
    """The folder or the video holds no frames."""


class FrameReadError(ClipReadError):
    """One frame exists but cannot be decoded (truncated, empty, or not an image)."""


class NoFaceError(FleetingError):
    """No face was found in any frame that was looked at."""


class LeakageError(FleetingError, ValueError):
    """A split that promises subject independence shares a subject between training and test."""


class PartialRunError(FleetingError):
    """A run folder lacks finished units and nobody asked for a partial result."""


class ModelFileError(FleetingError, OSError):
    """A saved model is missing, damaged, or of another format."""

    def __str__(self) -> str:
        return str(self.args[0])


class MissingExtraError(FleetingError, ImportError):
    """An optional dependency is not installed; the message says how to install it."""


class PluginError(UsageError, ImportError):
    """A file or module that was named as a plugin is missing or fails when it is imported."""


class CollapseWarning(UserWarning):
    """A training run has stopped learning: it answers a constant, or its layers are dead."""


def unknown_choice(what: str, found: object, choices: Iterable[str]) -> UsageError:
    """The error for a name that is not in a list: says what was found, suggests, and lists the choices.

    >>> print(unknown_choice("model", "model_aa", ["model_a", "ststnet"]))
    unknown model 'model_aa'; did you mean 'model_a'? Choose one of: model_a, ststnet
    """
    names = sorted(choices)
    near = get_close_matches(str(found), names, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else "."
    return UsageError(f"unknown {what} {found!r}{hint} Choose one of: {', '.join(names)}")


def missing_extra(purpose: str, package: str, extra: str) -> MissingExtraError:
    """The error for an optional package that is not installed, with the command that installs it.

    >>> print(missing_extra("writing ONNX files", "onnx", "export"))
    writing ONNX files needs the package onnx, which is not installed: pip install 'fleeting[export]'
    """
    return MissingExtraError(
        f"{purpose} needs the package {package}, which is not installed: pip install 'fleeting[{extra}]'"
    )
