"""Faces: detection, 68 landmarks, alignment by one transform per clip, masks of the regions that matter."""

from fleeting.faces.alignment import Alignment, Reference, eye_angle, find_reference
from fleeting.faces.detector import Box, FaceDetector, default_detector, detect_landmarks, landmark_file
from fleeting.faces.regions import cut_region, face_mask, fill_eyes, region_box

__all__ = [
    "Alignment",
    "Box",
    "FaceDetector",
    "Reference",
    "cut_region",
    "default_detector",
    "detect_landmarks",
    "eye_angle",
    "face_mask",
    "fill_eyes",
    "find_reference",
    "landmark_file",
    "region_box",
]
