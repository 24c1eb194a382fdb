"""Experiments: what is run on what, unit by unit, into a run folder that survives kills."""

from fleeting.experiments.aggregate import aggregate
from fleeting.experiments.collection import Collection, Conducted, PlannedRun
from fleeting.experiments.config import ExperimentConfig, Unit
from fleeting.experiments.machine import machine, versions
from fleeting.experiments.run import RunFolder, load_models
from fleeting.experiments.runner import (
    Begun,
    Observer,
    Prepared,
    begin,
    evaluate,
    prepare_clips,
    run_units,
    train_on_all,
)
from fleeting.experiments.selection import Candidate, Selection
from fleeting.experiments.sweep import Grid, plan_sweep, run_sweep
from fleeting.experiments.unit import UnitJob, run_unit

__all__ = [
    "Begun",
    "Candidate",
    "Collection",
    "Conducted",
    "ExperimentConfig",
    "Grid",
    "Observer",
    "PlannedRun",
    "Prepared",
    "RunFolder",
    "Selection",
    "Unit",
    "UnitJob",
    "aggregate",
    "begin",
    "evaluate",
    "load_models",
    "machine",
    "plan_sweep",
    "prepare_clips",
    "run_sweep",
    "run_unit",
    "run_units",
    "train_on_all",
    "versions",
]
