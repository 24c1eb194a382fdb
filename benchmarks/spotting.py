"""The spotted apex and the measured motion against the truth, by amplitude and head motion, on synthetic clips."""

import argparse
from concurrent.futures import ProcessPoolExecutor

import cv2
import numpy as np
from _machine import print_machine

from fleeting.clips import ArrayFrames, Clip
from fleeting.faces import find_reference
from fleeting.spotting import spot_clip
from fleeting.synthesis import list_identities, load_identity, make_clip

AMPLITUDES = (0.5, 1.0, 2.0, 3.0)
JITTERS = (0.5, 2.0)
EMOTIONS = ("happiness", "disgust", "surprise")


def one(job):
    cv2.setNumThreads(1)
    name, emotion, amplitude, jitter, seed = job
    made = make_clip(load_identity(name), emotion, amplitude=amplitude, jitter=jitter, seed=seed)
    frames = ArrayFrames(made.frames, fps=made.fps)
    clip = Clip("synthetic", name, emotion, frames, fps=made.fps)
    spot = spot_clip(clip, find_reference(frames).landmarks)
    profile = np.corrcoef(spot.scores, made.profile)[0, 1]
    return amplitude, jitter, abs(spot.apex - made.apex), abs(spot.onset - made.onset), profile


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=24, help="clips of each amplitude and head motion")
    arguments = parser.parse_args()
    print_machine()
    names = list_identities()
    jobs = [
        (names[k % len(names)], EMOTIONS[k % len(EMOTIONS)], amplitude, jitter, k)
        for amplitude in AMPLITUDES
        for jitter in JITTERS
        for k in range(arguments.clips)
    ]
    with ProcessPoolExecutor() as pool:
        rows = list(pool.map(one, jobs, chunksize=4))
    print("amplitude  head    apex error, frames    onset error  r of the measured and")
    print("px         motion  median  90th perc.    median       the true course (median)")
    for amplitude in AMPLITUDES:
        for jitter in JITTERS:
            part = np.array([row[2:] for row in rows if row[:2] == (amplitude, jitter)])
            apex, onset, course = part.T
            print(
                f"{amplitude:<10} {jitter:<7} {np.median(apex):<7.1f} {np.quantile(apex, 0.9):<13.1f} "
                f"{np.median(onset):<12.1f} {np.median(course):.3f}"
            )


if __name__ == "__main__":
    main()
