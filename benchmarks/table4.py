"""How long the whole of table 4 of Talluri et al. 2022 takes: three models, three sources, five folds, 100 epochs.

Two folds of each model and source are trained side by side, as --jobs does, for a few complete epochs; the study's own
plan says what is trained on what. An epoch is multiplied by 100 and by the folds, what comes before and after the epochs
by the folds. The pixels are random: what a step costs does not depend on them. With --full the study itself is run on
synthetic look-alikes of the true size.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd
from _machine import print_machine
from _units import timed_unit, unit, write_clips

from fleeting.datasets import published_counts
from fleeting.parallel import available_cores, map_jobs
from fleeting.protocols import create_protocol, folds_of
from fleeting.studies import Talluri2022
from fleeting.studies.talluri2022_page import CLASSES, MODELS, SETS, SOURCES
from fleeting.training import keep_memory

TARGET_MINUTES = 90


def clips_table():
    """A row per clip of the paper's table 1. In folds that mix subjects it does not matter who is who."""
    counts = published_counts("talluri2022")
    rows = [(name, label) for name in SETS for label in CLASSES for _ in range(counts[name, label])]
    table = pd.DataFrame(rows, columns=["dataset", "emotion"])
    table["clip"] = [f"{number:03d}" for number in range(len(table))]
    table["subject"] = table["clip"]
    return table


def planned():
    """Configuration and folds of each of the study's runs."""
    study = Talluri2022(sets={name: f"{name}:absent" for name in SETS}, only=("table4",), columns=("published",))
    table = clips_table()
    for run in study.plan():
        protocol = create_protocol(run.config.protocol, **run.config.protocol_options)
        yield run.config, folds_of(protocol, table), table


def measure(config, folds, table, epochs, cores):
    """Train one fold a core side by side; the slowest's seconds of each kind, and the clips that it trained on."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shape = config.recipe.stored_shape
        training = config.effective_training.model_copy(update={"epochs": epochs})
        paths = write_clips(folder, shape, len(table))
        jobs = [
            unit(folder, config.model, training, shape, paths, table["emotion"], fold.train, fold.test, fold.index)
            for fold in folds[:cores]
        ]
        found = [one for _, one in map_jobs(timed_unit, jobs, jobs=cores, initializer=keep_memory)]
    return {name: max(one[name] for one in found) for name in found[0]} | {"clips": len(jobs[0].training_job.side)}


def schedule(seconds, cores):
    """When the last unit ends if each goes to the core that is free first, in their order."""
    free = [0.0] * cores
    for one in seconds:
        free[free.index(min(free))] += one
    return max(free)


def extrapolate(arguments):
    cores = available_cores()
    clock = {"wall": "wall-clock", "processor": "processor"}[arguments.clock]
    os.environ["BENCHMARK_CLOCK"] = arguments.clock
    print(
        f"{cores} processes of one thread, {arguments.epochs} complete epochs each, the median of all but the first; "
        f"{clock} time.\n"
    )
    print("| model | trained on | clips | units | an epoch, s | beside the epochs, s | 100 epochs of all units |")
    print("|---|---|---|---|---|---|---|")
    sources = {"+".join(SOURCES[name]) for name in arguments.sources}
    units, start_up = [], 0.0
    for config, folds, table in planned():
        source = config.protocol_options["source"]
        if config.model not in arguments.models or source not in sources:
            continue
        if arguments.small:
            config = small(config)
        one = measure(config, folds, table, arguments.epochs, cores)
        mine = [100 * one["epoch"] * len(fold.train) / one["clips"] + one["rest"] for fold in folds]
        units += mine
        start_up = max(start_up, one["before"])
        print(
            f"| {config.model} | {source} | {one['clips']} | {len(folds)} | {one['epoch']:.2f} | {one['rest']:.1f} | "
            f"({' + '.join(f'{seconds:.0f}' for seconds in mine)}) s |"
        )
    whole = schedule(units, cores) + start_up
    print(
        f"\n{len(units)} units, {sum(units) / 60:.1f} minutes of one core; over {cores} cores, each unit to the first that "
        f"is free, and {start_up:.0f} s until the processes stand: {whole / 60:.1f} minutes (target: {TARGET_MINUTES})."
    )


def small(config):
    recipe = config.recipe.model_copy(update={"frames": 18, "height": 10, "width": 10})
    return config.model_copy(update={"recipe": recipe})


def full(out):
    """The study itself, making the look-alikes and preparing the sequences included."""
    command = [sys.executable, "-m", "fleeting", "study", "talluri2022", "--look-alike", "--out", out]
    start = time.perf_counter()
    subprocess.run([*command, "--only", "table4", "--columns", "published"], check=True)
    whole = time.perf_counter() - start
    units = [pd.read_json(path, typ="series")["seconds"] for path in sorted(Path(out).glob("runs/*/units/*/unit.json"))]
    print(
        f"The whole command took {whole / 60:.1f} minutes; its {len(units)} units take {sum(units) / 60:.1f} minutes of "
        f"one core, {sum(units) / available_cores() / 60:.1f} on {available_cores()} (target: {TARGET_MINUTES})."
    )


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=8, help="complete epochs that are measured, at least 2")
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS), help="some of the table only")
    parser.add_argument("--sources", nargs="+", choices=SOURCES, default=list(SOURCES), help="likewise")
    parser.add_argument("--clock", choices=("wall", "processor"), default="wall", help="processor on a busy machine")
    parser.add_argument("--small", action="store_true", help="tiny clips, to try the script out")
    parser.add_argument("--full", metavar="OUT", help="run the study itself, to this folder; asking again resumes it")
    arguments = parser.parse_args(argv)
    if arguments.epochs < 2:
        parser.error(f"--epochs: found {arguments.epochs}; expected at least 2")
    sys.stdout.reconfigure(line_buffering=True)
    print_machine()
    if arguments.full:
        full(arguments.full)
    else:
        extrapolate(arguments)


if __name__ == "__main__":
    main()
