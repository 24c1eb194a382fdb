"""All methods on the field's exam, run on synthetic composites: 68 people, each left out once, and nothing chosen by them.

For each seed a composite of the size of MEGC 2019's is made, and every method is run on it under the protocol `cde` with its
own recipe and training. Printed are UF1 and UAR of all answers pooled, with 95 % intervals over people, and what a paired
permutation test says of each method against STSTNet. The seeds are others than those with which the composite was set up
(0 and 1) and on which methods were developed.

A run takes hours on two cores (OFF-ApexNet alone one), and resumes if --out is given.
"""

import argparse
import csv
import tempfile
import time
from pathlib import Path

from _machine import print_machine

from fleeting.experiments import ExperimentConfig, evaluate
from fleeting.metrics import composite_scores, paired_permutation_test
from fleeting.models import model_info
from fleeting.sequences import create_recipe, write_flow_folder
from fleeting.synthesis import composite_clips
from fleeting.training import TrainingConfig

MODELS = ("pca_logistic", "ststnet", "mirror_ensemble", "bi_woof_svm", "rcn", "lbp_top_svm", "off_apexnet")
AGAINST = "ststnet"
CLASSES = ("negative", "positive", "surprise")
MEASURED = Path(__file__).parent.parent / "src" / "fleeting" / "models" / "measured_megc2019.csv"


def run(model, clips, place, arguments):
    info = model_info(model)
    epochs = {"epochs": arguments.epochs} if arguments.epochs and "epochs" in info.training else {}
    config = ExperimentConfig(
        data=(f"flow:{place / 'flow'}",) if info.recipe == "flow" else (),
        classes=CLASSES,
        recipe=create_recipe(info.recipe),
        model=model,
        model_options={"epochs": arguments.epochs} if arguments.epochs and "epochs" in info.options else {},
        training=TrainingConfig.for_model(model, **epochs),
        protocol="cde" if arguments.folds is None else "subject-kfold",
        protocol_options={} if arguments.folds is None else {"folds": arguments.folds},
        scheme="megc2019",
    )
    start = time.perf_counter()
    done = evaluate(
        config,
        place / (model if arguments.folds is None else f"{model}-{arguments.folds}"),
        clips=None if config.data else clips,
        jobs=arguments.jobs,
        cache=place / "cache",
        samples=False,
    )
    return done, time.perf_counter() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[11, 12])
    parser.add_argument("--models", nargs="+", choices=MODELS, default=MODELS)
    parser.add_argument(
        "--folds", type=int, help="so many folds of people in place of leaving each out; minutes, not hours"
    )
    parser.add_argument("--scale", type=float, default=1.0, help="share of the true size, to try the script out")
    parser.add_argument("--epochs", type=int, help="in place of each method's own, to try the script out")
    parser.add_argument("--out", type=Path, help="folder to keep and to resume (default: a temporary one)")
    parser.add_argument("--jobs", type=int, default=0)
    parser.add_argument("--write", action="store_true", help=f"keep the figures in {MEASURED.name}, in the package")
    arguments = parser.parse_args()
    print_machine()
    kept = []
    with tempfile.TemporaryDirectory() as temporary:
        for seed in arguments.seeds:
            place = (arguments.out or Path(temporary)) / f"seed{seed}"
            clips = composite_clips(seed, scale=arguments.scale)
            made = write_flow_folder(clips, place / "flow", jobs=arguments.jobs, cache=place / "cache", synthetic=True)
            people = len({(clip.dataset, clip.subject) for clip in clips})
            print(f"\n## Synthetic composite, seed {seed}: {made.n_clips} clips of {people} people\n", flush=True)
            predictions, rows = {}, []
            for model in arguments.models:
                done, seconds = run(model, clips, place, arguments)
                predictions[model] = done.predictions()
                scores = composite_scores(predictions[model], CLASSES)
                scores.index = scores["dataset"].where(scores["scope"] == "dataset", "full")
                rows.append((model, scores, seconds))
            sets = [name for name in rows[0][1].index if name != "full"]
            heads = ["method", "UF1", "UAR", *(f"UF1 / UAR, {name}" for name in sets)]
            heads += [f"UF1 over {AGAINST}", "p", "seconds"]
            print("| " + " | ".join(heads) + " |\n" + "|---" * len(heads) + "|")
            for model, scores, seconds in rows:
                full = scores.loc["full"]
                cells = [model]
                cells += [f"{full[m]:.3f} [{full[f'{m}_low']:.3f}, {full[f'{m}_high']:.3f}]" for m in ("uf1", "uar")]
                cells += [f"{scores.loc[name, 'uf1']:.3f} / {scores.loc[name, 'uar']:.3f}" for name in sets]
                if model != AGAINST and AGAINST in predictions:
                    test = paired_permutation_test(predictions[model], predictions[AGAINST], "uf1", classes=CLASSES)
                    cells += [f"{test.difference:+.3f} [{test.low:+.3f}, {test.high:+.3f}]", f"{test.p_value:.4f}"]
                else:
                    cells += ["", ""]
                print("| " + " | ".join([*cells, f"{seconds:.0f}"]) + " |", flush=True)
                command = f"benchmarks/exam_methods.py --seeds {seed} --models {model}"
                if arguments.folds is None:
                    kept.append([model, f"synthetic composite seed {seed}", full["uf1"], full["uar"], command])
    if arguments.write:
        write(kept)


def write(rows):
    """Put figures into the package, in the place of older ones of the same method and data."""
    with MEASURED.open(encoding="utf-8", newline="") as file:
        head, *old = csv.reader(file)
    new = {(row[0], row[1]): [*row[:2], f"{row[2]:.3f}", f"{row[3]:.3f}", row[4]] for row in rows}
    merged = {(row[0], row[1]): row for row in old} | new
    with MEASURED.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([head, *(merged[key] for key in sorted(merged))])


if __name__ == "__main__":
    main()
