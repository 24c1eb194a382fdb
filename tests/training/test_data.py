from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from fleeting.errors import UsageError
from fleeting.models import InputShape, ModelSpec
from fleeting.training.data import Standardisation, encode_labels, measure, to_batch, to_resident

SPEC = ModelSpec("model_a", InputShape(3, 4, 5, 6, 2))
PLAIN = arrays(np.uint8, st.tuples(st.integers(1, 4), *(st.just(s) for s in (4, 5, 6, 2))))
WITH_REFERENCE = arrays(np.uint8, st.tuples(st.integers(1, 4), *(st.just(s) for s in (5, 5, 6, 2))))


def shown(X, motion):
    x = X.astype(np.float64)
    return x[:, 1:] - x[:, :1] if motion == "difference" else x


@given(st.sampled_from(["none", "difference"]), st.data())
@settings(max_examples=40, deadline=None)
def test_statistics_and_batches_are_those_of_float64_arithmetic(motion, data):
    X = data.draw(WITH_REFERENCE if motion == "difference" else PLAIN)
    x = shown(X, motion)
    resident = to_resident(X, SPEC, motion)
    found = measure(resident, motion)
    std = x.std(axis=(0, 1, 2, 3))
    np.testing.assert_allclose(found.mean, x.mean(axis=(0, 1, 2, 3)), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(found.std, np.where(std > 0, std, 1), rtol=1e-9)
    batch = to_batch(resident, slice(None), motion, found)
    expected = ((x - found.mean) / found.std).transpose(0, 4, 1, 2, 3)
    assert batch.dtype == torch.float32
    np.testing.assert_allclose(batch.numpy(), expected, rtol=1e-5, atol=1e-5)
    assert batch.is_contiguous()


def test_statistics_do_not_cancel():
    """Values near 255 that differ by one grey level in one pixel."""
    X = np.full((3, 4, 5, 6, 2), 255, np.uint8)
    X[0, 0, 0, 0, 0] = 254
    found = measure(to_resident(X, SPEC, "none"), "none")
    n = X[..., 0].size
    assert found.std[0] == pytest.approx((n - 1) ** 0.5 / n, rel=1e-12)
    assert found.std[1] == 1.0


def test_lists_of_memory_maps_are_taken(tmp_path):
    X = np.random.default_rng(0).integers(0, 256, (3, 4, 5, 6, 2), dtype=np.uint8)
    for number, sample in enumerate(X):
        np.save(tmp_path / f"{number}.npy", sample)
    maps = [np.load(tmp_path / f"{number}.npy", mmap_mode="r") for number in range(3)]
    assert torch.equal(to_resident(maps, SPEC, "none"), to_resident(X, SPEC, "none"))
    assert torch.equal(to_resident(X, SPEC, "none"), torch.from_numpy(X.transpose(0, 4, 1, 2, 3).copy()))


@pytest.mark.parametrize(
    ("X", "says"),
    [
        (np.zeros((2, 4, 5, 6, 2), np.float32), "float32; expected uint8"),
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
        to_resident(X, SPEC, "none")


def test_missing_reference_frame_is_explained():
    with pytest.raises(UsageError, match=r"reference frame.*motion be 'none'"):
        to_resident(np.zeros((2, 4, 5, 6, 2), np.uint8), SPEC, "difference")


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
    to_batch(resident, slice(None), "none", Standardisation((5.0,), (2.0,)))
    assert int(resident.sum()) == 0
