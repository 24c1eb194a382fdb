"""Experiments: what is run on what, unit by unit, into a run folder that survives kills."""

from fleeting.experiments.aggregate import aggregate
from fleeting.experiments.collection import Collection, CompletedRun, PlannedRun
from fleeting.experiments.config import ExperimentConfig, Unit
from fleeting.experiments.execute import evaluate, run_units, train_on_all
from fleeting.experiments.machine import machine, versions
from fleeting.experiments.observer import Observer
from fleeting.experiments.plan import StartedRun, start_run
from fleeting.experiments.prepare import PreparedData, prepare_clips
from fleeting.experiments.run import RunFolder, load_models
from fleeting.experiments.selection import Candidate, Selection
from fleeting.experiments.sweep import Grid, plan_sweep, run_sweep
from fleeting.experiments.unit import UnitJob, run_unit
from fleeting.renamed import renamed_names

__all__ = [
    "Candidate",
    "Collection",
    "CompletedRun",
    "ExperimentConfig",
    "Grid",
    "Observer",
    "PlannedRun",
    "PreparedData",
    "RunFolder",
    "Selection",
    "StartedRun",
    "Unit",
    "UnitJob",
    "aggregate",
    "evaluate",
    "load_models",
    "machine",
    "plan_sweep",
    "prepare_clips",
    "run_sweep",
    "run_unit",
    "run_units",
    "start_run",
    "train_on_all",
    "versions",
]

__getattr__ = renamed_names(
    __name__,
    {
        "Prepared": "PreparedData",
        "Begun": "StartedRun",
        "Conducted": "CompletedRun",
        "begin": "start_run",
    },
)
