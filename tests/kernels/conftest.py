"""Every set of kernels that this machine can run, and a few more than it would use."""

from __future__ import annotations

import shutil
import subprocess
from contextlib import contextmanager
from functools import partial
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


KINDS = ("avx512", "avx2", "neon")


def kernels_of(kind, request):
    """The kernels of one kind, or a skip where this machine has none."""
    if kind == "neon":
        return request.getfixturevalue("narrow_library")
    built = loading._built()
    if kind not in loading._runs() or kind not in built:
        pytest.skip(f"this machine has no {kind}, or nothing was built for it")
    return kernels.Library(kind, built[kind])


def compute_with(library, patch):
    patch.setattr("fleeting.models.fused.library", lambda: library)
    patch.setattr("fleeting.models.dropout.library", lambda: library)


@pytest.fixture(params=KINDS)
def any_kernels(request, monkeypatch):
    """Networks compute with these kernels during the test; returns them."""
    found = kernels_of(request.param, request)
    compute_with(found, monkeypatch)
    return found


@pytest.fixture
def all_kernels(request):
    """Every kind of kernels that this machine can run, each as a context in which networks compute with it.

    For tests whose reference costs more than what is compared with it: it is computed once.
    """
    found = []
    for kind in KINDS:
        try:
            found.append(kernels_of(kind, request))
        except pytest.skip.Exception:
            continue
    if not found:
        pytest.skip("this machine has no kernels")

    @contextmanager
    def using(library):
        with pytest.MonkeyPatch.context() as patch:
            compute_with(library, patch)
            yield

    return {library.name: partial(using, library) for library in found}


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
