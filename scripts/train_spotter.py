"""Train the learned spotter of intervals on long synthetic recordings, and write it to one file.

python scripts/train_spotter.py OUT.safetensors --subjects 24 --seconds 60

Nothing is written to disk but the result: recordings are filmed, measured and forgotten.
"""

import argparse
import time

import cv2
import numpy as np
import torch

from fleeting.analysis import MeasuredRecording, save_spotter, train_spotter
from fleeting.parallel import map_jobs
from fleeting.spotting import MotionTable, measure_motion
from fleeting.synthesis import list_identities, make_recording

RATES = (100.0, 100.0, 60.0, 200.0, 50.0, 30.0)


def measured(job):
    """One recording of one person, as the spotter sees it."""
    cv2.setNumThreads(1)
    person, seconds, seed = job
    rng = np.random.default_rng((seed, person))
    low = float(rng.choice([0.5, 0.7, 1.0]))
    made = make_recording(
        list_identities()[person],
        seed=(seed, person),
        seconds=seconds,
        fps=RATES[person % len(RATES)],
        amplitude=(low, 3.0),
        motion=float(rng.uniform(0.5, 4.0)),
        micro=10,
        macro=3,
        speech=2.5,
        colour=False,
    )
    fps = made.settings.fps
    rows = measure_motion((made.frames.grey(k) for k in range(len(made.frames))), fps)
    return MeasuredRecording(made.identity, str(person), MotionTable.of(rows, fps), made.events)


def main() -> None:
    """Film, measure, train, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", help="file to write")
    parser.add_argument("--subjects", type=int, default=20, help="people; benchmarks test on those from 20 on")
    parser.add_argument("--seconds", type=float, default=60.0, help="length of each recording")
    parser.add_argument("--steps", type=int, default=800)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=0, help="processes; 0 for one per core")
    options = parser.parse_args()
    start = time.perf_counter()
    jobs = [(person, options.seconds, options.seed) for person in range(options.subjects)]
    recordings = []
    for _, recording in map_jobs(measured, jobs, jobs=options.jobs):
        recordings.append(recording)
        print(f"{len(recordings)} of {len(jobs)} recordings, {time.perf_counter() - start:.0f} s", flush=True)
    # The order in which processes finish must not decide what is learned.
    recordings.sort(key=lambda recording: int(recording.name))
    torch.set_num_threads(1)
    spotter = train_spotter(recordings, steps=options.steps, seed=options.seed)
    about = {"trained_on": "synthetic recordings of people who do not exist", **vars(options)}
    del about["out"], about["jobs"]
    print(f"loss {spotter.history[0]:.3f} to {spotter.history[-1]:.3f}, thresholds {spotter.threshold}")
    print(save_spotter(spotter, options.out, about))


if __name__ == "__main__":
    main()
