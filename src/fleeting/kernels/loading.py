"""The compiled kernels: those that there are, those that this processor runs, and the one that is used."""

from __future__ import annotations

import ctypes
import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import Any

from fleeting.errors import UsageError, unknown_choice

__all__ = ["INSTRUCTION_SETS", "KERNELS_VARIABLE", "Library", "Status", "library", "peak_gflops", "status"]

#: Environment variable: ``0`` turns the kernels off, the name of an instruction set asks for that one, ``1`` or nothing
#: is the best there is.
KERNELS_VARIABLE = "FLEETING_KERNELS"

#: Best first.
INSTRUCTION_SETS = ("avx512", "avx2", "neon")

# Raised with every change of a signature in native/exports.hpp.
_VERSION = 4

_pointer, _int64 = ctypes.c_void_p, ctypes.c_int64
_SIGNATURES: dict[str, tuple[Any, ...]] = {
    "forward": (_pointer,) * 9,
    "backward": (_pointer,) * 13 + (_int64,),
    "sparse_backward": (_pointer,) * 7,
    "convolution": (_pointer,) * 4,
    "plane_forward": (_pointer,) * 8,
    "plane_backward": (_pointer,) * 10,
    "pad": (_pointer, *(_int64,) * 6, _pointer),
    "scale_shift": (_pointer, _int64, _int64, _pointer, _pointer, _pointer),
    "gradient_sums": (_pointer, _pointer, _int64, _int64, _pointer, _pointer, _pointer),
    "dense": (*(_pointer,) * 3, *(_int64,) * 3, _pointer),
    "dense_backward": (*(_pointer,) * 3, *(_int64,) * 3, _pointer, _pointer),
    "dropout": (_pointer, _int64, ctypes.c_uint32, ctypes.c_uint32, ctypes.c_float, _pointer),
}


@dataclass(frozen=True)
class Status:
    """Kernels that the networks compute with.

    Attributes
    ----------
    name : str or None
        The instruction set, or ``None`` for plain PyTorch.
    reason : str
        Why, in words for a person.
    """

    name: str | None
    reason: str


class Library:
    """The kernels of one instruction set: functions over addresses, described in ``native/exports.hpp``.

    Each computes on one thread and lets go of Python's lock while it does.
    """

    def __init__(self, name: str, path: Path) -> None:
        self.name = name
        self.path = path
        self._functions = ctypes.CDLL(str(path))
        found = self._functions.fleeting_version()
        if found != _VERSION:
            raise OSError(f"it was built from version {found} of the sources, expected {_VERSION}")
        for function, arguments in _SIGNATURES.items():
            call = getattr(self._functions, f"fleeting_{function}")
            call.argtypes, call.restype = arguments, None
            setattr(self, function, call)
        self._functions.fleeting_peak_gflops.restype = ctypes.c_double

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"the kernels have no function {name!r}; they have {', '.join(_SIGNATURES)}")

    def peak_gflops(self) -> float:
        """Count the billions of floating-point operations that one core does per second of nothing but multiply-adds."""
        return float(self._functions.fleeting_peak_gflops())


def _built() -> dict[str, Path]:
    folder = Path(__file__).parent
    paths = {name: [folder / f"_{name}{suffix}" for suffix in EXTENSION_SUFFIXES] for name in INSTRUCTION_SETS}
    return {name: path for name, choices in paths.items() for path in choices if path.is_file()}


def _runs() -> Sequence[str]:
    """Instruction sets of this processor, best first."""
    if platform.machine().lower() in ("aarch64", "arm64"):
        return ("neon",)
    import torch

    capability = torch.backends.cpu.get_cpu_capability()
    # Where there is AVX-512 there is AVX2.
    return {"AVX512": ("avx512", "avx2"), "AVX2": ("avx2",)}.get(capability, ())


@cache
def _choose(wanted: str) -> tuple[Library | None, str]:
    if wanted in ("0", "off"):
        return None, f"turned off by {KERNELS_VARIABLE}={wanted}"
    built = _built()
    if wanted and wanted not in INSTRUCTION_SETS:
        raise unknown_choice(KERNELS_VARIABLE, wanted, ("0", "1", *INSTRUCTION_SETS))
    if not built:
        return None, (
            "no kernels were built when Fleeting was installed, as no C++ compiler was found or it failed; install one "
            "(GCC or Clang) and install Fleeting again"
        )
    runs = _runs()
    usable = [name for name in ([wanted] if wanted else runs) if name in built and name in runs]
    if wanted and not usable:
        raise UsageError(
            f"{KERNELS_VARIABLE}: found {wanted}; built are {', '.join(built)}, and this processor runs "
            f"{', '.join(runs) or 'none of them'}. Leave the variable unset for the best that fits"
        )
    if not usable:
        return None, f"there are none for this processor ({platform.machine()}, {platform.processor() or 'unnamed'})"
    try:
        chosen = Library(usable[0], built[usable[0]])
    except (OSError, AttributeError) as exc:
        return None, f"{built[usable[0]].name} could not be loaded ({exc}); install Fleeting again"
    return chosen, f"asked for by {KERNELS_VARIABLE}" if wanted else "the best that this processor runs"


def _wanted() -> str:
    wanted = os.environ.get(KERNELS_VARIABLE, "").strip().lower()
    return "" if wanted in ("1", "on") else wanted


def library() -> Library | None:
    """Give the kernels to use, or ``None`` where plain PyTorch has to do; ``FLEETING_KERNELS`` is read each time.

    Raises
    ------
    UsageError
        If the variable names kernels that are unknown, not built, or not for this processor.
    """
    return _choose(_wanted())[0]


def status() -> Status:
    """Say which kernels are used, and why."""
    found, reason = _choose(_wanted())
    return Status(found.name if found else None, reason)


def peak_gflops() -> float | None:
    """Measure the arithmetic ceiling of one core, in about a second; ``None`` without kernels."""
    found = library()
    return found.peak_gflops() if found else None
