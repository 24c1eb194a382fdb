"""The paired test against a plain loop over every exchange, under the null, and where the tables do not match."""

from itertools import product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleeting.errors import UsageError
from fleeting.metrics import accuracy, paired_permutation_test, uar, uf1

CLASSES = ["negative", "positive", "surprise"]
SCORES = {"uf1": uf1, "uar": uar, "accuracy": lambda truth, found, classes: accuracy(truth, found)}


def two_methods(rng, people=6, each=4, skills=(0.7, 0.5)):
    truth = rng.choice(CLASSES, people * each)
    base = pd.DataFrame(
        {
            "dataset": np.repeat(["casme2", "smic"], [people // 2 * each, (people - people // 2) * each]),
            "subject": np.repeat([f"s{i:02d}" for i in range(people)], each),
            "clip": [f"c{i:03d}" for i in range(people * each)],
            "label": truth,
        }
    )
    return [
        base.assign(prediction=np.where(rng.random(len(truth)) < skill, truth, rng.choice(CLASSES, len(truth))))
        for skill in skills
    ]


def plain_p_value(first, second, metric):
    """Every exchange, one by one, on rows."""
    people = sorted(set(zip(first["dataset"], first["subject"])))
    who = np.array([people.index(pair) for pair in zip(first["dataset"], first["subject"])])
    truth, ours, theirs = (table.to_numpy() for table in (first["label"], first["prediction"], second["prediction"]))

    def difference(swapped):
        a, b = np.where(swapped[who], theirs, ours), np.where(swapped[who], ours, theirs)
        return abs(SCORES[metric](truth, a, CLASSES) - SCORES[metric](truth, b, CLASSES))

    found = difference(np.zeros(len(people), dtype=bool))
    every = [difference(np.array(swaps)) for swaps in product([False, True], repeat=len(people))]
    return np.mean([value >= found - 1e-9 for value in every])


@pytest.mark.parametrize("metric", list(SCORES))
@pytest.mark.parametrize("seed", range(3))
def test_all_exchanges_are_those_of_a_plain_loop(metric, seed):
    first, second = two_methods(np.random.default_rng(seed))
    found = paired_permutation_test(first, second.sample(frac=1, random_state=seed), metric, classes=CLASSES)
    assert found.exact and found.p_value == pytest.approx(plain_p_value(first, second, metric))
    truth = first["label"]
    expected = [SCORES[metric](truth, table["prediction"], CLASSES) for table in (first, second)]
    assert [found.first, found.second] == pytest.approx(expected)
    assert found.difference == pytest.approx(expected[0] - expected[1])
    assert (found.n_subjects, found.n_clips) == (6, 24)


def test_drawn_exchanges_come_near_all_of_them():
    first, second = two_methods(np.random.default_rng(1), people=10)
    every = paired_permutation_test(first, second)
    drawn = paired_permutation_test(first, second, n=1000)
    assert every.exact and not drawn.exact and drawn.n_permutations == 1000
    # Six standard errors of a share of 1000.
    assert drawn.p_value == pytest.approx(every.p_value, abs=6 * np.sqrt(0.25 / 1000))
    assert drawn == paired_permutation_test(first, second, n=1000)
    assert drawn.p_value * 1001 == pytest.approx(round(drawn.p_value * 1001))


@pytest.mark.slow
def test_under_the_null_it_errs_as_often_as_it_says():
    # Equally good methods, with people as nuisance: some are easy for both.
    rng = np.random.default_rng(5)
    p_values = []
    for _ in range(400):
        skill = float(rng.uniform(0.4, 0.8))
        first, second = two_methods(rng, people=14, each=4, skills=(skill, skill))
        p_values.append(paired_permutation_test(first, second, n=199, classes=CLASSES, n_bootstrap=1).p_value)
    for level in (0.05, 0.2, 0.5):
        share = np.mean(np.array(p_values) <= level)
        # Valid at every level, and not needlessly shy: within four standard errors.
        assert abs(share - level) < 4 * np.sqrt(level * (1 - level) / 400) + 0.01, (level, share)


def test_a_better_method_is_found_and_people_are_what_counts():
    first, second = two_methods(np.random.default_rng(2), people=20, each=6, skills=(0.9, 0.4))
    found = paired_permutation_test(first, second, n=2000)
    assert found.p_value < 0.001 and found.low > 0 and found.low < found.difference < found.high
    # All answers of two people: with four exchanges no p-value is below a half, however many clips they have.
    pair = first["subject"].isin(["s00", "s19"])
    few = paired_permutation_test(first[pair], second[pair], n=2000)
    assert few.exact and few.p_value >= 0.5 - 1e-9


def test_the_interval_is_what_drawing_people_one_by_one_gives():
    first, second = two_methods(np.random.default_rng(4), people=7)
    found = paired_permutation_test(first, second, "uar", n_bootstrap=200, seed=9, classes=CLASSES, level=0.9)
    rng = np.random.default_rng(9)
    people = sorted(set(zip(first["dataset"], first["subject"])))
    values = []
    for times in rng.multinomial(7, np.full(7, 1 / 7), size=200):
        rows = [
            row
            for pair, n in zip(people, times)
            for row in np.flatnonzero((first["dataset"] == pair[0]) & (first["subject"] == pair[1])).tolist() * int(n)
        ]
        a, b = first.iloc[rows], second.iloc[rows]
        values.append(uar(a["label"], a["prediction"], CLASSES) - uar(b["label"], b["prediction"], CLASSES))
    assert [found.low, found.high] == pytest.approx(np.quantile(values, [0.05, 0.95]).tolist())


cells = st.lists(
    st.tuples(st.integers(0, 4), *[st.sampled_from(CLASSES)] * 3),
    min_size=1,
    max_size=30,
)


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(cells, st.sampled_from(list(SCORES)), st.sampled_from([8, 10000]))
def test_properties(rows, metric, n):
    table = pd.DataFrame(rows, columns=["subject", "label", "a", "b"]).assign(clip=range(len(rows)))
    first, second = (table.rename(columns={name: "prediction"}) for name in "ab")
    forth = paired_permutation_test(first, second, metric, n=n, classes=CLASSES)
    back = paired_permutation_test(second, first, metric, n=n, classes=CLASSES)
    assert forth.difference == -back.difference and 0 < forth.p_value <= 1
    assert forth.p_value == back.p_value
    np.testing.assert_allclose([forth.low, forth.high], [-back.high, -back.low], atol=1e-12)
    same = paired_permutation_test(first, first, metric, n=n)
    assert same.p_value == 1 and same.difference == 0 and (same.low in (0,) or same.n_subjects < 2)


def _without(table, column):
    return table.drop(columns=column)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda t: t.iloc[1:], "1 only in the first (casme2/s00/c000), 23 in both"),
        (lambda t: t.replace({"clip": {"c003": "new"}}), "1 only in the second (casme2/s00/new)"),
        (lambda t: t.assign(dataset="samm"), "24 only in the first (casme2/s00/c000, casme2/s00/c001"),
        (lambda t: pd.concat([t, t]), "a different number of times (casme2/s00/c000: 1 and 2)"),
        (lambda t: t.assign(label="positive"), "is 'negative' in the first and 'positive' in the second"),
        (lambda t: t.drop(columns="clip"), "clip"),
        (lambda t: t.drop(columns="dataset"), "dataset"),
        (lambda t: t.iloc[:0], "0 rows"),
        (lambda t: t.assign(prediction=None), "missing label"),
    ],
)
def test_tables_that_do_not_match_say_what_differs(change, says):
    first, second = two_methods(np.random.default_rng(0))
    first, second = (table.assign(label="negative") for table in (first, second))
    with pytest.raises(UsageError) as error:
        paired_permutation_test(first, change(second))
    assert says in str(error.value)


@pytest.mark.parametrize("wrong", [{"metric": "f1"}, {"n": 0}, {"level": 1.0}, {"n_bootstrap": 0}, {"classes": ["x"]}])
def test_impossible_options(wrong):
    first, second = two_methods(np.random.default_rng(0))
    with pytest.raises(UsageError):
        paired_permutation_test(first, second, **wrong)


def test_one_person_has_no_interval():
    first, second = two_methods(np.random.default_rng(0), people=1)
    found = paired_permutation_test(first, second)
    assert np.isnan(found.low) and np.isnan(found.high) and found.p_value == 1
