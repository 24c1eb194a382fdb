"""What Model-A learns from raw frames and from their difference from the onset frame, subject-independently.

Also shows how often a training collapses to a constant answer. Needs minutes; a folder given with --out is resumed.
"""

import argparse
from pathlib import Path

from _machine import print_machine

from fleeting.experiments import ExperimentConfig, evaluate
from fleeting.records import Summary
from fleeting.sequences import Talluri2022
from fleeting.synthesis import write_dataset
from fleeting.training import TrainingConfig

WAYS = {
    "raw frames, as published": ("none", {}),
    "raw frames, gradient norm cut at 1": ("none", {"clip_norm": 1.0}),
    "difference from the onset frame": ("difference", {}),
    "difference, gradient norm cut at 1": ("difference", {"clip_norm": 1.0}),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("demo/learning"))
    parser.add_argument("--subjects", type=int, default=12)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--full", action="store_true", help="36 frames of 128x128, as published, not 18 of 64x64")
    arguments = parser.parse_args()
    print_machine()
    clips = arguments.out / "clips"
    write_dataset(clips, subjects=arguments.subjects, clips_per_subject=6, amplitude=(2.0, 3.0), jobs=0)
    size = {} if arguments.full else {"frames": 18, "step": 2, "height": 64, "width": 64}
    print(f"{'input':<36} accuracy  95 % interval   always one class  collapsed folds")
    for number, (name, (motion, training)) in enumerate(WAYS.items()):
        config = ExperimentConfig(
            data=(f"synthetic:{clips}",),
            recipe=Talluri2022(motion=motion, **size),
            training=TrainingConfig.for_model("model_a", epochs=arguments.epochs, **training),
            protocol="subject-kfold",
        )
        run = evaluate(config, arguments.out / f"run{number}", jobs=0, cache=arguments.out / "cache", samples=False)
        summary = Summary.read(run.path / "summary.json")
        pooled = summary.pooled
        print(
            f"{name:<36} {pooled.accuracy:.3f}     [{pooled.accuracy_low:.3f}, {pooled.accuracy_high:.3f}]  "
            f"{pooled.majority_accuracy:.3f}             {summary.collapsed} of {summary.finished}"
        )


if __name__ == "__main__":
    main()
