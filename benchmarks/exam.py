"""What the exam on the MEGC 2019 composite costs: STSTNet, 68 folds of 800 epochs, and PCA with logistic regression.

An epoch of STSTNet is measured in Fleeting, as experiments run it, and in plain PyTorch with three streams, interleaved
on one core with one thread, and multiplied by folds and epochs. PCA with logistic regression is run whole, by the command,
on images of random pixels with the composite's numbers of clips, classes and people; with --full STSTNet is too. What a step
costs does not depend on the pixels.
"""

import argparse
import csv
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, closing
from pathlib import Path
from statistics import median

import cv2
import numpy as np
from _machine import print_machine
from _serve import Worker
from table4 import schedule

from fleeting.datasets import published_counts
from fleeting.parallel import available_cores

# As their folders name them.
SUBJECTS = {
    "smic": [f"s{n:02d}" for n in range(1, 21) if n not in (7, 10, 16, 17)],
    "casme2": [f"sub{n:02d}" for n in range(1, 27) if n not in (10, 18)],
    "samm": [f"{n:03d}" for n in range(6, 37) if n not in (8, 27, 29)],
}
LABELS = ("negative", "positive", "surprise")
STACKS = {
    "plain": ("plain", {}),
    "fleeting": ("fleeting", {}),
    "fleeting-plain": ("fleeting", {"FLEETING_KERNELS": "0"}),
}
EPOCHS = 800
TARGETS = {"ststnet": 30 * 60, "pca_logistic": 30}
TOLERANCE = 1e-5


def clips(small):
    """Data set, subject and label of every clip."""
    counts, rows = published_counts("megc2019"), []
    for name, subjects in SUBJECTS.items():
        labels = np.repeat(range(3), [counts[name, label] for label in LABELS])
        some = subjects[:2] if small else subjects
        rows += [(name, some[number % len(some)], int(label)) for number, label in enumerate(labels)]
    return rows[:: 20 if small else 1]


def write_flow(folder, rows):
    """Images and a table as they circulate."""
    rng = np.random.default_rng(0)
    with (folder / "flow.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["dataset", "sub", "filename_o", "label", "apex", "imagename", "sub_filename"])
        for number, (name, subject, label) in enumerate(rows):
            clip = f"clip_{number}"
            cv2.imwrite(str(folder / f"{subject}_{clip} .png"), rng.integers(0, 256, (28, 28, 3), dtype=np.uint8))
            table.writerow([name, subject, clip, label, "", f"{subject}_{clip}.jpg", ""])
    return f"flow:{folder},{folder / 'flow.csv'}"


def per_epoch(arguments, samples):
    """Seconds of an epoch in each round, and of what is beside the epochs, by stack."""
    found = {stack: [] for stack in STACKS}
    rest = []
    with ExitStack() as cleanup, tempfile.TemporaryDirectory() as folder:
        workers = {}
        for stack, (side, environment) in STACKS.items():
            command = [sys.executable, "_exam_worker.py", json.dumps([side, samples])]
            environment = {**environment, "BENCHMARK_CLOCK": arguments.clock}
            workers[stack] = cleanup.enter_context(closing(Worker(command, arguments.core, environment)))
            print(f"- `{stack}`: {workers[stack].about}")
        path = str(Path(folder) / "weights.npz")
        workers["fleeting"].ask("export", path=path)
        difference = workers["plain"].ask("agree", path=path)["difference"]
        if not difference <= TOLERANCE:
            raise SystemExit(f"outputs differ by {difference:.1e} for the same weights; nothing to compare")
        print(f"- outputs agree to {difference:.0e} for the same weights")
        for number in range(arguments.rounds):
            turn = number % len(STACKS)
            for stack in (*STACKS, *STACKS)[turn : turn + len(STACKS)]:
                answer = workers[stack].ask("epochs", count=arguments.epochs)
                found[stack].append(median(answer["seconds"]))
                if stack == "fleeting":
                    rest.append(answer["rest"])
    return found, median(rest)


def extrapolate(arguments, rows):
    people = sorted({row[:2] for row in rows})
    trained = [sum(row[:2] != one for row in rows) for one in people]
    samples, cores = max(trained), available_cores()
    print(f"\n## STSTNet, an epoch of {samples} samples of 28×28×3 in batches of 256\n")
    found, rest = per_epoch(arguments, samples)
    print("\n| | an epoch, ms | times Fleeting's; median of the rounds, lowest to highest |")
    print("|---|---|---|")
    for stack, seconds in found.items():
        ratios = [one / ours for one, ours in zip(seconds, found["fleeting"], strict=True)]
        spread = "" if stack == "fleeting" else f"{median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
        print(f"| `{stack}` | {1e3 * median(seconds):.1f} | {spread} |")
    print(
        f"\n{len(people)} folds train on {sum(trained)} samples together, {sum(trained) / samples:.1f} times {samples}; "
        f"{EPOCHS} epochs each; beside the epochs per fold takes {rest:.1f} s in Fleeting.\n"
    )
    for stack, seconds in found.items():
        epoch, beside = median(seconds), rest if stack.startswith("fleeting") else 0.0
        folds = [EPOCHS * epoch * count / samples + beside for count in trained]
        whole = schedule(folds, cores)
        print(
            f"- `{stack}`: {EPOCHS} × {1e3 * epoch:.1f} ms × {sum(trained) / samples:.1f} + {len(people)} × {beside:.1f} s "
            f"= {sum(folds) / 60:.1f} minutes of one core; each fold to the first of {cores} that is free: "
            f"{whole / 60:.1f} minutes"
        )
    print(f"\nTarget: {TARGETS['ststnet'] / 60:.0f} minutes on two cores.")


def whole(model, data, out, epochs=None):
    """The command itself, from the start of Python to the report."""
    command = [sys.executable, "-m", "fleeting", "evaluate", "--data", data, "--model", model, "--protocol", "cde"]
    command += ["--out", str(out), "--quiet", *(() if epochs is None else ("--epochs", str(epochs)))]
    # The cache belongs to this measurement, or preparing would be left out.
    environment = {**os.environ, "FLEETING_CACHE": str(out.parent / "cache"), "PYTHONWARNINGS": "ignore"}
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(command, env=environment, capture_output=True, text=True, encoding="utf-8")
    if done.returncode != 0:
        raise SystemExit(done.stdout + done.stderr)
    seconds, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    folds = len(list((out / "units").glob("*/unit.json")))
    print(
        f"`{model}`: {folds} folds, the whole command: {seconds:.0f} s; processor time {processor:.0f} s, "
        f"{processor / available_cores():.0f} s a core (target: {TARGETS[model]} s)"
    )


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--epochs", type=int, default=20, help="of each stack in each round")
    parser.add_argument("--core", type=int, default=0, help="the core that the epochs run on")
    parser.add_argument("--clock", choices=("wall", "processor"), default="wall", help="processor on a busy machine")
    parser.add_argument("--full", action="store_true", help="run STSTNet whole as well")
    parser.add_argument("--small", action="store_true", help="a few clips and epochs, to try the script out")
    arguments = parser.parse_args(argv)
    sys.stdout.reconfigure(line_buffering=True)
    print_machine()
    rows = clips(arguments.small)
    clock = {"wall": "wall-clock", "processor": "processor"}[arguments.clock]
    print(f"Epochs: one core, one thread, {clock} time; each figure is the median of {arguments.rounds} rounds.")
    extrapolate(arguments, rows)
    print("\n## Whole runs\n")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "flow"
        folder.mkdir()
        data = write_flow(folder, rows)
        whole("pca_logistic", data, Path(name) / "pca")
        if arguments.full:
            whole("ststnet", data, Path(name) / "ststnet", 2 if arguments.small else None)


if __name__ == "__main__":
    main()
