"""Data sets: one file each; ``open_dataset("KIND:PATH")`` finds the right one."""

from fleeting.datasets.base import Dataset, Problem
from fleeting.datasets.folder import Folder
from fleeting.datasets.registry import list_datasets, load_clips, open_dataset, register_dataset
from fleeting.datasets.synthetic import Synthetic, Truth

__all__ = [
    "Dataset",
    "Folder",
    "Problem",
    "Synthetic",
    "Truth",
    "list_datasets",
    "load_clips",
    "open_dataset",
    "register_dataset",
]
