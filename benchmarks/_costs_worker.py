"""One point of costs.py in a process of its own, so that its peak of memory is its own."""

import tempfile
import warnings
from pathlib import Path

import numpy as np
from _serve import clock, peak_mib, serve, timed
from _units import CLASSES, unit, write_clips

from fleeting.errors import CollapseWarning
from fleeting.experiments.unit import fit
from fleeting.training import TrainingConfig, keep_memory

PREDICTED = 12


def measure(model, clips, frames, side):
    """Seconds of the second of two epochs, milliseconds to predict a clip, and the peak in MiB of both."""
    warnings.simplefilter("ignore", CollapseWarning)
    shape = frames, side, side, 1
    with tempfile.TemporaryDirectory() as name:
        paths = write_clips(Path(name), shape, clips)
        labels = [CLASSES[number % len(CLASSES)] for number in range(clips)]
        training = TrainingConfig.for_model(model, epochs=2)
        ends = []
        job = unit(Path(name), model, training, shape, paths, labels, range(clips), ())
        result, _ = fit(job.training_job, lambda *_: ends.append(clock()))
        some = [np.load(path, mmap_mode="r") for path in paths[:PREDICTED]]
        predicted = min(timed(lambda: result.predict_proba(some), 3)) / len(some)
    return {"epoch_s": ends[1] - ends[0], "predict_ms": predicted, "peak_mib": peak_mib()}


if __name__ == "__main__":
    # As the processes of an experiment do.
    keep_memory()
    serve("Fleeting", {"measure": measure})
