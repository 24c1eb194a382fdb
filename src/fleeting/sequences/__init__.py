"""Sequences: what a recipe makes of a clip, and the cache that keeps it."""

from fleeting.renamed import renamed_names
from fleeting.sequences.bi_woof import BiWOOF
from fleeting.sequences.cache import SequenceCache, SequenceSet, Skipped, prepare
from fleeting.sequences.features import FeatureRow
from fleeting.sequences.flow import Flow
from fleeting.sequences.flow_folder import FlowFolderSummary, write_flow_folder
from fleeting.sequences.irawan2023 import Irawan2023
from fleeting.sequences.lbp_top import LBPTOP
from fleeting.sequences.recipe import (
    BuiltSequence,
    Recipe,
    create_recipe,
    list_recipes,
    recipe_from_dict,
    register_recipe,
)
from fleeting.sequences.reddy2019 import Reddy2019, Reddy2019Regions
from fleeting.sequences.steps import Step, draw_steps
from fleeting.sequences.strip import change_image, film_strip, join_strip, strip_indexes
from fleeting.sequences.talluri2022 import Talluri2022
from fleeting.sequences.windowed import FrameView, WindowedRecipe
from fleeting.sequences.windows import apex_window, initial_window

__all__ = [
    "LBPTOP",
    "BiWOOF",
    "BuiltSequence",
    "FeatureRow",
    "Flow",
    "FlowFolderSummary",
    "FrameView",
    "Irawan2023",
    "Recipe",
    "Reddy2019",
    "Reddy2019Regions",
    "SequenceCache",
    "SequenceSet",
    "Skipped",
    "Step",
    "Talluri2022",
    "WindowedRecipe",
    "apex_window",
    "change_image",
    "create_recipe",
    "draw_steps",
    "film_strip",
    "initial_window",
    "join_strip",
    "list_recipes",
    "prepare",
    "recipe_from_dict",
    "register_recipe",
    "strip_indexes",
    "write_flow_folder",
]

__getattr__ = renamed_names(
    __name__,
    {
        "SequenceStore": "SequenceCache",
    },
)
