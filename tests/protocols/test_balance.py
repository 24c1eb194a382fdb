"""People are dealt to folds as evenly as can be."""

from __future__ import annotations

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold

from fleeting.protocols.balance import balanced_groups


def test_whole_subjects_are_dealt_more_evenly_than_by_the_greedy_splitter() -> None:
    rng = np.random.default_rng(0)
    ours, greedy, holes = 0.0, 0.0, 0
    for trial in range(10):
        # As in SAMM: few clips of rare classes, spread unevenly over 28 people.
        counts = np.stack([rng.multinomial(n, rng.dirichlet(np.full(28, 0.7))) for n in (26, 9, 15)], axis=1)
        counts = counts[counts.sum(axis=1) > 0]
        labels = np.concatenate([np.repeat(np.arange(3), row) for row in counts])
        people = np.repeat(np.arange(len(counts)), counts.sum(axis=1))
        theirs = np.empty(len(counts), dtype=int)
        splitter = StratifiedGroupKFold(5, shuffle=True, random_state=trial)
        for fold, (_, test) in enumerate(splitter.split(labels, labels, people)):
            theirs[np.unique(people[test])] = fold

        def deviation(folds: np.ndarray, counts: np.ndarray = counts) -> float:
            found = np.zeros((5, 3))
            np.add.at(found, folds, counts)
            return float((np.abs(found - counts.sum(axis=0) / 5) / counts.sum(axis=0)).mean())

        mine = balanced_groups(counts.astype(np.int64), 5, trial)
        ours, greedy = ours + deviation(mine), greedy + deviation(theirs)
        found = np.zeros((5, 3))
        np.add.at(found, mine, counts)
        possible = np.minimum(5, (counts > 0).sum(axis=0))
        holes += int((possible - (found > 0).sum(axis=0)).sum())
    assert ours < 0.9 * greedy
    assert holes == 0
