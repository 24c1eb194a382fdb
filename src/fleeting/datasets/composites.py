"""Composites: several data sets scored as one. Which sets, how many people of each, and which sets show the same people.

The facts are data with sources: ``composites.csv``, ``people.csv``, and the class counts of ``published.csv``.
"""

from __future__ import annotations

from fleeting.datasets.facts import read_facts

__all__ = ["composite_exclusions", "composite_subjects", "people_of"]


def composite_subjects(scheme: str) -> dict[str, int]:
    """List the people of each data set in the composite that a label scheme belongs to; empty if it belongs to none.

    >>> composite_subjects("megc2019")
    {'casme2': 24, 'smic': 16, 'samm': 28}
    """
    return {row["dataset"]: int(row["subjects"]) for row in read_facts("composites.csv") if row["scheme"] == scheme}


def composite_exclusions(scheme: str) -> dict[tuple[str, str, str], str]:
    """Explain why a composite leaves clips out, by ``(dataset, subject, clip)``."""
    return {
        (row["dataset"], row["subject"], row["clip"]): row["source"]
        for row in read_facts("exclusions.csv")
        if row["scheme"] == scheme
    }


def people_of(dataset: str) -> str:
    """Name the people that a data set shows: sets of one name filmed the same people under the same subject names.

    >>> people_of("smic-vis") == people_of("smic"), people_of("casme2")
    (True, 'casme2')
    """
    return next((row["people"] for row in read_facts("people.csv") if row["dataset"] == dataset), dataset)
