"""Which subject makes which expressions: evenly, or as unevenly as in real data sets."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from fleeting.errors import UsageError

__all__ = ["deal_counts"]

# As many subjects show a class as there are folds in the papers, if it has enough clips: each fold can then test it.
SHOWN_BY = 5


def deal_counts(counts: Mapping[str, int], subjects: int, rng: np.random.Generator) -> list[list[str]]:
    """Deal a number of clips of each emotion to subjects: everyone gets one, the rest goes where it falls.

    In real sets a few people show most expressions, and each has favourites; shares are drawn from gamma
    distributions. Each emotion goes to at least five different subjects, or as many as it has clips.

    Parameters
    ----------
    counts : mapping
        Emotion -> clips, at least 1 each.
    subjects : int
        People, at most as many as clips.
    rng : numpy.random.Generator
        Source of chance.

    Returns
    -------
    list of list of str
        The emotions of each subject's clips, in random order.

    Raises
    ------
    UsageError
        If there are fewer clips than subjects.

    Examples
    --------
    >>> dealt = deal_counts({"happiness": 3, "surprise": 2}, 2, np.random.default_rng(0))
    >>> sorted(emotion for clips in dealt for emotion in clips)
    ['happiness', 'happiness', 'happiness', 'surprise', 'surprise']
    """
    total = sum(counts.values())
    if total < subjects:
        raise UsageError(
            f"counts of {total} clips for {subjects} subjects; ask for at most {total} subjects, or more clips"
        )
    dealt: list[list[str]] = [[] for _ in range(subjects)]
    rest: list[str] = []
    for emotion, count in counts.items():
        sure = min(SHOWN_BY, count, subjects)
        # Those who have least so far, ties by lot: no subject is left without a clip for long.
        order = sorted(rng.permutation(subjects), key=lambda person: len(dealt[person]))
        for person in order[:sure]:
            dealt[person].append(emotion)
        rest += [emotion] * (count - sure)
    rest = [rest[i] for i in rng.permutation(len(rest))]
    empty = [person for person, clips in enumerate(dealt) if not clips]
    for person, emotion in zip(empty, rest):
        dealt[person].append(emotion)
    share = rng.gamma(1.6, size=subjects) + 0.05
    favour = {emotion: share * (rng.gamma(3.0, size=subjects) + 0.05) for emotion in counts}
    for emotion in rest[len(empty) :]:
        weights = favour[emotion]
        dealt[int(rng.choice(subjects, p=weights / weights.sum()))].append(emotion)
    return [[clips[i] for i in rng.permutation(len(clips))] for clips in dealt]
