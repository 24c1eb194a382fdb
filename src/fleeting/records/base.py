"""Everything that records share: one way to disk, one tolerant way back, and errors that name file and field."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from fleeting.errors import FleetingError
from fleeting.files import without_nan, write_json

__all__ = ["Record", "RecordError", "explain_invalid", "read_json", "read_regular"]

# No record of ours comes near; what is larger is no record, and reading it would take the memory of the machine.
MOST_BYTES = 256 << 20


class RecordError(FleetingError, ValueError):
    """A file of ours is damaged, of another form, or no file at all.

    Parameters
    ----------
    path : str or os.PathLike
        The file.
    found : str
        The damage, or what was found and what was expected.
    remedy : str, optional
        Advice to the user.

    Attributes
    ----------
    path : pathlib.Path
        The file.
    found : str
        The damage.
    """

    def __init__(self, path: str | os.PathLike[str], found: str, remedy: str = "") -> None:
        super().__init__(f"{path}: {found}{'; ' + remedy if remedy else ''}")
        self.path = Path(path)
        self.found = found
        self._given = (str(path), found, remedy)

    def __reduce__(self) -> tuple[type[RecordError], tuple[str, str, str]]:
        # A worker process hands its errors over by value.
        return type(self), self._given

    def __str__(self) -> str:
        return str(self.args[0])


def read_regular(path: str | os.PathLike[str], *, most: int = MOST_BYTES, remedy: str = "") -> bytes:
    """Read a file that may be anything: a folder, a pipe that never ends, or larger than memory.

    Parameters
    ----------
    path : str or os.PathLike
        The file.
    most : int, optional
        Bytes that are read at most; a larger file is an error.
    remedy : str, optional
        Advice if it cannot be read; ends the message.

    Returns
    -------
    bytes
        Its content.

    Raises
    ------
    RecordError
        If it is missing, no regular file, too large, or cannot be read.
    """
    try:
        # A pipe blocks at the opening already, so it is looked at before.
        mode = Path(path).stat()
        if not stat.S_ISREG(mode.st_mode):
            kind = "a folder" if stat.S_ISDIR(mode.st_mode) else "a pipe or device"
            raise RecordError(path, f"is {kind}; expected a file", remedy)
        if mode.st_size > most:
            raise RecordError(path, f"holds {mode.st_size} bytes; expected at most {most}", remedy)
        return Path(path).read_bytes()
    except RecordError:
        raise
    except FileNotFoundError as exc:
        raise RecordError(path, "does not exist", remedy) from exc
    except (OSError, ValueError, MemoryError) as exc:
        # ValueError: a null character in the name.
        raise RecordError(path, f"cannot be read ({getattr(exc, 'strerror', None) or exc})", remedy) from exc


def read_json(path: str | os.PathLike[str], *, remedy: str = "") -> Any:
    """Read a JSON file, whatever is in it.

    Parameters
    ----------
    path : str or os.PathLike
        The file.
    remedy : str, optional
        Advice if it cannot be read; ends the message.

    Returns
    -------
    object
        The value.

    Raises
    ------
    RecordError
        If it cannot be read, is not UTF-8, is not JSON, or is nested too deeply.
    """
    content = read_regular(path, remedy=remedy)
    try:
        text = content.decode("utf-8-sig")
        value = json.loads(text)
        if "\\ud" in text.lower():
            # Half of a surrogate pair is no character: whoever writes it later would fail.
            json.dumps(value, ensure_ascii=False).encode()
        return value
    except UnicodeDecodeError as exc:
        raise RecordError(path, f"is not UTF-8 text (byte {exc.start})", remedy) from exc
    except RecursionError as exc:
        raise RecordError(path, "is nested too deeply; expected a record of ours", remedy) from exc
    except (ValueError, MemoryError) as exc:
        raise RecordError(path, f"is not JSON ({exc})", remedy) from exc


def explain_invalid(exc: ValidationError) -> str:
    """Say in words which field of a record is wrong: its place, what was expected and what was found.

    Parameters
    ----------
    exc : pydantic.ValidationError
        The error that pydantic raised.

    Returns
    -------
    str
        Up to three fields, separated by semicolons.
    """
    errors = exc.errors(include_url=False, include_context=False)
    told = []
    for error in errors[:3]:
        place = ".".join(str(part) for part in error["loc"])
        message = str(error["msg"]).removeprefix("Value error, ")
        found = "" if error["type"] == "missing" else f", found {_shown(error['input'])}"
        told.append(f"{place or 'the whole'}: {message[:1].lower()}{message[1:]}{found}")
    more = len(errors) - len(told)
    return "; ".join(told) + (f"; and {more} more" if more > 0 else "")


def _shown(value: object) -> str:
    try:
        return repr(value)[:60]
    except (RecursionError, ValueError):
        # Nested too deeply, or a number of more digits than Python prints.
        return f"{type(value).__name__} that cannot be shown"


class Record(BaseModel):
    """One thing that a room writes and another reads.

    Fields that a later version adds have defaults, so that old folders still open; fields that this version does not know
    are left unread, so that new folders open in an old program as far as they can.

    Attributes
    ----------
    remedy : str
        Advice if one cannot be read; ends every message.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False, arbitrary_types_allowed=False)

    remedy: ClassVar[str] = ""

    @classmethod
    def parse(cls, value: Any, path: str | os.PathLike[str]) -> Self:
        """Check a value that was read from a file.

        Parameters
        ----------
        value : object
            The value of a JSON file, or a row of a table.
        path : str or os.PathLike
            The file that it comes from, for the message.

        Raises
        ------
        RecordError
            If it has another form; names the file, the field, what was expected and what was found.
        """
        if not isinstance(value, dict):
            raise RecordError(path, f"holds {type(value).__name__}; expected named fields", cls.remedy)
        try:
            return cls.model_validate(value)
        except ValidationError as exc:
            raise RecordError(path, explain_invalid(exc), cls.remedy) from exc
        except RecursionError as exc:
            raise RecordError(path, "is nested too deeply; expected a record of ours", cls.remedy) from exc

    @classmethod
    def salvage(cls, value: Any, path: str | os.PathLike[str]) -> tuple[Self, list[str]]:
        """Check a value, and leave out those of its fields that are damaged but have a default.

        Parameters
        ----------
        value : object
            The value that JSON gave.
        path : str or os.PathLike
            The file that it comes from, for the messages.

        Returns
        -------
        tuple of (Record, list of str)
            The record, and a sentence about each field that was left out.

        Raises
        ------
        RecordError
            If a field is damaged that the record cannot do without.
        """
        problems: list[str] = []
        while True:
            try:
                return cls.parse(value, path), problems
            except RecordError as exc:
                cause = exc.__cause__
                if not isinstance(cause, ValidationError) or not isinstance(value, dict):
                    raise
                damaged = {str(error["loc"][0]) for error in cause.errors() if error["loc"]}
                damaged = {name for name in damaged if name in value and not cls.model_fields[name].is_required()}
                if not damaged:
                    raise
                problems.append(f"{Path(path).name}: {explain_invalid(cause)}; this was left out.")
                value = {name: item for name, item in value.items() if name not in damaged}

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Self:
        """Read the record that a file holds.

        Raises
        ------
        RecordError
            If the file is missing, damaged or of another form.
        """
        return cls.parse(read_json(path, remedy=cls.remedy), path)

    def to_json(self) -> dict[str, Any]:
        """Give the record as JSON-ready dictionaries; numbers that are not finite become ``None``."""
        value: dict[str, Any] = without_nan(self.model_dump(mode="json"))
        return value

    def write(self, path: str | os.PathLike[str]) -> Path:
        """Write the record atomically.

        Raises
        ------
        FleetingError
            If the file cannot be written.
        """
        return write_json(path, self.to_json())
