"""Which kernels are taken, and that nothing fails for want of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from fleeting import kernels
from fleeting.errors import UsageError
from fleeting.kernels import loading


@pytest.fixture(autouse=True)
def fresh():
    loading._choose.cache_clear()
    yield
    loading._choose.cache_clear()


def test_turned_off(monkeypatch):
    for value in ("0", "off", " OFF "):
        monkeypatch.setenv(kernels.KERNELS_VARIABLE, value)
        assert kernels.library() is None
        assert kernels.status().name is None
        assert "FLEETING_KERNELS" in kernels.status().reason
        assert kernels.peak_gflops() is None


def test_an_unknown_name_lists_the_choices(monkeypatch):
    monkeypatch.setenv(kernels.KERNELS_VARIABLE, "mmx")
    with pytest.raises(UsageError, match="avx512"):
        kernels.library()


def test_nothing_built(monkeypatch):
    monkeypatch.delenv(kernels.KERNELS_VARIABLE, raising=False)
    monkeypatch.setattr(loading, "_built", dict)
    assert kernels.library() is None
    assert "compiler" in kernels.status().reason


def test_an_unknown_processor(monkeypatch, tmp_path):
    monkeypatch.delenv(kernels.KERNELS_VARIABLE, raising=False)
    monkeypatch.setattr(loading, "_built", lambda: {"avx2": tmp_path / "kernels.so"})
    monkeypatch.setattr(loading, "_runs", tuple)
    assert kernels.library() is None
    assert "processor" in kernels.status().reason
    monkeypatch.setenv(kernels.KERNELS_VARIABLE, "avx2")
    with pytest.raises(UsageError, match="this processor runs none"):
        kernels.library()


@pytest.mark.parametrize("content", [b"", b"not a library"])
def test_a_damaged_file(monkeypatch, tmp_path, content):
    path = tmp_path / "größe.so"
    path.write_bytes(content)
    monkeypatch.delenv(kernels.KERNELS_VARIABLE, raising=False)
    monkeypatch.setattr(loading, "_built", lambda: {"avx2": path})
    monkeypatch.setattr(loading, "_runs", lambda: ("avx2",))
    assert kernels.library() is None
    assert "größe.so" in kernels.status().reason


def test_older_sources(monkeypatch, narrow_library):
    monkeypatch.setattr(loading, "_VERSION", -1)
    with pytest.raises(OSError, match="version"):
        kernels.Library("neon", narrow_library.path)


def test_an_unknown_function_is_named(narrow_library):
    with pytest.raises(AttributeError, match="fft"):
        narrow_library.fft  # noqa: B018


def test_the_peak_is_that_of_a_processor(narrow_library):
    assert 0.5 < narrow_library.peak_gflops() < 1000


@pytest.mark.parametrize("machine", ["aarch64", "arm64"])
def test_arm(monkeypatch, machine):
    monkeypatch.setattr(loading.platform, "machine", lambda: machine)
    assert loading._runs() == ("neon",)


@pytest.mark.parametrize(
    ("capability", "sets"),
    [("AVX512", ("avx512", "avx2")), ("AVX2", ("avx2",)), ("DEFAULT", ()), ("VSX", ())],
)
def test_other_processors(monkeypatch, capability, sets):
    import torch

    monkeypatch.setattr(loading.platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    assert loading._runs() == sets


def test_info_says_which_and_why():
    from fleeting.app.cli import run  # noqa: F401 - the entry point exists

    for setting in ("0", "1"):
        command = [sys.executable, "-m", "fleeting", "info", "--json"]
        done = subprocess.run(
            command, check=True, capture_output=True, text=True, env={**os.environ, kernels.KERNELS_VARIABLE: setting}
        )
        facts = json.loads(done.stdout)["kernels"]
        assert facts["kernels_reason"]
        assert ("none" in facts["kernels"]) >= (setting == "0")
