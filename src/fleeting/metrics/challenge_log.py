"""The log in which results on the MEGC 2019 composite are handed in and passed on.

A line ``DATASET SUBJECT`` begins a subject, as in ``casme2 sub01``; each line ``CLIP TRUTH PREDICTION`` below is one
answer, as in ``EP02_01f 0 0``. Classes are numbers: 0 negative, 1 positive, 2 surprise. Subjects are called as their
folders: CASME II's ``01`` is ``sub01``; SMIC's ``s01`` and SAMM's ``006`` stay.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from fleeting.errors import FleetingError, UsageError
from fleeting.files import write_text
from fleeting.metrics.bootstrap import check_predictions
from fleeting.records import read_regular

if TYPE_CHECKING:
    import os

__all__ = ["challenge_classes", "read_challenge_log", "write_challenge_log"]

_COLUMNS = ("dataset", "subject", "clip", "label", "prediction")
# What stands before a subject's name in the folders of a data set.
_PREFIX = {"casme2": "sub"}


def challenge_classes() -> tuple[str, ...]:
    """List the classes of the composite; the place of each is its number in a log.

    >>> challenge_classes()
    ('negative', 'positive', 'surprise')
    """
    from fleeting.datasets.schemes import scheme_classes

    return scheme_classes("megc2019")


def write_challenge_log(path: str | os.PathLike[str], table: pd.DataFrame) -> Path:
    """Write predictions as a challenge log: data set by data set, subject by subject, sorted by name.

    Parameters
    ----------
    path : str or os.PathLike
        File to write; it is written whole or not at all.
    table : pandas.DataFrame
        Predictions with the columns ``dataset, subject, clip, label, prediction``, each clip once; labels and
        predictions are among :func:`challenge_classes`.

    Returns
    -------
    pathlib.Path
        The path.

    Raises
    ------
    UsageError
        If the table lacks rows or columns, holds a clip twice (several seeds), another class, or a name that the format
        cannot hold: one that is empty or has blanks in it, or a subject whose header would read as half an answer.
    """
    check_predictions(table, ["dataset", "subject", "clip"])
    classes = challenge_classes()
    number = {name: code for code, name in enumerate(classes)}
    rows = sorted(zip(*(table[name].astype(str) for name in _COLUMNS)))
    lines: list[str] = []
    before: tuple[str, str] | None = None
    seen: set[tuple[str, str, str]] = set()
    for dataset, subject, clip, *answer in rows:
        foreign = [name for name in answer if name not in number]
        if foreign:
            raise UsageError(
                f"clip {dataset}/{subject}/{clip} has the class {foreign[0]!r}; a challenge log knows {', '.join(classes)}: "
                "use the label scheme megc2019"
            )
        if (dataset, subject, clip) in seen:
            raise UsageError(
                f"clip {dataset}/{subject}/{clip} is answered more than once; a challenge log holds one answer per clip: "
                "give the predictions of one seed"
            )
        seen.add((dataset, subject, clip))
        folder = _PREFIX.get(dataset, "") + subject
        for what, name in (("data set", dataset), ("subject", subject), ("clip", clip)):
            # The reader's own idea of a blank, and of a character that begins a file.
            if name.split() != [name] or "\ufeff" in name:
                raise UsageError(
                    f"the {what} {name!r} cannot be written to a challenge log, which separates names by blanks; rename it"
                )
        if _is_code(folder):
            raise UsageError(
                f"the subject {dataset}/{subject} cannot be written to a challenge log: the line '{dataset} {folder}' would "
                "read as an answer that was cut off; rename it, as in 's01'"
            )
        if (dataset, subject) != before:
            lines.append(f"{dataset} {folder}")
            before = dataset, subject
        lines.append(f"{clip} {number[answer[0]]} {number[answer[1]]}")
    return write_text(path, "\n".join(lines) + "\n")


def read_challenge_log(path: str | os.PathLike[str]) -> pd.DataFrame:
    """Read a challenge log, also one that was written elsewhere.

    Blank lines, further blanks, line ends of any system, a byte order mark and a missing last line end are all fine.

    Parameters
    ----------
    path : str or os.PathLike
        The log.

    Returns
    -------
    pandas.DataFrame
        Columns ``dataset, subject, clip, label, prediction``, one row per answer, in the order
        of the file; subjects and classes are called as everywhere else in this package.

    Raises
    ------
    FleetingError
        If the file cannot be read, is empty, or has a line that cannot be: an unknown class, an answer before any subject,
        a line that was cut off, a subject without answers, or a clip that occurs twice. The message gives the line.
    """
    path = Path(path)
    content = read_regular(path, remedy="expected a challenge log")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        raise FleetingError(
            f"{path}: not a challenge log, as it is no UTF-8 text (byte {exc.start}); expected lines such as 'casme2 sub01' "
            "and 'EP02_01f 0 0'"
        ) from None
    classes = challenge_classes()
    rows: list[tuple[str, ...]] = []
    lines_of: dict[tuple[str, str, str], int] = {}
    header: tuple[str, str, int] | None = None
    answers = 0

    def wrong(number: int, what: str, expected: str) -> FleetingError:
        return FleetingError(f"{path}, line {number}: {what}; expected {expected}")

    # Not splitlines(), which also splits at characters that a name may hold.
    for number, line in enumerate(re.split(r"\r\n|\r|\n", text), start=1):
        words = line.split()
        if not words:
            continue
        shown = " ".join(words)[:80]
        if len(words) == 2 and not _is_code(words[1]):
            if header is not None and not answers:
                raise wrong(header[2], f"subject '{header[0]} {header[1]}' has no answer", "at least one below it")
            header, answers = (words[0], _subject(*words), number), 0
            continue
        if len(words) != 3:
            what = "one word" if len(words) == 1 else f"{len(words)} words"
            cut = ": was it cut off?" if len(words) < 3 else ""
            raise wrong(
                number, f"found {what} ({shown!r}){cut}", "a subject ('casme2 sub01') or an answer ('EP02_01f 0 0')"
            )
        clip, *codes = words
        for code in codes:
            if not _is_code(code) or int(code) >= len(classes):
                known = ", ".join(f"{i} {name}" for i, name in enumerate(classes))
                raise wrong(number, f"unknown class {code!r} in {shown!r}", f"one of {known}")
        if header is None:
            raise wrong(
                number, f"the answer {shown!r} stands before any subject", "a line such as 'casme2 sub01' above it"
            )
        key = (header[0], header[1], clip)
        if key in lines_of:
            raise wrong(number, f"clip {'/'.join(key)} was answered in line {lines_of[key]} already", "each clip once")
        lines_of[key] = number
        answers += 1
        rows.append((*key, classes[int(codes[0])], classes[int(codes[1])]))
    if header is not None and not answers:
        raise wrong(header[2], f"subject '{header[0]} {header[1]}' has no answer", "at least one below it")
    if not rows:
        raise FleetingError(f"{path}: is empty; expected lines such as 'casme2 sub01' and 'EP02_01f 0 0'")
    return pd.DataFrame(rows, columns=list(_COLUMNS))


def _is_code(word: str) -> bool:
    """Whether a word is the number of a class, known or not: one digit."""
    return len(word) == 1 and word in "0123456789"


def _subject(dataset: str, folder: str) -> str:
    prefix = _PREFIX.get(dataset, "")
    name = folder.removeprefix(prefix)
    return name or folder
