"""Units as experiments run them, on random clips: what a step costs does not depend on the pixels."""

import statistics
import time
import warnings
from itertools import pairwise

import numpy as np
from _serve import clock

from fleeting.errors import CollapseWarning
from fleeting.experiments.unit import FoldSide, TrainingJob, UnitJob, run_unit

CLASSES = ("happy", "disgust", "surprise")


def write_clips(folder, shape, count):
    """Files of ``uint8`` (T, H, W, C)."""
    rng = np.random.default_rng(0)
    paths = []
    for number in range(count):
        paths.append(folder / f"{number}.npy")
        np.save(paths[-1], rng.integers(0, 256, shape, dtype=np.uint8))
    return tuple(paths)


def unit(folder, model, training, shape, paths, labels, train, test, fold=0):
    """A job that trains on some of the clips and predicts others, without motion."""
    frames, height, width, channels = shape
    clips = FoldSide(paths, tuple(labels), tuple(("random", str(number), str(number)) for number in range(len(paths))))
    training_job = TrainingJob(
        key=f"fold{fold}",
        seed=0,
        folder=folder / f"fold{fold}",
        side=clips.take(train),
        classes=CLASSES,
        model=model,
        shape={"n_classes": 3, "n_frames": frames, "height": height, "width": width, "in_channels": channels},
        model_options={},
        training=training,
        recipe={},
    )
    return UnitJob(fold, training_job, clips.take(test))


def timed_unit(job):
    """Run a unit; seconds of an epoch, of all that is not epochs, and of getting the process ready.

    An epoch is the median of all but the first: the first epochs and the last may look for collapse twice.
    """
    # Random pixels teach nothing.
    warnings.simplefilter("ignore", CollapseWarning)
    before, ends, start = time.process_time(), [], clock()
    run_unit(job, lambda *_: ends.append(clock()))
    whole = clock() - start
    epochs = [end - begin for begin, end in pairwise(ends)]
    epoch = statistics.median(epochs)
    # When the first began is not known; it is taken to be like the others.
    return {"epoch": epoch, "rest": whole - sum(epochs) - epoch, "before": before}
