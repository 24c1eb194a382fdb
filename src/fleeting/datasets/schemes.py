"""Label schemes: how each study names the clips of each data set. They are data, ``schemes.csv``, with sources.

``original``
    The data sets' own words; nothing is left out.
``talluri2022``
    happy, disgust and surprise (Talluri et al. 2022, table 1). SMIC, which has no such labels, takes part with its
    positive clips as happy and its negative ones as disgust, in whose rows the paper's table prints them.
``megc2019``
    negative, positive and surprise: the composite data set of the 2019 Facial Micro-Expressions Grand Challenge, without
    the two clips of CASME II that it leaves out (``exclusions.csv``).

Sets that a scheme does not name (synthetic clips, a folder of one's own) are labelled by the same words.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING

from fleeting.clips import Clip
from fleeting.datasets.facts import known_counts, read_facts
from fleeting.datasets.problems import Problem
from fleeting.errors import UsageError
from fleeting.registry import Registry

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "Discrepancy",
    "apply_scheme",
    "left_out",
    "list_schemes",
    "published_counts",
    "scheme_classes",
    "scheme_discrepancies",
]

ORIGINAL = "original"
_ANY = "*"


@dataclass(frozen=True)
class Discrepancy:
    """A class whose number of clips is not the published one.

    Attributes
    ----------
    dataset, label : str
        The data set, and the scheme's name of the class.
    found, published : int
        Clips here, and in ``source``.
    note : str
        Explanation of the difference, as far as one is known.
    source : str
        Paper that published it.
    """

    dataset: str
    label: str
    found: int
    published: int
    note: str
    source: str = ""

    def __str__(self) -> str:
        return f"{self.dataset}: {self.found} {self.label}, published {self.published} ({self.source}): {self.note}"


def list_schemes(pattern: str = "*") -> list[str]:
    """List the names of the label schemes that match a wildcard, sorted.

    >>> list_schemes()
    ['megc2019', 'original', 'talluri2022']
    """
    return _schemes().list(pattern)


@cache
def _schemes() -> Registry[tuple[str, ...]]:
    """The labels of each scheme."""
    schemes: Registry[tuple[str, ...]] = Registry("label scheme")
    schemes.add(ORIGINAL, ())
    rows = read_facts("schemes.csv")
    for name in dict.fromkeys(row["scheme"] for row in rows):
        labels = (row["label"] for row in rows if row["scheme"] == name)
        schemes.add(name, tuple(dict.fromkeys(label for label in labels if label)))
    return schemes


def scheme_classes(scheme: str) -> tuple[str, ...]:
    """List the labels of a scheme, in the order of its paper; empty for ``original``, which has each set's own.

    >>> scheme_classes("talluri2022")
    ('happy', 'disgust', 'surprise')
    """
    return _schemes().find(scheme)


def apply_scheme(clips: Iterable[Clip], scheme: str) -> list[Clip]:
    """Select the clips that a scheme has a label for, with that label as their emotion.

    Clips that carry the scheme's labels already stay as they are, so applying a scheme twice does nothing. What is left
    out, and why, :func:`left_out` says.

    Parameters
    ----------
    clips : iterable of Clip
        With the labels of their data sets.
    scheme : str
        One of :func:`list_schemes`.

    Raises
    ------
    UsageError
        If the scheme is unknown, or knows none of the labels that there are.
    """
    given = list(clips)
    scheme = _schemes().name(scheme)
    labelled = [(clip, *_label(scheme, clip.dataset, clip.subject, clip.name, clip.emotion)) for clip in given]
    if given and not any(known for _, _, _, known in labelled):
        words = sorted({str(clip.emotion) for clip in given})
        raise UsageError(
            f"scheme {scheme!r} knows none of the labels {', '.join(words[:8])}; expected words such as "
            f"{', '.join(_expected(scheme, given[0].dataset))}, or use the scheme 'original'"
        )
    return [
        clip if clip.emotion == label else replace(clip, emotion=label)
        for clip, label, _, _ in labelled
        if label is not None or scheme == ORIGINAL
    ]


def left_out(clips: Iterable[Clip], scheme: str) -> list[Problem]:
    """List the clips that :func:`apply_scheme` drops, each with the reason."""
    found = []
    scheme = _schemes().name(scheme)
    for clip in clips:
        label, reason, _ = _label(scheme, clip.dataset, clip.subject, clip.name, clip.emotion)
        if label is None and scheme != ORIGINAL:
            found.append(Problem(clip.dataset, clip.subject, clip.name, reason, kind="scheme"))
    return found


def published_counts(scheme: str) -> dict[tuple[str, str], int]:
    """Look up published numbers of clips by ``(dataset, label)``; for ``original`` those of the data sets themselves."""
    return {key: count for key, (count, _, _) in _published(_schemes().name(scheme)).items()}


def scheme_discrepancies(clips: Iterable[Clip] | pd.DataFrame, scheme: str) -> list[Discrepancy]:
    """Compare the number of clips of each class with the published one, for each known set among the clips.

    The complete sets differ from Talluri et al. 2022, table 1, in three places: the table swaps SAMM's disgust (9) and
    surprise (15), and prints 28 surprise for CASME II where the coding sheet has 25.

    Parameters
    ----------
    clips : iterable of Clip or pandas.DataFrame
        Clips or their table (:func:`fleeting.clips.clips_table`), before or after :func:`apply_scheme`.
    scheme : str
        One of :func:`list_schemes`.
    """
    rows = _rows(clips)
    scheme = _schemes().name(scheme)
    counts = Counter((row[0], _label(scheme, *row)[0]) for row in rows)
    sets = list(dict.fromkeys(row[0] for row in rows))
    found = []
    for dataset in sets:
        here = {label: n for (name, label), n in counts.items() if name == dataset and label is not None}
        for (name, label), (published, source, note) in _published(scheme).items():
            if name != dataset or here.get(label, 0) == published:
                continue
            number = here.get(label, 0)
            known = _true_counts(scheme, dataset)
            # The note explains the difference between the paper and the complete set, and no other.
            if not (note and known.get(label) == number):
                short = sum(here.values()) < sum(known.values())
                note = (
                    "the set here is incomplete, or some of its clips could not be used"
                    if short
                    else "another release, or other clips were used"
                )
            found.append(Discrepancy(dataset, label, number, published, note, source))
    return found


def _rows(clips: Iterable[Clip] | pd.DataFrame) -> list[tuple[str, str, str, str | None]]:
    import pandas as pd

    if not isinstance(clips, pd.DataFrame):
        return [(c.dataset, c.subject, c.name, c.emotion) for c in clips]
    columns = [clips[name] for name in ("dataset", "subject", "clip", "emotion")]
    return [(str(d), str(s), str(c), e if isinstance(e, str) else None) for d, s, c, e in zip(*columns)]


@cache
def _mapping(scheme: str) -> dict[str, dict[str, str]]:
    """Data set -> word in lower case -> label; an empty label leaves the clip out."""
    found: dict[str, dict[str, str]] = {}
    for row in read_facts("schemes.csv"):
        if row["scheme"] == scheme:
            found.setdefault(row["dataset"], {})[row["original"].lower()] = row["label"]
    return found


def _words(scheme: str, dataset: str) -> dict[str, str]:
    # smic-hs-e and the other subsets share the words of smic.
    mapping = _mapping(scheme)
    return mapping.get(dataset) or mapping.get(dataset.partition("-")[0]) or mapping[_ANY]


def _expected(scheme: str, dataset: str) -> list[str]:
    return [word for word, label in _words(scheme, dataset).items() if label]


def _label(scheme: str, dataset: str, subject: str, clip: str, emotion: str | None) -> tuple[str | None, str, bool]:
    """The scheme's label or None, why it is None, and whether the scheme knows the word at all."""
    if scheme == ORIGINAL:
        return emotion, "", True
    if emotion is None:
        return None, "the clip has no label", False
    for row in read_facts("exclusions.csv"):
        if (row["scheme"], row["dataset"], row["subject"], row["clip"]) == (scheme, dataset, subject, clip):
            return None, f"{scheme} leaves this clip out ({row['source']})", True
    words = _words(scheme, dataset)
    label = words.get(emotion.strip().lower())
    if label is None and emotion in words.values():
        label = emotion
    if label is None:
        return None, f"{scheme} does not know the label {emotion!r}; it knows {', '.join(words)}", False
    return (label, "", True) if label else (None, f"{scheme} has no class for {emotion!r}", True)


@cache
def _published(scheme: str) -> dict[tuple[str, str], tuple[int, str, str]]:
    if scheme == ORIGINAL:
        return {
            (row["dataset"], row["emotion"]): (int(row["count"]), row["source"], "") for row in read_facts("counts.csv")
        }
    return {
        (row["dataset"], row["label"]): (int(row["count"]), row["source"], row["note"])
        for row in read_facts("published.csv")
        if row["scheme"] == scheme
    }


def _true_counts(scheme: str, dataset: str) -> Counter[str]:
    """The counts that the scheme makes of the complete data set."""
    counts: Counter[str] = Counter()
    for emotion, count in known_counts(dataset).items():
        label, _, _ = _label(scheme, dataset, "", "", emotion)
        if label is not None:
            counts[label] += count
    return counts
