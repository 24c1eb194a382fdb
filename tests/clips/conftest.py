"""Makes the look-alike scripts of ``tests/data`` importable."""

import sys
from pathlib import Path

DATA = str(Path(__file__).resolve().parents[1] / "data")
if DATA not in sys.path:
    sys.path.insert(0, DATA)
