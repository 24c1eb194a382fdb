"""Predictions of made-up people."""

import numpy as np
import pandas as pd
import pytest


def answers(people: int = 12, each: int = 6, skill: float = 0.7, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    label = rng.choice(list("abc"), people * each)
    right = rng.random(people * each) < skill
    return pd.DataFrame(
        {
            "dataset": np.repeat(["x", "y"], people * each // 2),
            "subject": np.tile(np.repeat(np.arange(people // 2).astype(str), each), 2),
            "label": label,
            "prediction": np.where(right, label, rng.choice(list("abc"), people * each)),
        }
    )


@pytest.fixture(scope="session")
def table():
    """Make a table of predictions."""
    return answers
