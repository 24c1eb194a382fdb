"""Studies: what a paper ran and what it published, run again and shown side by side."""

from fleeting.studies.base import (
    Section,
    Study,
    StudyResult,
    find_study,
    list_studies,
    look_alikes,
    register_study,
    run_study,
    score,
)
from fleeting.studies.columns import (
    majority_column,
    outcome_columns,
    percent_columns,
    published_column,
    state_column,
)
from fleeting.studies.irawan2023 import Irawan2023
from fleeting.studies.leakage import LEAKAGE_PARTS, best_test_epochs, run_leakage
from fleeting.studies.published import published
from fleeting.studies.sweeps import list_sweeps, sweep_definition
from fleeting.studies.talluri2022 import Talluri2022

__all__ = [
    "LEAKAGE_PARTS",
    "Irawan2023",
    "Section",
    "Study",
    "StudyResult",
    "Talluri2022",
    "best_test_epochs",
    "find_study",
    "list_studies",
    "list_sweeps",
    "look_alikes",
    "majority_column",
    "outcome_columns",
    "percent_columns",
    "published",
    "published_column",
    "register_study",
    "run_leakage",
    "run_study",
    "score",
    "state_column",
    "sweep_definition",
]
