from __future__ import annotations

import copy

import numpy as np
import pandas as pd
import pytest
import torch

from fleeting.errors import CollapseWarning, UsageError
from fleeting.models import create_model
from fleeting.training import DivergedError, TrainingConfig, keep_memory, loop, predict_proba, save_model, train


def config(**fields):
    return TrainingConfig.for_model("model_a", **{"motion": "difference", "epochs": 2, **fields})


def build(seed=0, **options):
    return create_model("model_a", n_frames=9, height=18, width=18, seed=seed, **options)


def test_learns_what_is_there_to_learn(trained, clips):
    X, y = clips
    assert (trained.predict(X) == y).mean() >= 0.9
    assert trained.history.loss.iloc[-1] < 0.5 < trained.history.loss.iloc[0]
    assert not trained.model.training


def test_history_has_the_columns_that_reports_read(trained, clips):
    assert list(trained.history.columns) == [
        "epoch", "loss", "accuracy", "dead_fraction", "learning_rate", "seconds",
    ]  # fmt: skip
    assert trained.history.epoch.tolist() == list(range(1, 13))
    X, y = clips
    result = train(build(), X[:9], y[:9], config(), validation=(X[9:], y[9:]))
    assert list(result.history.columns[3:5]) == ["val_loss", "val_accuracy"]
    p = result.predict_proba(X[9:])
    truth = np.searchsorted(result.classes, y[9:])
    last = result.history.iloc[-1]
    assert last.val_loss == pytest.approx(-np.log(p[np.arange(len(p)), truth]).mean(), rel=1e-5)
    assert last.val_accuracy == pytest.approx((p.argmax(1) == truth).mean())


def test_same_seed_same_bytes_whatever_the_global_generators_hold(clips, tmp_path):
    files = []
    for run, noise in enumerate((1, 2)):
        torch.manual_seed(noise)
        np.random.seed(noise)  # noqa: NPY002
        result = train(build(), *clips, config(), seed=7)
        files.append(save_model(tmp_path / str(run), result).read_bytes())
        assert (tmp_path / str(run) / "config.json").read_bytes() == (tmp_path / "0" / "config.json").read_bytes()
    assert files[0] == files[1]
    other = save_model(tmp_path / "other", train(build(), *clips, config(), seed=8)).read_bytes()
    assert other != files[0]


def test_watching_and_validation_change_nothing(clips):
    X, y = clips
    plain = train(build(), X, y, config(), seed=3)
    watched = train(build(), X, y, config(), seed=3, validation=(X[:5], y[:5]), on_epoch=lambda record: None)
    for one, other in zip(plain.model.state_dict().values(), watched.model.state_dict().values(), strict=True):
        assert torch.equal(one, other)


def test_global_generator_is_left_as_it_was(clips):
    torch.manual_seed(11)
    expected = torch.rand(3)
    torch.manual_seed(11)
    result = train(build(), *clips, config(epochs=1))
    result.predict_proba(clips[0])
    assert torch.equal(torch.rand(3), expected)


def test_arrays_and_lists_are_the_same(clips):
    X, y = clips
    one = train(build(), X[:8], y[:8], config(epochs=1))
    other = train(build(), list(X[:8]), list(y[:8]), config(epochs=1))
    assert torch.equal(one.model.output.weight, other.model.output.weight)


def test_last_batch_of_one_sample(clips):
    X, y = clips
    result = train(build(), X[:9], y[:9], config(batch_size=4, epochs=1))
    assert np.isfinite(result.history.loss).all()
    result = train(build(), X[:3], y[:3], config(batch_size=1, epochs=1))
    assert np.isfinite(result.history.loss).all()


def test_rate_decays_by_step(clips):
    X, y = clips
    result = train(build(), X[:10], y[:10], config(decay=0.1))
    # Three batches an epoch, the last of two samples.
    np.testing.assert_allclose(result.history.learning_rate, [0.001 / 1.3, 0.001 / 1.6])


def test_every_option_is_used(clips):
    X, y = clips
    X, y = X[:11], y[:11]
    plain = train(build(), X, y, config(epochs=1)).model.output.weight
    changes = [
        {"optimizer": "adam"},
        {"learning_rate": 0.002},
        {"momentum": 0.5},
        {"nesterov": True},
        {"decay": 0.5},
        {"batch_size": 3},
        {"clip_norm": 0.1},
        {"class_weights": "balanced"},
    ]
    for change in changes:
        assert not torch.equal(train(build(), X, y, config(epochs=1, **change)).model.output.weight, plain), change
    still = train(create_model("model_a", n_frames=10, height=18, width=18), X, y, config(epochs=1, motion="none"))
    assert still.standardisation.mean[0] > 60
    assert abs(train(build(), X, y, config(epochs=1)).standardisation.mean[0]) < 30


def test_first_epoch_loss_is_the_papers_loss_of_balanced_weights(clips):
    """One batch with all samples and no dropout: the loss is that of the first weights, which can be worked out."""
    X, y = clips
    keep = np.r_[0, 3, 6, 1, 2]
    X, y = X[keep], y[keep]
    model = build(dropout=0.0)
    twin = copy.deepcopy(model).train()
    result = train(model, X, y, config(epochs=1, batch_size=5, class_weights="balanced"))
    from fleeting.training.data import HostBatches, Samples

    x = HostBatches(Samples(X, model.spec, "difference"), result.standardisation).take(torch.arange(5))
    log_p = twin(x).detach().log_softmax(1)
    codes = np.searchsorted(result.classes, y)
    weights = len(y) / (3 * np.bincount(codes))
    expected = np.mean([-weights[c] * float(log_p[i, c]) for i, c in enumerate(codes)])
    assert result.history.loss[0] == pytest.approx(expected, rel=1e-4)


def test_on_epoch_sees_each_row_and_its_exception_ends_the_training(clips):
    X, y = clips
    rows = []
    result = train(build(), X[:8], y[:8], config(), on_epoch=rows.append)
    pd.testing.assert_frame_equal(pd.DataFrame(rows), result.history)

    class StopError(Exception):
        pass

    def stop(record):
        raise StopError

    state = torch.random.get_rng_state()
    with pytest.raises(StopError):
        train(build(), X[:8], y[:8], config(), on_epoch=stop)
    assert torch.equal(state, torch.random.get_rng_state())


def test_diverging_ends_with_advice(clips):
    with pytest.raises(DivergedError, match=r"learning_rate \(it is 1e\+30\).*clip_norm"):
        train(build(), *clips, config(learning_rate=1e30))


def test_a_second_look_until_a_collapse_is_known_and_at_the_end(clips, monkeypatch):
    model, looks, look = build(), [[]], loop.probe
    with torch.no_grad():
        model.hidden.weight.zero_()
        model.hidden.bias.fill_(-1.0)  # never fires, so nothing is learned from what is seen

    def probe(*arguments, batch_statistics=False):
        looks[-1].append(batch_statistics)
        return look(*arguments, batch_statistics=batch_statistics)

    monkeypatch.setattr(loop, "probe", probe)
    with pytest.warns(CollapseWarning):
        result = train(model, *clips, config(epochs=7), on_epoch=lambda _: looks.append([]))
    first = result.collapse.epoch
    assert result.collapse.collapsed
    assert 3 <= first <= 5
    twice = [len(seen) == 2 for seen in looks[:7]]
    assert twice == [epoch <= first or epoch == 7 for epoch in range(1, 8)]
    assert all(seen == [False, True][: len(seen)] for seen in looks[:7])


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_a_last_step_that_goes_astray_is_noticed(clips, value):
    """Its loss was still a number."""
    model = build()

    def spoil(row):
        if row["epoch"] == 2:
            with torch.no_grad():
                model.hidden.weight[3, 5] = value

    with pytest.raises(DivergedError, match="final weights"):
        train(model, *clips, config(epochs=2), on_epoch=spoil)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"y": ["happy"] * 24}, "n_classes=1"),
        ({"y": [1] * 24}, "two classes"),
        ({"seed": -1}, "seed"),
        ({"seed": 0.5}, "seed"),
        ({"device": "gpu"}, "unknown device"),
        ({"X": np.zeros((24, 10, 18, 18, 1))}, "uint8"),
        ({"X": np.zeros((0, 10, 18, 18, 1), np.uint8), "y": []}, "classes|found none"),
        ({"X": np.zeros((24, 9, 18, 18, 1), np.uint8)}, "reference frame"),
        ({"model": torch.nn.Linear(2, 2)}, "register"),
        ({"validation": (np.zeros((1, 10, 18, 18, 1), np.uint8), ["sad"])}, "found sad"),
    ],
)
def test_wrong_input(clips, change, says):
    call = {"model": build(), "X": clips[0], "y": clips[1], "config": config(), **change}
    with pytest.raises(UsageError, match=says):
        train(call.pop("model"), call.pop("X"), call.pop("y"), call.pop("config"), **call)


def test_a_class_may_be_absent_if_the_classes_are_named(clips):
    X, y = clips
    keep = y != "happy"
    result = train(
        build(), X[keep], y[keep], config(class_weights="balanced"), classes=["disgust", "happy", "surprise"]
    )
    assert result.classes == ("disgust", "happy", "surprise")
    assert np.isfinite(result.history.loss).all()


def test_prediction(trained, clips):
    X, _ = clips
    p = trained.predict_proba(X)
    assert p.dtype == np.float64 and p.shape == (24, 3)
    np.testing.assert_allclose(p.sum(1), 1, rtol=1e-12)
    np.testing.assert_allclose(trained.predict_proba(X, batch_size=5), p, atol=1e-5)
    np.testing.assert_allclose(trained.predict_proba(list(X)), p)
    for wrong in (X[:0], X[:, 1:], X.astype(np.int16)):
        with pytest.raises(UsageError):
            trained.predict_proba(wrong)
    with pytest.raises(UsageError, match="batch_size"):
        predict_proba(trained.model, X, motion="difference", standardisation=trained.standardisation, batch_size=0)


def test_a_constant_input_is_no_division_by_zero(model):
    X = np.full((6, 9, 18, 18, 1), 7, np.uint8)
    with pytest.warns(CollapseWarning):
        result = train(model, X, [0, 1, 2] * 2, config(motion="none", epochs=4))
    assert np.isfinite(result.predict_proba(X)).all()
    assert result.standardisation.std == (1.0,)


def test_colour_has_a_mean_a_channel(clips):
    X, y = clips
    colour = np.concatenate([X, X // 2, 255 - X], axis=-1)
    model = create_model("model_a", n_frames=9, height=18, width=18, in_channels=3)
    result = train(model, colour, y, config(epochs=1))
    assert result.standardisation.mean[2] == pytest.approx(-result.standardisation.mean[0])
    assert result.predict_proba(colour).shape == (24, 3)


@pytest.mark.gpu
def test_cuda_agrees_with_the_cpu(clips):
    on_cpu = train(build(dropout=0.0), *clips, config(), seed=1)
    on_cuda = train(build(dropout=0.0), *clips, config(), seed=1, device="cuda")
    np.testing.assert_allclose(on_cuda.predict_proba(clips[0]), on_cpu.predict_proba(clips[0]), atol=1e-2)


def test_keep_memory_says_whether_it_took_effect():
    import platform
    import subprocess
    import sys

    # In a process of its own: the setting lasts.
    code = (
        "import sys; from fleeting.training import keep_memory; sys.exit(0 if keep_memory() and keep_memory() else 3)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False).returncode
    assert done == (0 if platform.libc_ver()[0] == "glibc" else 3)
    assert callable(keep_memory)
