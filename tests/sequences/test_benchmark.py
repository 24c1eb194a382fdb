"""The benchmark of preprocessing leans on inner parts of several rooms; it must run after each change of theirs."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "preprocessing.py"


@pytest.mark.slow
def test_the_benchmark_of_preprocessing_runs():
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "--small"], capture_output=True, text=True, encoding="utf-8", errors="replace"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "talluri2022, before" in done.stdout and "clips per second" in done.stdout
