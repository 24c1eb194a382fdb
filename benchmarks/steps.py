"""A training step, a prediction and the peak of memory, beside Keras with TensorFlow and the arithmetic floor.

Every stack is a process held to the same core, with one thread. In each round each stack runs for a moment, in another
order each time, so that whatever slows the machine slows all of them. Before that, all must give the same outputs for
the same weights. Memory is that of fresh processes that do nothing but train.

The floor is what the layers' multiplications and additions take at the core's peak when each convolution is computed as
it is written. A transform that spares some of them (Winograd) may go below.

Fleeting trains by its public interface, from uint8 clips; Keras gets float32 arrays that are ready. Inference is measured
twice: the network alone, from a ready float32 array to probabilities on both sides; and for Fleeting the whole of its
public prediction, with the checks, the standardisation and the file's uint8, for which Keras has no counterpart and is
measured as before.
"""

import argparse
import json
import sys
import tempfile
from contextlib import ExitStack, closing
from pathlib import Path
from statistics import median

from _machine import print_machine
from _networks import NETWORKS, SMALL
from _serve import Worker

HERE = Path(__file__).parent
TENSORFLOW = {"KERAS_BACKEND": "tensorflow", "CUDA_VISIBLE_DEVICES": "-1"}
# Of each stack: its side, its environment, its options.
STACKS = {
    "keras": ("keras", TENSORFLOW, {}),
    "keras-onednn": ("keras", {**TENSORFLOW, "TF_ENABLE_ONEDNN_OPTS": "1"}, {}),
    "keras-no-onednn": ("keras", {**TENSORFLOW, "TF_ENABLE_ONEDNN_OPTS": "0"}, {}),
    "keras-xla": ("keras", TENSORFLOW, {"xla": True}),
    "fleeting": ("fleeting", {}, {}),
    "fleeting-plain": ("fleeting", {"FLEETING_KERNELS": "0"}, {}),
}
DEFAULT = [name for name in STACKS if name != "keras-xla"]
TOLERANCE = 1e-4
# Operation and clips at once.
COLUMNS = {"train": "training step", "network1": "network, 1 clip", "network4": "network, 4 clips"} | {
    "infer1": "whole prediction, 1 clip",
    "infer4": "whole prediction, 4 clips",
}


def start(stack, network, arguments):
    side, environment, options = STACKS[stack]
    setup = json.dumps({"name": network.name, "size": network.size, "batch": network.batch, **options})
    python = arguments.keras_python if side == "keras" else sys.executable
    return Worker(
        [python, f"_{side}_worker.py", setup], arguments.core, {**environment, "BENCHMARK_CLOCK": arguments.clock}
    )


def refer(network, path, arguments):
    """Write weights, an input and its outputs for all stacks to agree with; return the peak of the core."""
    with closing(start("fleeting-plain", network, arguments)) as worker:
        worker.ask("export", path=str(path))
        return worker.ask("peak_gflops")


def measure(network, path, arguments):
    """Milliseconds of each round, and MiB, by stack and column."""
    found = {stack: {column: [] for column in COLUMNS} for stack in arguments.stacks}
    with ExitStack() as cleanup:
        workers = {}
        for stack in arguments.stacks:
            workers[stack] = cleanup.enter_context(closing(start(stack, network, arguments)))
            print(f"- `{stack}`: {workers[stack].about}", end="")
            print(f"; outputs agree to {agree(workers[stack], network, path):.0e}")
        for column in COLUMNS:
            # As often as fits into a moment, from first tries that also warm up.
            times = {
                stack: max(1, min(20, round(1e3 * arguments.seconds / run(worker, column, 2)[-1])))
                for stack, worker in workers.items()
            }
            for number in range(arguments.rounds):
                turn = number % len(workers)
                for stack in arguments.stacks[turn:] + arguments.stacks[:turn]:
                    found[stack][column].append(median(run(workers[stack], column, times[stack])))
    for stack in arguments.stacks:
        with closing(start(stack, network, arguments)) as worker:
            found[stack]["peak"] = worker.ask("train", steps=3)["peak"]
    return found


def run(worker, column, times):
    if column == "train":
        return worker.ask("train", steps=times)["ms"]
    return worker.ask(column[:-1], batch=int(column[-1]), times=times)["ms"]


def agree(worker, network, path):
    difference = worker.ask("agree", path=str(path))["difference"]
    if not difference <= TOLERANCE:
        raise SystemExit(f"{network.name}: outputs differ by {difference:.1e} for the same weights; nothing to compare")
    return difference


def report(network, found, peak):
    floors = {
        column: (network.step_flops() if column == "train" else network.inference_flops(int(column[-1]))) / peak / 1e6
        for column in COLUMNS
    }
    heads = [f"{title}, ms" for title in COLUMNS.values()]
    print()
    print(f"| stack | {' | '.join(heads)} | peak memory, MiB |")
    print("|---" * (len(heads) + 2) + "|")
    print(
        f"| arithmetic floor: {network.step_flops() / 1e9:.2f} GFLOP a step | "
        + " | ".join(f"{floor:.1f}" for floor in floors.values())
        + " | |"
    )
    for stack, columns in found.items():
        cells = [f"{(ms := median(columns[c])):.1f} ({ms / floors[c]:.1f}× floor)" for c in COLUMNS]
        print(f"| `{stack}` | {' | '.join(cells)} | {columns['peak']:.0f} |")
    if "fleeting" not in found or len(found) == 1:
        return
    print()
    print("| times what `fleeting` takes; median of the rounds, lowest to highest | " + " | ".join(TITLES) + " |")
    print("|---" * (len(TITLES) + 1) + "|")
    ours = found["fleeting"]
    for stack, columns in found.items():
        if stack != "fleeting":
            cells = []
            for column in COLUMNS:
                ratios = [theirs / mine for theirs, mine in zip(columns[column], ours[column], strict=True)]
                cells.append(f"{median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")
            print(f"| `{stack}` | {' | '.join(cells)} | {columns['peak'] / ours['peak']:.2f} |")


TITLES = (*COLUMNS.values(), "peak memory")


def names(known):
    def parse(text):
        for name in text.split(","):
            if name not in known:
                raise argparse.ArgumentTypeError(f"found {name!r}; choose from: {', '.join(known)}")
        return text.split(",")

    return parse


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=names(NETWORKS), default=list(NETWORKS), help="separated by commas")
    parser.add_argument("--stacks", type=names(STACKS), default=DEFAULT, help=f"of {', '.join(STACKS)}")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=1.0, help="of each stack in each round, about")
    parser.add_argument("--core", type=int, default=0, help="the core that everything runs on")
    parser.add_argument("--clock", choices=("wall", "processor"), default="wall", help="processor on a busy machine")
    parser.add_argument("--keras-python", type=Path, default=HERE.parent / ".venv-bench" / "bin" / "python")
    parser.add_argument("--small", action="store_true", help="tiny clips, to try the script out")
    arguments = parser.parse_args(argv)
    sys.stdout.reconfigure(line_buffering=True)
    print_machine()
    if not arguments.keras_python.exists() and any(STACKS[stack][0] == "keras" for stack in arguments.stacks):
        print(f"No Keras: {arguments.keras_python} is absent. `make bench` installs it, or give --keras-python.\n")
        arguments.stacks = [stack for stack in arguments.stacks if STACKS[stack][0] != "keras"]
    arguments.keras_python = arguments.keras_python.absolute()
    if not arguments.stacks:
        raise SystemExit("no stack is left to measure")
    clock = {"wall": "wall-clock", "processor": "processor"}[arguments.clock]
    print(f"One core, one thread, {clock} time. Each figure is the median of {arguments.rounds} rounds.")
    with tempfile.TemporaryDirectory() as folder:
        for name in arguments.models:
            network = NETWORKS[name].at(**SMALL) if arguments.small else NETWORKS[name]
            path = Path(folder) / f"{name}.npz"
            print(f"\n## {name}, grey {network.shape}, batch {network.batch}\n")
            peak = refer(network, path, arguments)
            print(f"- peak of the core: {peak['gflops']:.0f} GFLOP/s ({peak['how']})")
            report(network, measure(network, path, arguments), peak["gflops"])


if __name__ == "__main__":
    main()
