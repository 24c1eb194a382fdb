"""Nothing that lies on disk gives a traceback or a hang, and nothing wrong is silently believed: a sample, by seeds.

``benchmarks/mutants.py`` tries ten thousand. ``python tests/mutants/harness.py FOLDER SEED`` shows one again.
"""

import pytest
from examples import EXAMPLES, files_of
from harness import FINE, REFUSED, WRONG, run_mutant

SEEDS = range(8)


@pytest.mark.parametrize("name", EXAMPLES)
def test_damaged_files_are_refused_in_words_or_read(name, shop):
    outcomes = [outcome for seed in SEEDS for outcome in run_mutant(seed, shop, [name])]
    wrong = [outcome for outcome in outcomes if outcome.kind in WRONG]
    assert not wrong, "\n".join(map(str, wrong))
    assert {outcome.kind for outcome in outcomes} <= {FINE, REFUSED}
    assert all(outcome.message for outcome in outcomes if outcome.kind == REFUSED)


@pytest.mark.parametrize("name", EXAMPLES)
def test_each_example_has_the_files_that_are_to_be_damaged(name, shop):
    example = EXAMPLES[name]
    assert {pattern for pattern, _ in files_of(example, shop.path(name))} == set(example.files)


def test_the_same_seed_makes_the_same_mutant(shop):
    first, again = (run_mutant(7, shop, ["log", "own"]) for _ in range(2))
    assert [(o.file, o.mutation, o.kind) for o in first] == [(o.file, o.mutation, o.kind) for o in again]
