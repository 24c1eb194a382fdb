"""Compare two methods on the same clips: is one better, or is it luck of the people at hand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from fleeting.errors import UsageError, unknown_choice
from fleeting.metrics.bootstrap import check_predictions, subject_confusions
from fleeting.metrics.scores import METRICS, as_labels, class_names

__all__ = ["PairedTest", "paired_permutation_test"]

# Below this, differences that only rounding tells apart count as equal, so that ties are on the safe side.
_EQUAL = 1e-12
_SHOWN = 3


@dataclass(frozen=True)
class PairedTest:
    """The difference of two methods, and how often swapping their answers would make one as large.

    Parameters
    ----------
    metric : str
        Name of the metric that was compared.
    first, second : float
        The metric of each, pooled.
    difference : float
        ``first - second``.
    p_value : float
        Two-sided, in (0, 1].
    low, high : float
        Ends of the bootstrap interval of the difference; NaN with one subject.
    level : float
        Its probability, such as 0.95.
    n_subjects, n_clips : int
        Subjects and clips that both answered.
    n_permutations : int
        Swaps that were tried, or all there are if ``exact``.
    exact : bool
        If True, all swaps were enumerated.
    """

    metric: str
    first: float
    second: float
    difference: float
    p_value: float
    low: float
    high: float
    level: float
    n_subjects: int
    n_clips: int
    n_permutations: int
    exact: bool


def paired_permutation_test(
    first: pd.DataFrame,
    second: pd.DataFrame,
    metric: str = "uf1",
    n: int = 10000,
    seed: int = 0,
    classes: Sequence[str] | None = None,
    *,
    n_bootstrap: int = 2000,
    level: float = 0.95,
) -> PairedTest:
    """Test whether two methods differ on the same clips, by swapping their answers for whole subjects.

    If the methods were equally good, it would not matter which of the two gave a person's answers: for each subject, the
    answers of the two are exchanged or not by the toss of a coin, and the pooled metric of both is computed again. The
    p-value is the share of exchanges with a difference at least as large as the one found, either way, the one found
    included: ``(b + 1) / (n + 1)`` (Phipson and Smyth 2010, Stat. Appl. Genet. Mol. Biol. 9). Clips of one
    person resemble each other, so single clips are not exchanged, which would give p-values that are too small.

    Where few subjects were answered differently, such that there are at most ``n`` exchanges, all are tried and the
    p-value is exact.

    The interval comes from drawing subjects with replacement, the same for both (paired cluster bootstrap), and is not
    derived from the test: the two may disagree near the edge.

    Parameters
    ----------
    first, second : pandas.DataFrame
        Predictions, one row per answer, with the columns ``subject, clip, label, prediction`` and, if they have one,
        ``dataset``. Both must answer the same clips, each as often.
    metric : str, optional
        ``uf1``, ``uar`` or ``accuracy``.
    n : int, optional
        Exchanges drawn.
    seed : int, optional
        Random seed of the draws; same tables and seed, same result.
    classes : sequence of str or None, optional
        Classes to score; by default all that occur in either table.
    n_bootstrap, level : int and float, optional
        Resamples and probability of the interval.

    Raises
    ------
    UsageError
        If the tables do not hold the same clips with the same labels (the message names some), lack columns or rows, or an
        option is impossible.

    Examples
    --------
    >>> table = pd.DataFrame({"subject": list("aabbcc"), "clip": list("123456"), "label": list("xyxyxy")})
    >>> right, wrong = table.assign(prediction=table["label"]), table.assign(prediction="x")
    >>> found = paired_permutation_test(right, wrong, "accuracy")
    >>> found.difference, found.p_value, found.exact
    (0.5, 0.25, True)
    """
    if metric not in METRICS:
        raise unknown_choice("metric", metric, METRICS)
    if n < 1 or n_bootstrap < 1 or not 0.0 < level < 1.0:
        raise UsageError(
            f"found n={n}, n_bootstrap={n_bootstrap} and level={level}; expected whole numbers of at least 1 and a level "
            "between 0 and 1"
        )
    who = [name for name in ("dataset", "subject") if name in first.columns]
    for table in (first, second):
        check_predictions(table, ["subject", "clip", *who])
    if ("dataset" in first.columns) != ("dataset" in second.columns):
        raise UsageError("one table of predictions has the column dataset and the other has not; expected both or none")
    _check_same_clips(first, second, [*who, "clip"])
    columns = [
        as_labels(f"column {name!r}", table[name].to_numpy())
        for table in (first, second)
        for name in ("label", "prediction")
    ]
    names = class_names(classes, *columns)
    ours, theirs = subject_confusions(first, who, names), subject_confusions(second, who, names)
    score = METRICS[metric]
    values = float(score(ours.sum(axis=0))), float(score(theirs.sum(axis=0)))
    p_value, tried, exact = _p_value(ours, theirs, metric, n, seed)
    low, high = _interval(ours, theirs, metric, n_bootstrap, level, seed)
    return PairedTest(
        metric=metric,
        first=values[0],
        second=values[1],
        difference=values[0] - values[1],
        p_value=p_value,
        low=low,
        high=high,
        level=level,
        n_subjects=len(ours),
        n_clips=len(first[[*who, "clip"]].drop_duplicates()),
        n_permutations=tried,
        exact=exact,
    )


def _check_same_clips(first: pd.DataFrame, second: pd.DataFrame, columns: list[str]) -> None:
    """Raise :class:`UsageError` unless both tables answer the same clips, equally often, with the same labels."""
    answered = [Counter(zip(*(table[name].astype(str) for name in columns))) for table in (first, second)]
    only = [sorted(one.keys() - other.keys()) for one, other in (answered, answered[::-1])]
    if only[0] or only[1]:
        said = [
            f"{len(keys)} only in the {which} ({_listed(keys)})"
            for which, keys in zip(("first", "second"), only)
            if keys
        ]
        both = len(answered[0].keys() & answered[1].keys())
        raise UsageError(
            f"the two methods did not answer the same clips: {' and '.join(said)}, {both} in both; expected the same clips. "
            "Run both on the same data, or keep the common clips of both tables"
        )
    uneven = sorted(key for key, times in answered[0].items() if times != answered[1][key])
    if uneven:
        key = uneven[0]
        raise UsageError(
            f"{len(uneven)} clips are answered a different number of times ({_listed([key])}: {answered[0][key]} and "
            f"{answered[1][key]}); expected tables of as many seeds"
        )
    labels = [
        dict(zip(zip(*(t[name].astype(str) for name in columns)), t["label"].astype(str))) for t in (first, second)
    ]
    differing = sorted(key for key, label in labels[0].items() if label != labels[1][key])
    if differing:
        key = differing[0]
        raise UsageError(
            f"the true labels of {len(differing)} clips differ ({_listed([key])} is {labels[0][key]!r} in the first and "
            f"{labels[1][key]!r} in the second); expected the same label scheme and release of the data"
        )


def _listed(keys: Sequence[tuple[str, ...]]) -> str:
    shown = ", ".join("/".join(key) for key in keys[:_SHOWN])
    return shown + (f" and {len(keys) - _SHOWN} more" if len(keys) > _SHOWN else "")


def _p_value(
    ours: npt.NDArray[np.int64], theirs: npt.NDArray[np.int64], metric: str, n: int, seed: int
) -> tuple[float, int, bool]:
    """Give the p-value, the number of exchanges tried, and whether these were all."""
    score = METRICS[metric]
    units, n_classes = len(ours), ours.shape[-1]
    change = (theirs - ours).reshape(units, -1)
    # Exchanging equal answers changes nothing, so only the others count.
    change = change[change.any(axis=1)]
    sums = ours.sum(axis=0).reshape(-1), theirs.sum(axis=0).reshape(-1)

    def differences(swaps: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        moved = swaps @ change
        pair = [(total + sign * moved).reshape(-1, n_classes, n_classes) for total, sign in zip(sums, (1, -1))]
        return np.asarray(np.abs(score(pair[0]) - score(pair[1])), dtype=np.float64)

    found = float(differences(np.zeros((1, len(change)), dtype=np.int64))[0]) - _EQUAL
    # 2 ** 62 still fits; more is never enumerated anyway.
    if 2 ** min(len(change), 62) <= n:
        total = 2 ** len(change)
        swaps = (np.arange(total)[:, None] >> np.arange(len(change))) & 1
        return float(np.mean(differences(swaps.astype(np.int64)) >= found)), total, True
    swaps = np.random.default_rng(seed).integers(0, 2, size=(n, len(change)), dtype=np.int64)
    return (int(np.sum(differences(swaps) >= found)) + 1) / (n + 1), n, False


def _interval(
    ours: npt.NDArray[np.int64], theirs: npt.NDArray[np.int64], metric: str, n: int, level: float, seed: int
) -> tuple[float, float]:
    units, n_classes = len(ours), ours.shape[-1]
    if units < 2:
        return np.nan, np.nan
    times = np.random.default_rng(seed).multinomial(units, np.full(units, 1.0 / units), size=n)
    first, second = (
        METRICS[metric]((times @ counts.reshape(units, -1)).reshape(n, n_classes, n_classes))
        for counts in (ours, theirs)
    )
    low, high = np.quantile(first - second, [(1.0 - level) / 2.0, (1.0 + level) / 2.0])
    return float(low), float(high)
