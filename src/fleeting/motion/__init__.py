"""Motion: dense optical flow and what is derived from it, resampling in time, magnification. Arrays in, arrays out."""

from fleeting.motion.bi_woof import bi_woof_features
from fleeting.motion.flow import (
    FLOW_METHODS,
    dense_flow,
    fit_similarity,
    flow_channels,
    has_tvl1,
    min_max_channels,
    optical_strain,
    remove_head_motion,
    skin_flow,
)
from fleeting.motion.interpolation import interpolate_frames, tim_curve, tim_weights
from fleeting.motion.lbp_top import lbp_top_features
from fleeting.motion.magnification import MICRO_BAND, band_pass, band_strengths, magnify_motion
from fleeting.motion.orientation import main_direction, oriented_histogram

__all__ = [
    "FLOW_METHODS",
    "MICRO_BAND",
    "band_pass",
    "band_strengths",
    "bi_woof_features",
    "dense_flow",
    "fit_similarity",
    "flow_channels",
    "has_tvl1",
    "interpolate_frames",
    "lbp_top_features",
    "magnify_motion",
    "main_direction",
    "min_max_channels",
    "optical_strain",
    "oriented_histogram",
    "remove_head_motion",
    "skin_flow",
    "tim_curve",
    "tim_weights",
]
