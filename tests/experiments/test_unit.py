"""One unit of work, by itself."""

from pathlib import Path

import pytest

from fleeting.errors import FleetingError
from fleeting.experiments.unit import run_unit


def test_a_unit_says_where_and_how_it_was_trained(job):
    done = run_unit(job)
    assert (done.device, done.steps) == ("cpu", "eager")


def test_a_sequence_that_was_lost_is_named(job):
    Path(job.test.paths[0]).unlink()
    with pytest.raises(FleetingError, match=r"4\.npy: cannot be read.*run the same command again"):
        run_unit(job)
