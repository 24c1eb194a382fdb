"""The papers' tables as data."""

import pytest

from fleeting.errors import UsageError
from fleeting.studies import published


def test_published_figures_are_the_papers():
    table4 = published("talluri2022", "table4")
    assert len(table4) == 24
    assert table4[("3:combined:combined", "model_a")] == "88.2"
    assert table4[("8:combined:samm", "model_c")] == "36.9"
    assert published("talluri2022", "table3")[("casme2", "initial")] == "46.9"
    assert published("irawan2023", "table4")[("0.7", "accuracy")] == "68.9"
    with pytest.raises(UsageError, match="figure4"):
        published("talluri2022", "table9")
