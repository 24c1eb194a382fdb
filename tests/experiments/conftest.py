"""Fixtures of experiments: a run to damage, the cache that spares its preparation, one unit of work."""

import shutil

import numpy as np
import pytest

from fleeting.experiments import RunFolder
from fleeting.experiments.unit import FoldSide, TrainingJob, UnitJob
from fleeting.training import TrainingConfig


@pytest.fixture
def cache(small_run):
    return small_run.path.parent / "cache"


@pytest.fixture
def copied(small_run, tmp_path):
    return RunFolder(shutil.copytree(small_run.path, tmp_path / "run"))


@pytest.fixture
def job(tmp_path):
    rng = np.random.default_rng(0)
    paths = []
    for number in range(6):
        paths.append(tmp_path / f"{number}.npy")
        np.save(paths[-1], rng.integers(0, 256, (18, 9, 9, 1), dtype=np.uint8))
    clips = FoldSide(tuple(paths), ("a", "b") * 3, tuple(("set", "s", str(number)) for number in range(6)))
    training_job = TrainingJob(
        key="fold0",
        seed=0,
        folder=tmp_path / "fold0",
        side=clips.take(range(4)),
        classes=("a", "b"),
        model="model_b",
        shape={"n_classes": 2, "n_frames": 18, "height": 9, "width": 9, "in_channels": 1},
        model_options={},
        training=TrainingConfig.for_model("model_b", epochs=1),
        recipe={},
    )
    return UnitJob(0, training_job, clips.take([4, 5]))
