"""Every set of kernels that this machine can run, and a few more than it would use."""

from __future__ import annotations

import shutil
import subprocess
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

import pytest

from fleeting import kernels
from fleeting.kernels import loading

NATIVE = Path(loading.__file__).parent / "native"


@pytest.fixture(scope="session")
def narrow_library(tmp_path_factory):
    """The kernels with vectors of 128 bits, which Arm has, compiled for whatever this machine is."""
    compiler = shutil.which("c++") or shutil.which("g++") or shutil.which("clang++")
    if compiler is None:
        pytest.skip("no C++ compiler to build the kernels for 128-bit vectors with")
    path = tmp_path_factory.mktemp("kernels") / f"_neon{EXTENSION_SUFFIXES[0]}"
    flags = ["-std=c++17", "-O2", "-fPIC", "-shared", "-fvisibility=hidden", "-Wall", "-Wextra", "-Werror"]
    subprocess.run([compiler, *flags, str(NATIVE / "neon.cpp"), "-o", str(path)], check=True)
    return kernels.Library("neon", path)


@pytest.fixture(params=["avx512", "avx2", "neon"])
def any_kernels(request, monkeypatch):
    """Networks compute with these kernels during the test; returns them."""
    if request.param == "neon":
        found = request.getfixturevalue("narrow_library")
    else:
        built = loading._built()
        if request.param not in loading._runs() or request.param not in built:
            pytest.skip(f"this machine has no {request.param}, or nothing was built for it")
        found = kernels.Library(request.param, built[request.param])
    monkeypatch.setattr("fleeting.models.fused.library", lambda: found)
    monkeypatch.setattr("fleeting.models.dropout.library", lambda: found)
    return found


@pytest.fixture
def plain(monkeypatch):
    """Turn the kernels off, or on again: ``plain(True)``, ``plain(False)``."""

    def turn(off: bool) -> None:
        monkeypatch.setenv(kernels.KERNELS_VARIABLE, "0" if off else "1")

    return turn


@pytest.fixture
def poisoned():
    """Memory that no one has written to holds NaN, so that whoever reads it is found out."""
    import torch

    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(True)
    assert torch.utils.deterministic.fill_uninitialized_memory
    assert torch.empty(3).isnan().all()
    yield
    torch.use_deterministic_algorithms(before)
