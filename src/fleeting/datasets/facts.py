"""Facts about the data sets, read from the CSV files beside this module: each fact once, with its source."""

from __future__ import annotations

from typing import TypeVar

from fleeting.files import read_rows

__all__ = ["counts_text", "documented", "errata", "known_counts", "known_remarks", "read_facts"]

T = TypeVar("T")


def read_facts(name: str) -> tuple[dict[str, str], ...]:
    """Read the rows of one of the package's CSV files, as text.

    Parameters
    ----------
    name : str
        ``counts.csv``, ``errata.csv``, ``exclusions.csv``, ``known.csv``, ``published.csv`` or ``schemes.csv``.
    """
    return read_rows("fleeting.datasets", name)


def known_counts(dataset: str) -> dict[str, int]:
    """Count the clips of each emotion in the complete data set, commonest first; empty where nothing is known of it."""
    return {row["emotion"]: int(row["count"]) for row in read_facts("counts.csv") if row["dataset"] == dataset}


def errata(dataset: str) -> dict[tuple[str, str], list[dict[str, str]]]:
    """List corrections by ``(subject, clip)``; each has ``field``, ``found``, ``corrected`` and ``source``.

    ``found`` of ``*`` stands for any other value than the corrected one.
    """
    found: dict[tuple[str, str], list[dict[str, str]]] = {}
    for row in read_facts("errata.csv"):
        if row["dataset"] == dataset:
            found.setdefault((row["subject"], row["clip"]), []).append(row)
    return found


def known_remarks(dataset: str) -> dict[tuple[str, str, str], str]:
    """Look up remarks that explain a problem, by ``(subject, clip, kind of problem)``."""
    return {
        (row["subject"], row["clip"], row["kind"]): row["remark"]
        for row in read_facts("known.csv")
        if row["dataset"] == dataset
    }


def counts_text(dataset: str) -> str:
    """Give the counts as a sentence.

    >>> counts_text("smic")
    'negative 70, positive 51, surprise 43'
    """
    return ", ".join(f"{emotion} {count}" for emotion, count in known_counts(dataset).items())


def documented(cls: type[T]) -> type[T]:
    """Write the known counts into the docstring of a class, where it says ``{counts:KIND}``."""
    if cls.__doc__:
        for kind in dict.fromkeys(row["dataset"] for row in read_facts("counts.csv")):
            cls.__doc__ = cls.__doc__.replace(f"{{counts:{kind}}}", counts_text(kind))
    return cls
