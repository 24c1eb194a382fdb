"""What an epoch, a prediction and memory cost by the number of clips, of frames, and by the side length.

Each point is a process of its own on one core, and its epoch a complete one. Writes a table and a plot.
"""

import argparse
import csv
import sys
from contextlib import closing
from pathlib import Path

from _machine import print_machine
from _serve import Worker

DOCS = Path(__file__).parent.parent / "docs"
MODELS = {"model_a": {"frames": 36, "side": 128}, "model_b": {"frames": 36, "side": 64}}
CLIPS = 100
AXES = {
    "clips": (10, 30, 100, 300, 1000),
    "frames": (10, 18, 26, 36),
    "side": (32, 64, 96, 128, 160),
}
SMALL = {"clips": (4,), "frames": (18,), "side": (10,)}
# Model-B's convolution looks at 15 frames and its pooling at 3 of what that leaves.
LEAST_FRAMES = {"model_a": 9, "model_b": 17}
LABELS = {"clips": "clips trained on", "frames": "frames per clip", "side": "pixels a side"}
FIGURES = {"epoch_s": "an epoch, s", "predict_ms": "prediction of a clip, ms", "peak_mib": "peak memory, MiB"}
LOOKS = {"model_a": ("Model-A", "#0b6e99", "o"), "model_b": ("Model-B", "#c8553d", "s")}
COLUMNS = ("axis", "model", "clips", "frames", "side", *FIGURES)


def points(small):
    for axis, values in (SMALL if small else AXES).items():
        for model, usual in MODELS.items():
            for value in values:
                point = {"clips": CLIPS, **usual}
                if small:
                    point = {name: few[0] for name, few in SMALL.items()}
                point[axis] = value
                if point["frames"] >= LEAST_FRAMES[model]:
                    yield {"axis": axis, "model": model, **point}


def measure(arguments):
    known, clock = {}, {"BENCHMARK_CLOCK": arguments.clock}
    for point in points(arguments.small):
        # The lines cross at each model's usual size; it is measured once.
        key = tuple(point[name] for name in COLUMNS[1:5])
        if key not in known:
            with closing(Worker([sys.executable, "_costs_worker.py"], arguments.core, clock)) as worker:
                known[key] = worker.ask("measure", **{name: point[name] for name in COLUMNS[1:5]})
        row = {**point, **{name: f"{known[key][name]:.4g}" for name in FIGURES}}
        print(" | ".join(str(row[name]) for name in COLUMNS))
        yield row


def plot(rows, path):
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt
    from matplotlib.ticker import NullFormatter, NullLocator

    figure, grid = plt.subplots(len(FIGURES), len(AXES), figsize=(9, 7.5), sharey="row", sharex="col")
    for line, (figure_name, figure_label) in zip(grid, FIGURES.items(), strict=True):
        for place, axis in zip(line, AXES, strict=True):
            for model, (label, colour, marker) in LOOKS.items():
                mine = [row for row in rows if row["axis"] == axis and row["model"] == model]
                values = [int(row[axis]) for row in mine]
                place.plot(values, [float(row[figure_name]) for row in mine], marker, ls="-", color=colour, label=label)
            ticks = sorted({int(row[axis]) for row in rows if row["axis"] == axis})
            place.set_xscale("log")
            place.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
            place.xaxis.set_minor_locator(NullLocator())
            if figure_name != "peak_mib":
                place.set_yscale("log")
                place.yaxis.set_major_formatter("{x:g}")
                place.yaxis.set_minor_formatter(NullFormatter())
            place.grid(color="0.9")
            place.spines[["top", "right"]].set_visible(False)
        line[0].set_ylabel(figure_label)
        if figure_name == "peak_mib":
            # All panels of the row share it, so only once all are drawn.
            line[0].set_ylim(bottom=0)
    for place, axis in zip(grid[-1], AXES, strict=True):
        place.set_xlabel(LABELS[axis])
    grid[0][0].legend(frameon=False)
    figure.tight_layout()
    figure.savefig(path, dpi=90, metadata={"Software": None}, pil_kwargs={"optimize": True})
    plt.close(figure)


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=DOCS, help="folder of costs.csv and costs.png")
    parser.add_argument("--core", type=int, default=0, help="the core that everything runs on")
    parser.add_argument("--clock", choices=("wall", "processor"), default="wall", help="processor on a busy machine")
    parser.add_argument("--small", action="store_true", help="tiny clips, to try the script out")
    parser.add_argument("--plot-only", action="store_true", help="draw the table that is there")
    arguments = parser.parse_args(argv)
    table = arguments.out / "costs.csv"
    if not arguments.plot_only:
        sys.stdout.reconfigure(line_buffering=True)
        print_machine()
        print(" | ".join(COLUMNS))
        rows = list(measure(arguments))
        with table.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
    with table.open(newline="", encoding="utf-8") as file:
        plot(list(csv.DictReader(file)), arguments.out / "costs.png")


if __name__ == "__main__":
    main()
