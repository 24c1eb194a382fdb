"""Builds the kernels where there is a compiler for them; all else is in pyproject.toml."""

import platform

from setuptools import Extension, setup

NATIVE = "src/fleeting/kernels/native"
FLAGS = {
    "avx512": ["-mavx512f", "-mavx512bw", "-mavx512vl", "-mavx512dq", "-mfma"],
    "avx2": ["-mavx2", "-mfma"],
    "neon": [],
}
BY_MACHINE = {"x86_64": ("avx512", "avx2"), "amd64": ("avx512", "avx2"), "aarch64": ("neon",), "arm64": ("neon",)}

setup(
    ext_modules=[
        # Libraries without a Python module inside: fleeting.kernels loads them with ctypes.
        Extension(
            f"fleeting.kernels._{name}",
            [f"{NATIVE}/{name}.cpp"],
            extra_compile_args=["-std=c++17", "-O3", "-fvisibility=hidden", *FLAGS[name]],
            language="c++",
            # A failed build is a slower installation, not a failed one.
            optional=True,
        )
        for name in BY_MACHINE.get(platform.machine().lower(), ())
    ]
)
