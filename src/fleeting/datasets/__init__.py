"""Data sets: one file each; ``open_dataset("KIND:PATH")`` finds the right one."""

from fleeting.datasets.base import Dataset, Problem, WrongFolderError
from fleeting.datasets.casme2 import Casme2
from fleeting.datasets.casme_squared import CasmeSquared
from fleeting.datasets.flow import FlowFolder
from fleeting.datasets.folder import Folder
from fleeting.datasets.long import load_recordings
from fleeting.datasets.recordings import Recordings
from fleeting.datasets.registry import list_datasets, load_clips, load_with_problems, open_dataset, register_dataset
from fleeting.datasets.samm import Samm
from fleeting.datasets.samm_long import SammLong
from fleeting.datasets.schemes import (
    Discrepancy,
    apply_scheme,
    left_out,
    list_schemes,
    published_counts,
    scheme_classes,
    scheme_discrepancies,
)
from fleeting.datasets.smic import Smic
from fleeting.datasets.synthetic import Synthetic, Truth
from fleeting.datasets.verification import Count, Verification

__all__ = [
    "Casme2",
    "CasmeSquared",
    "Count",
    "Dataset",
    "Discrepancy",
    "FlowFolder",
    "Folder",
    "Problem",
    "Recordings",
    "Samm",
    "SammLong",
    "Smic",
    "Synthetic",
    "Truth",
    "Verification",
    "WrongFolderError",
    "apply_scheme",
    "left_out",
    "list_datasets",
    "list_schemes",
    "load_clips",
    "load_recordings",
    "load_with_problems",
    "open_dataset",
    "published_counts",
    "register_dataset",
    "scheme_classes",
    "scheme_discrepancies",
]
