"""How hard the synthetic composite is: what simple methods score on it without having seen the person.

Writes the flow of the composite for each seed, timed, and scores PCA with logistic regression by leaving each of the 68
people out, and STSTNet by five folds of people (by leaving each out with --full, which takes long). Five folds that mix
people show what knowing them is worth. A setting of the composite can be changed, as in --settings drift=2 habits=0.3.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path

import pandas as pd
from _machine import print_machine

from fleeting.experiments import ExperimentConfig, evaluate
from fleeting.metrics import uar, uf1
from fleeting.sequences import Flow, write_flow_folder
from fleeting.synthesis import CompositeSettings, composite_clips
from fleeting.training import TrainingConfig

CLASSES = ("negative", "positive", "surprise")
SETS = ("smic", "casme2", "samm")


def settings_of(changes):
    fields = {}
    for change in changes:
        name, _, value = change.partition("=")
        fields[name] = json.loads(value)
    return CompositeSettings(**fields)


def score(data, model, protocol, options, out, jobs, epochs):
    training = TrainingConfig.for_model(model, **({} if epochs is None else {"epochs": epochs}))
    config = ExperimentConfig(
        data=(data,),
        scheme="megc2019",
        classes=CLASSES,
        recipe=Flow(),
        model=model,
        training=training,
        protocol=protocol,
        protocol_options=options,
    )
    start = time.perf_counter()
    run = evaluate(config, out / f"{model}-{protocol}", jobs=jobs, cache=out / "cache", samples=False)
    table = pd.concat(
        [pd.read_csv(path, dtype={"subject": str}) for path in sorted(run.path.glob("units/*/predictions.csv"))]
    )
    parts = {"all": table} | {name: table[table.dataset == name] for name in SETS}
    cells = []
    for part in parts.values():
        true, said = part.label.tolist(), part.prediction.tolist()
        cells.append(f"{uf1(true, said, CLASSES):.3f} / {uar(true, said, CLASSES):.3f}")
    return cells, time.perf_counter() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--settings", nargs="*", default=[], metavar="FIELD=VALUE")
    parser.add_argument("--scale", type=float, default=1.0, help="share of the true size")
    parser.add_argument("--epochs", type=int, help="of STSTNet, in place of the paper's 800")
    parser.add_argument("--full", action="store_true", help="leave each person out for STSTNet, too")
    parser.add_argument("--models", nargs="+", default=["pca_logistic", "ststnet"])
    parser.add_argument("--out", type=Path, help="folder to keep and to resume (default: a temporary one)")
    parser.add_argument("--jobs", type=int, default=0)
    arguments = parser.parse_args()
    print_machine()
    settings = settings_of(arguments.settings)
    print(f"\nSettings: {settings.model_dump_json()}\n")
    with tempfile.TemporaryDirectory() as temporary:
        root = arguments.out or Path(temporary)
        rows = []
        for seed in arguments.seeds:
            place = root / f"seed{seed}"
            clips = composite_clips(seed, scale=arguments.scale, settings=settings)
            start = time.perf_counter()
            made = write_flow_folder(clips, place / "flow", jobs=arguments.jobs, cache=place / "cache", synthetic=True)
            seconds = time.perf_counter() - start
            print(
                f"Seed {seed}: {made.n_clips} clips rendered, aligned, and their flow written in {seconds:.0f} s, "
                f"{made.n_clips / seconds:.1f} a second; {len(made.skipped)} skipped"
            )
            few = {"folds": min(5, len({(c.dataset, c.subject) for c in clips}))}
            for model in arguments.models:
                people = ("cde", {}) if arguments.full or model != "ststnet" else ("subject-kfold", few)
                for rule in (people, ("stratified-kfold", few)) if model != "ststnet" else (people,):
                    epochs = arguments.epochs if model == "ststnet" else None
                    cells, took = score(f"flow:{place / 'flow'}", model, *rule, place, arguments.jobs, epochs)
                    rows.append([str(seed), model, rule[0], *cells, f"{took:.0f}"])
        head = ["seed", "model", "protocol", *(f"UF1 / UAR, {name}" for name in ("all", *SETS)), "seconds"]
        print("\n| " + " | ".join(head) + " |\n|" + "---|" * len(head))
        for row in rows:
            print("| " + " | ".join(row) + " |")


if __name__ == "__main__":
    main()
