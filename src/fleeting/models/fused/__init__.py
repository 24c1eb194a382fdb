"""The networks' blocks through the compiled kernels: the same functions as in :mod:`fleeting.models.blocks`, in one pass.

What the C++ does not see happens here: autograd, the small sums over channels, memory. An address outlives no tensor, so
whatever a kernel is given has a name until it returns. Tensors are ``(N, C, T, H, W)`` as everywhere, channels last in
memory.
"""

from fleeting.models.fused.choice import POOL, dense_kernels_for, kernels_for, plane_kernels_for
from fleeting.models.fused.clips import norm_pool, pool, predict_norm_pool
from fleeting.models.fused.frames import plane_norm_pool, predict_plane_norm_pool
from fleeting.models.fused.fully_connected import dense

__all__ = [
    "POOL",
    "dense",
    "dense_kernels_for",
    "kernels_for",
    "norm_pool",
    "plane_kernels_for",
    "plane_norm_pool",
    "pool",
    "predict_norm_pool",
    "predict_plane_norm_pool",
]
