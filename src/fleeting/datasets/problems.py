"""Faults of a data set on disk, and a folder that holds another one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fleeting.errors import UsageError

__all__ = ["SYNTHETIC", "Problem", "WrongFolderError"]

#: Marks a folder of clips, or of what was made from them, of people who do not exist.
SYNTHETIC = "synthetic.json"


class WrongFolderError(UsageError):
    """The folder does not hold this data set at all.

    Parameters
    ----------
    message : str
        The folder, what was expected and what was found.
    looks_like : sequence of str, optional
        Kinds of data sets that it seems to hold.
    """

    def __init__(self, message: str, looks_like: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.looks_like = tuple(looks_like)


@dataclass(frozen=True)
class Problem:
    """Something on disk that is not as it should be; never fatal.

    Attributes
    ----------
    dataset, subject, clip : str
        The clip, as far as it is known; may be empty.
    reason : str
        A sentence that says what was found.
    skipped : bool
        If True, the clip is left out because of it.
    remedy : str
        Advice to the user; empty where the reason says it.
    kind : str
        Sorts problems: ``missing clip``, ``missing frames``, ``unknown folder``, ``annotation``, ...
    """

    dataset: str
    subject: str
    clip: str
    reason: str
    skipped: bool = True
    remedy: str = ""
    kind: str = ""

    def __str__(self) -> str:
        name = "/".join(part for part in (self.dataset, self.subject, self.clip) if part)
        return f"{name}: {self.reason}{' (skipped)' if self.skipped else ''}"
