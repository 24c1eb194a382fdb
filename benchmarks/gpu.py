"""Training on a CUDA device: a step as a graph and eager, units side by side, and what table 4 would take.

Steps are timed on random clips that lie on the device, in each precision and layout. Units are complete trainings, as
`fleeting study` starts them: processes that share the card. For table 4, folds of each model and source are trained for
a few epochs; an epoch is multiplied by 100 and by the folds, what comes before and after the epochs by the folds.
"""

import argparse
import itertools
import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import table4
import torch
from _machine import print_machine
from _networks import NETWORKS, SMALL
from _units import unit, write_clips

from fleeting.experiments import Observer
from fleeting.experiments.execute import UNITS_PER_CARD, run_units
from fleeting.models import create_model
from fleeting.training import Standardisation, TrainingConfig
from fleeting.training.data import ResidentBatches
from fleeting.training.device import repeatable
from fleeting.training.optim import build_optimizer
from fleeting.training.steps import EagerSteps, GraphedSteps, Step, cuda_graph

TARGET_MINUTES = 3
CLIPS = 64


def milliseconds(device, steps, batches):
    """Median of rounds of 20 steps, each timed from an idle device to an idle device."""
    found = []
    for _ in range(6):
        wait(device)
        start = time.perf_counter()
        steps.take(batches)
        wait(device)
        found.append(1e3 * (time.perf_counter() - start) / len(batches))
    return statistics.median(found[1:])


def wait(device):
    if device.type == "cuda":
        torch.cuda.synchronize()


def step_of(network, device, precision, layout):
    frames, height, width = network.size
    model = create_model(network.name, n_frames=frames, height=height, width=width, seed=0).to(device).train()
    if layout == "channels_last":
        model.to(memory_format=torch.channels_last_3d)
    config = TrainingConfig.for_model(network.name, precision=precision, layout=layout)
    optimizer = build_optimizer(model.parameters(), config)
    optimizer.count_on_device()
    resident = torch.randint(0, 256, (CLIPS, 1, *network.size), dtype=torch.uint8, device=device)
    batches = ResidentBatches(resident, "none", Standardisation((127.5,), (73.9,)))
    labels = torch.arange(CLIPS, device=device) % 3
    return Step(model, batches, labels, torch.ones(3, device=device), optimizer, config)


def time_steps(device, names, small):
    print("A training step, ms\n")
    print("| network | batch | precision | layout | eager | CUDA graph |")
    print("|---|---|---|---|---|---|")
    precisions = ("float32", "tf32", "bfloat16") if device.type == "cuda" else ("float32",)
    layouts = ("channels_first", "channels_last") if device.type == "cuda" else ("channels_first",)
    for name, precision, layout in itertools.product(names, precisions, layouts):
        network = NETWORKS[name].at(**SMALL) if small else NETWORKS[name]
        order = torch.arange(20 * network.batch, device=device) % CLIPS
        batches = torch.split(order, network.batch)
        cells = []
        with repeatable(0, device, precision):
            cells.append(
                f"{milliseconds(device, EagerSteps(step_of(network, device, precision, layout)), batches):.2f}"
            )
            if device.type == "cuda":
                steps = GraphedSteps(step_of(network, device, precision, layout), cuda_graph)
                took = milliseconds(device, steps, batches)
                cells.append(f"{took:.2f}" if steps.how == "CUDA graph" else steps.how)
            else:
                cells.append("none")
        print(f"| {name} | {network.batch} | {precision} | {layout} | {' | '.join(cells)} |", flush=True)


def train_units(config, folds, table, device, epochs, side_by_side):
    """Seconds of an epoch and of all else in a unit, slowest of those that ran together, and their training clips."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shape, labels = config.recipe.stored_shape, table["emotion"]
        training = config.effective_training.model_copy(update={"epochs": epochs})
        paths = write_clips(folder, shape, len(table))
        jobs = []
        for number, fold in zip(range(side_by_side), itertools.cycle(folds)):
            one = unit(folder, config.model, training, shape, paths, labels, fold.train, fold.test, number)
            jobs.append(replace(one, training_job=replace(one.training_job, seed=number, device=device.type)))
        # An observer keeps warnings off the screen: random pixels teach nothing.
        run_units(jobs, len(jobs), jobs=side_by_side, observer=Observer(epoch=lambda *_: None))
        epoch, rest = [], []
        for one in jobs:
            seconds = pd.read_csv(one.training_job.folder / "history.csv")["seconds"]
            whole = pd.read_json(one.training_job.folder / "unit.json", typ="series")["seconds"]
            # The first epoch captures the graphs.
            epoch.append(float(seconds[1:].mean()))
            rest.append(float(whole - seconds[1:].sum() - epoch[-1]))
    return max(epoch), max(rest), len(jobs[int(np.argmax(epoch))].train)


def time_units(device, arguments):
    config, folds, table = max(planned(arguments.small), key=lambda run: len(run[1][0].train))
    print(f"\nUnits of {config.model} side by side, {len(folds[0].train)} training clips\n")
    print("| units | an epoch of each, s | epochs per second, all together |")
    print("|---|---|---|")
    for count in range(1, arguments.units + 1):
        epoch, _, _ = train_units(config, folds, table, device, arguments.epochs, count)
        print(f"| {count} | {epoch:.3f} | {count / epoch:.2f} |", flush=True)


def extrapolate(device, arguments):
    print(f"\nTable 4, {arguments.side_by_side} units side by side\n")
    print("| model | trained on | clips | units | an epoch, s | beside the epochs, s | 100 epochs of all units |")
    print("|---|---|---|---|---|---|---|")
    units = []
    for config, folds, table in planned(arguments.small):
        epoch, rest, clips = train_units(config, folds, table, device, arguments.epochs, arguments.side_by_side)
        mine = [100 * epoch * len(fold.train) / clips + rest for fold in folds]
        units += mine
        print(
            f"| {config.model} | {config.protocol_options['source']} | {clips} | {len(folds)} | {epoch:.3f} | {rest:.1f} "
            f"| ({' + '.join(f'{seconds:.1f}' for seconds in mine)}) s |",
            flush=True,
        )
    whole = table4.schedule(units, arguments.side_by_side)
    print(
        f"\n{len(units)} units, each to the first of {arguments.side_by_side} processes that is free: {whole / 60:.1f} "
        f"minutes (target: {TARGET_MINUTES})."
    )


def planned(small):
    for config, folds, table in table4.planned():
        yield (table4.small(config) if small else config), folds, table


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", default=",".join(NETWORKS), help="separated by commas")
    parser.add_argument("--epochs", type=int, default=5, help="complete epochs of each unit, at least 2")
    parser.add_argument("--units", type=int, default=8, help="side by side at most")
    parser.add_argument("--side-by-side", type=int, default=UNITS_PER_CARD, help="for table 4")
    parser.add_argument("--small", action="store_true", help="tiny clips, to try the script out")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda", help="cpu only tries the script out")
    arguments = parser.parse_args(argv)
    names = arguments.models.split(",")
    if unknown := set(names) - set(NETWORKS):
        parser.error(f"--models: found {', '.join(sorted(unknown))}; choose from: {', '.join(NETWORKS)}")
    if arguments.epochs < 2:
        parser.error(f"--epochs: found {arguments.epochs}; expected at least 2")
    print_machine()
    if arguments.device == "cuda":
        if not torch.cuda.is_available():
            print("No CUDA device: nothing was measured.")
            return
        print(f"{torch.cuda.get_device_name()}, CUDA {torch.version.cuda}\n")
    device = torch.device(arguments.device)
    time_steps(device, names, arguments.small)
    time_units(device, arguments)
    extrapolate(device, arguments)


if __name__ == "__main__":
    main()
