"""Faces: detection, 68 landmarks, alignment by one transform a clip, masks of the regions that matter."""

from fleeting.faces.alignment import Alignment, Reference, find_reference
from fleeting.faces.detector import Box, FaceDetector, default_detector, detect_landmarks, landmark_file
from fleeting.faces.regions import face_mask

__all__ = [
    "Alignment",
    "Box",
    "FaceDetector",
    "Reference",
    "default_detector",
    "detect_landmarks",
    "face_mask",
    "find_reference",
    "landmark_file",
]
