"""Makes the modules of this folder importable, and gives the examples to the tests."""

import sys
from pathlib import Path

import pytest

HERE = str(Path(__file__).parent)
if HERE not in sys.path:
    sys.path.insert(0, HERE)


@pytest.fixture(scope="session")
def shop(tmp_path_factory):
    from examples import Workshop
    from harness import import_all

    import_all()
    return Workshop(tmp_path_factory.mktemp("mutants"))
