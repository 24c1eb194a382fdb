"""Samples that stay in memory give the same batches, bit for bit, as those that are read each time."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from fleeting.models import InputShape, ModelSpec, create_model
from fleeting.training import TrainingConfig, resident, train
from fleeting.training.data import HostBatches, ResidentBatches, Samples, measure
from fleeting.training.resident import ReadyBatches, training_batches

CPU = torch.device("cpu")


def spec(frames=2):
    return ModelSpec("model_a", InputShape(3, frames, 5, 6, in_channels=3))


@pytest.mark.parametrize("motion", ["none", "difference"])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_batches_are_those_that_are_made_each_time(motion, dtype):
    rng = np.random.default_rng(0)
    X = rng.integers(0, 256, (7, 2 + (motion == "difference"), 5, 6, 3)).astype(dtype)
    samples = Samples(X, spec(), motion)
    standardisation = measure(samples)
    ready, made = training_batches(samples, standardisation, CPU), HostBatches(samples, standardisation)
    assert isinstance(ready, ReadyBatches) and len(ready) == 7
    for index in ([3], [0, 0, 6, 1], [5, 4], list(range(7))):
        assert torch.equal(ready.take(torch.tensor(index)), made.take(torch.tensor(index)))
    # What is done to a batch must not be done to the samples.
    ready.take(torch.arange(7)).zero_()
    assert torch.equal(ready.take(torch.tensor([2])), made.take(torch.tensor([2])))


def test_what_is_large_or_on_a_device_is_not_kept(monkeypatch):
    X = np.zeros((4, 2, 5, 6, 3), np.uint8)
    X[0] = 1
    samples = Samples(X, spec(), "none")
    standardisation = measure(samples)
    monkeypatch.setattr(resident, "MOST_BYTES", 4 * 4 * 180 - 1)
    assert isinstance(training_batches(samples, standardisation, CPU), HostBatches)
    monkeypatch.setattr(resident, "MOST_BYTES", 4 * 4 * 180)
    assert isinstance(training_batches(samples, standardisation, CPU), ReadyBatches)
    assert isinstance(training_batches(samples, standardisation, torch.device("meta")), ResidentBatches)


@pytest.mark.filterwarnings("ignore::fleeting.errors.CollapseWarning")
def test_a_training_does_not_depend_on_where_its_samples_lie(monkeypatch):
    rng = np.random.default_rng(0)
    X, y = rng.integers(0, 256, (9, 1, 28, 28, 3), dtype=np.uint8), np.arange(9) % 3
    found = []
    for most in (resident.MOST_BYTES, 0):
        monkeypatch.setattr(resident, "MOST_BYTES", most)
        model = create_model("ststnet")
        result = train(
            model, X, y, TrainingConfig.for_model("ststnet", epochs=2, batch_size=4), validation=(X[:5], y[:5])
        )
        found.append((result.model.state_dict(), result.history.drop(columns="seconds")))
    (one, table), (other, again) = found
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert table.equals(again)
