"""Spotting: where in a sequence of aligned frames the apex is."""

from fleeting.spotting.apex import ApexSpot, motion_scores, smooth, spot_apex, spot_clip

__all__ = ["ApexSpot", "motion_scores", "smooth", "spot_apex", "spot_clip"]
