from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from fleeting.errors import FleetingError, UsageError
from fleeting.models import InputShape, ModelSpec
from fleeting.training.data import (
    HostBatches,
    ResidentBatches,
    Samples,
    SequenceFiles,
    Standardisation,
    encode_labels,
    measure,
)

SPEC = ModelSpec("model_a", InputShape(3, 4, 5, 6, 2))
PLAIN = arrays(np.uint8, st.tuples(st.integers(1, 4), *(st.just(s) for s in (4, 5, 6, 2))))
WITH_REFERENCE = arrays(np.uint8, st.tuples(st.integers(1, 4), *(st.just(s) for s in (5, 5, 6, 2))))


CPU = torch.device("cpu")


def everything(samples):
    return torch.arange(len(samples))


def saved(folder, X):
    for number, sample in enumerate(X):
        np.save(folder / f"ñ{number}.npy", sample)
    return SequenceFiles([folder / f"ñ{number}.npy" for number in range(len(X))])


def in_plain_torch(X, index, motion, standardisation):
    """The definition: whole tensors, one operation after the other, each rounded to float32."""
    x = torch.from_numpy(X.transpose(0, 4, 1, 2, 3).copy())[index].float()
    if motion == "difference":
        x = x[:, :, 1:] - x[:, :, :1]
    mean, std = (torch.tensor(v, dtype=torch.float32).view(1, -1, 1, 1, 1) for v in vars(standardisation).values())
    return (x - mean) / std


def shown(X, motion):
    x = X.astype(np.float64)
    return x[:, 1:] - x[:, :1] if motion == "difference" else x


@given(st.sampled_from(["none", "difference"]), st.data())
@settings(max_examples=40, deadline=None)
def test_statistics_and_batches_are_those_of_float64_arithmetic(motion, data):
    X = data.draw(WITH_REFERENCE if motion == "difference" else PLAIN)
    x = shown(X, motion)
    samples = Samples(X, SPEC, motion)
    found = measure(samples)
    std = x.std(axis=(0, 1, 2, 3))
    np.testing.assert_allclose(found.mean, x.mean(axis=(0, 1, 2, 3)), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(found.std, np.where(std > 0, std, 1), rtol=1e-9)
    batch = HostBatches(samples, found).take(everything(samples))
    expected = ((x - found.mean) / found.std).transpose(0, 4, 1, 2, 3)
    assert batch.dtype == torch.float32
    # The mean itself is rounded to float32, and divided by the deviation the rounding grows.
    np.testing.assert_allclose(batch.numpy(), expected, rtol=1e-5, atol=2e-5 / min(1.0, *found.std))
    assert batch.is_contiguous()


def test_statistics_do_not_cancel():
    """Values near 255 that differ by one grey level in one pixel."""
    X = np.full((3, 4, 5, 6, 2), 255, np.uint8)
    X[0, 0, 0, 0, 0] = 254
    found = measure(Samples(X, SPEC, "none"))
    n = X[..., 0].size
    assert found.std[0] == pytest.approx((n - 1) ** 0.5 / n, rel=1e-12)
    assert found.std[1] == 1.0


@pytest.mark.parametrize("motion", ["none", "difference"])
def test_a_batch_is_the_same_bit_for_bit_wherever_the_sequences_lie(motion, tmp_path):
    X = np.random.default_rng(0).integers(0, 256, (5, 4 + (motion == "difference"), 5, 6, 2), dtype=np.uint8)
    files = saved(tmp_path, X)
    maps = [np.load(path, mmap_mode="r") for path in files.paths]
    standardisation = measure(Samples(X, SPEC, motion))
    kinds = {
        "array": HostBatches(Samples(X, SPEC, motion), standardisation),
        "turned array": HostBatches(Samples(np.asfortranarray(X), SPEC, motion), standardisation),
        "maps": HostBatches(Samples(maps, SPEC, motion), standardisation),
        "files": HostBatches(Samples(files, SPEC, motion), standardisation),
        "resident": ResidentBatches(Samples(files, SPEC, motion).resident(CPU), motion, standardisation),
    }
    assert measure(Samples(files, SPEC, motion)) == standardisation
    # Batches of several sizes, one after the other, as they take over each other's memory.
    for index in ([3, 0], [4, 1, 1, 2], [0], [2, 3, 4]):
        expected = in_plain_torch(X, index, motion, standardisation)
        for kind, batches in kinds.items():
            assert len(batches) == 5
            assert torch.equal(batches.take(torch.tensor(index)), expected), (kind, index)


FLOATS = st.floats(-1e6, 1e6, width=32)


@given(
    arrays(np.float32, st.tuples(st.integers(1, 4), *(st.just(s) for s in (4, 5, 6, 2))), elements=FLOATS),
    st.floats(-1e4, 1e4, width=32),
)
@settings(max_examples=40, deadline=None)
def test_statistics_of_float32_are_those_of_float64_arithmetic(X, constant):
    X[..., 1] = constant
    found = measure(Samples(X, SPEC, "none"))
    x = X.astype(np.float64)
    scale = np.abs(x[..., 0]).max()
    assert found.mean[0] == pytest.approx(x[..., 0].mean(), rel=1e-12, abs=1e-12 * scale)
    if x[..., 0].std() > 1e-30:
        assert found.std[0] == pytest.approx(x[..., 0].std(), rel=1e-9)
    # A channel that never changes, whatever its value is.
    assert (found.mean[1], found.std[1]) == (float(np.float32(constant)), 1.0)


def test_statistics_of_float32_do_not_cancel():
    """A tiny change on a large value, which sums of squares in float64 would lose."""
    X = np.full((3, 4, 5, 6, 2), 2.0**23, np.float32)
    X[:, ::2] += 1
    assert measure(Samples(X * np.float32(2.0**40), SPEC, "none")).std == pytest.approx([2.0**39] * 2, rel=1e-12)


@pytest.mark.parametrize("motion", ["none", "difference"])
def test_a_batch_of_float32_is_the_same_bit_for_bit_wherever_the_sequences_lie(motion, tmp_path):
    X = np.random.default_rng(1).normal(3, 2, (4, 4 + (motion == "difference"), 5, 6, 2)).astype(np.float32)
    files = saved(tmp_path, X)
    samples = Samples(files, SPEC, motion)
    assert samples.dtype == torch.float32 and samples.resident(CPU).dtype == torch.float32
    standardisation = measure(samples)
    assert measure(Samples(X, SPEC, motion)) == standardisation
    expected = in_plain_torch(X, [3, 0, 0], motion, standardisation)
    where = torch.tensor([3, 0, 0])
    assert torch.equal(HostBatches(samples, standardisation).take(where), expected)
    resident = samples.resident(CPU)
    before = resident.clone()
    assert torch.equal(ResidentBatches(resident, motion, standardisation).take(where), expected)
    assert torch.equal(resident, before)  # a batch must not be made in the place of what it is made of


def test_types_that_are_neither_or_mixed_and_values_that_are_no_numbers_are_told(tmp_path):
    X = np.zeros((3, 4, 5, 6, 2), np.float32)
    with pytest.raises(UsageError, match=r"sequence 0: found values of type float64; expected uint8 .* or float32"):
        Samples(X.astype(np.float64), SPEC, "none")
    with pytest.raises(UsageError, match="sequence 2: found values of type uint8; expected float32 as in the first"):
        Samples([X[0], X[1], X[2].astype(np.uint8)], SPEC, "none")
    for bad in (np.nan, np.inf, -np.inf):
        X[1, 3, 4, 5, 1] = bad
        for given_as in (X, list(X), saved(tmp_path, X)):
            with pytest.raises(UsageError, match="sequence 1: found NaN or an infinite value"):
                Samples(given_as, SPEC, "none")


def test_files_that_are_gone_or_damaged_are_named(tmp_path):
    files = saved(tmp_path, np.zeros((4, 4, 5, 6, 2), np.uint8))
    assert len(files[1:3]) == 2 and files[1:3].paths == files.paths[1:3]
    content = files.paths[2].read_bytes()
    for damage in (content[:-7], content[:9], b"", b"no array"):
        files.paths[2].write_bytes(damage)
        with pytest.raises(FleetingError, match=r"ñ2\.npy: cannot be read"):
            files[2]
    files.paths[2].unlink()
    with pytest.raises(FleetingError, match=r"ñ2\.npy: cannot be read"):
        Samples(files, SPEC, "none")


def test_a_file_that_does_not_fit_is_found_before_the_training(tmp_path):
    files = saved(tmp_path, np.zeros((3, 4, 5, 6, 2), np.uint8))
    np.save(files.paths[1], np.zeros((4, 5, 7, 2), np.uint8))
    with pytest.raises(UsageError, match="sequence 1: found shape"):
        Samples(files, SPEC, "none")


_USE_OF_MEMORY = """
import sys
import numpy as np, psutil, torch
from fleeting.models import InputShape, ModelSpec
from fleeting.training import SequenceFiles, TrainingConfig, train

class Mean(torch.nn.Module):
    spec = ModelSpec("mean", InputShape(2, 30, 128, 128))
    def __init__(self):
        super().__init__()
        self.output = torch.nn.Linear(1, 2)
    def forward(self, x):
        return self.output(x.mean((2, 3, 4)))

torch.set_num_threads(1)
process, seen = psutil.Process(), []
def look(record):
    seen.append(process.memory_full_info().uss)
for count in (8, 8, 128):
    files = SequenceFiles([f"{sys.argv[1]}/{k}.npy" for k in range(count)])
    train(Mean(), files, [k % 2 for k in range(count)], TrainingConfig(epochs=2), on_epoch=look)
print((seen[-1] - seen[3]) / 2**20)
"""


def test_memory_of_a_process_does_not_grow_with_the_number_of_clips(tmp_path):
    rng = np.random.default_rng(0)
    for number in range(128):
        np.save(tmp_path / f"{number}.npy", rng.integers(0, 256, (30, 128, 128, 1), dtype=np.uint8))
    command = [sys.executable, "-W", "ignore", "-c", _USE_OF_MEMORY, tmp_path]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    # The 120 more sequences are 56 MiB as they lie and 225 MiB as they are shown to the network.
    assert float(done.stdout) < 16


@pytest.mark.parametrize(
    ("X", "says"),
    [
        (np.zeros((2, 4, 5, 6, 2), np.float64), "float64; expected uint8"),
        (np.zeros((4, 5, 6, 2), np.uint8), "expected \\(N, T, H, W, C\\)"),
        (np.zeros((0, 4, 5, 6, 2), np.uint8), "found none"),
        ([], "found none"),
        (np.zeros((2, 4, 5, 6, 1), np.uint8), "built for"),
        (np.zeros((2, 5, 5, 6, 2), np.uint8), "motion be 'difference'"),
        ([np.zeros((4, 5, 6, 2), np.uint8), np.zeros((3, 9), np.uint8)], "sequence 1"),
    ],
)
def test_wrong_sequences(X, says):
    with pytest.raises(UsageError, match=says):
        Samples(X, SPEC, "none")


def test_missing_reference_frame_is_explained():
    with pytest.raises(UsageError, match=r"reference frame.*motion be 'none'"):
        Samples(np.zeros((2, 4, 5, 6, 2), np.uint8), SPEC, "difference")


def test_labels():
    codes, classes = encode_labels(["b", "a", "c"], 3, 3)
    assert classes == ("a", "b", "c") and codes.tolist() == [1, 0, 2]
    codes, classes = encode_labels(["b", "a"], 2, 3, ["c", "b", "a"])
    assert classes == ("c", "b", "a") and codes.tolist() == [1, 2]
    codes, classes = encode_labels(np.array([2.0, 0.0]), 2, 3)
    assert classes == (0, 1, 2) and codes.tolist() == [2, 0]
    codes, classes = encode_labels([10, 30, 20], 3, 3)
    assert classes == (10, 20, 30) and codes.tolist() == [0, 2, 1]
    assert all(type(c) is str for c in encode_labels(np.array(["x", "y", "z"]), 3, 3)[1])


@pytest.mark.parametrize(
    ("y", "classes", "says"),
    [
        (["a", "b"], None, "each of 3"),
        ([["a"], ["b"], ["c"]], None, "one label"),
        ([0.0, float("nan"), 1.0], None, "label 1 is missing"),
        (np.array(["a", None, "b"], object), None, "label 1 is missing"),
        ([0.0, 0.5, 1.0], None, "found 0.5"),
        (["a", "b", "a"], None, "n_classes=2"),
        (["a", "b", "d"], ["a", "b", "c"], "found d; expected only"),
        (["a", "b", "c"], ["a", "b"], "3 outputs"),
        (["a", "b", "c"], ["a", "b", "b"], "2 different"),
    ],
)
def test_wrong_labels(y, classes, says):
    with pytest.raises(UsageError, match=says):
        encode_labels(y, 3, 3, classes)


def test_batch_leaves_the_stored_values_alone():
    resident = torch.zeros((1, 1, 2, 2, 2), dtype=torch.uint8)
    ResidentBatches(resident, "none", Standardisation((5.0,), (2.0,))).take(torch.tensor([0]))
    assert int(resident.sum()) == 0
    X = np.zeros((1, 4, 5, 6, 2), np.uint8)
    HostBatches(Samples(X, SPEC, "none"), Standardisation((5.0, 1.0), (2.0, 1.0))).take(torch.tensor([0]))
    assert int(X.sum()) == 0
