"""Fused kernels for the networks' convolutions on a CPU, in C++: buffers in, buffers out.

A training step of these networks is bound by memory, not by arithmetic: the convolution's output is a hundred times the
input, and ReLU, batch normalisation, pooling and their gradients each walk it. The kernels walk it once and never write
it down. ``native/`` holds them, one file per job; ``setup.py`` builds a library for each instruction set where there is a
compiler. Without one the networks compute the same with PyTorch alone.
"""

from fleeting.kernels.loading import (
    INSTRUCTION_SETS,
    KERNELS_VARIABLE,
    Library,
    Status,
    library,
    peak_gflops,
    status,
)

__all__ = ["INSTRUCTION_SETS", "KERNELS_VARIABLE", "Library", "Status", "library", "peak_gflops", "status"]
