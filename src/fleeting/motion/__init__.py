"""Motion: dense optical flow and what is derived from it. Arrays in, arrays out."""

from fleeting.motion.flow import FLOW_METHODS, dense_flow, fit_similarity, optical_strain, remove_head_motion, skin_flow

__all__ = ["FLOW_METHODS", "dense_flow", "fit_similarity", "optical_strain", "remove_head_motion", "skin_flow"]
