from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from torch import nn

from fleeting.errors import CollapseWarning
from fleeting.models import create_model
from fleeting.models.layers import BatchNorm, HiddenReLU
from fleeting.training import TrainingConfig, train
from fleeting.training.collapse import CollapseWatch, Probe, prior_entropy, probe, probe_samples

HEALTHY = Probe(None, 0.3)


def watch():
    return CollapseWatch(["a", "b", "c"], floor=float(np.log(3)), majority=1 / 3)


class TestRealRuns:
    def test_a_healthy_run_is_not_marked(self, trained):
        assert not trained.collapse.collapsed
        assert trained.collapse.epoch is None and trained.collapse.reasons == ()

    def test_the_published_training_on_raw_frames_that_look_alike_dies_and_is_noticed_while_it_does(self):
        """Aligned faces hardly differ; what the network cannot tell apart, Model-A's own training kills it with."""
        rng = np.random.default_rng(0)
        face = np.kron(rng.integers(40, 220, (6, 6)), np.ones((6, 6)))
        X = np.clip(face[..., None] + rng.normal(0, 4, (24, 9, 36, 36, 1)), 0, 255).astype(np.uint8)
        model = create_model("model_a", n_frames=9, height=36, width=36)
        seen = []
        with pytest.warns(CollapseWarning, match=r"motion='difference'.*clip_norm=1.*learning_rate") as caught:
            result = train(
                model,
                X,
                np.arange(24) % 3,
                TrainingConfig.for_model("model_a", epochs=7),
                on_epoch=lambda row: seen.append(len(caught)),
            )
        assert seen[-1] == len(caught) == 1, "once, and before the end"
        report = result.collapse
        assert report.collapsed and 3 <= report.epoch < 7
        assert "for every sample" in report.reasons[0]
        assert len(set(result.predict(X).tolist())) == 1
        assert result.history.dead_fraction.iloc[-1] >= 0.8

    def test_lagging_averages_are_named_as_such(self, clips):
        """Few steps: the weights have learned, the moving averages have not arrived."""
        X, y = clips
        model = create_model("model_a", n_frames=9, height=18, width=18, dropout=0.0)
        for module in model.modules():
            if isinstance(module, BatchNorm):
                module.momentum = 1e-6
                module.running_mean.fill_(1e3)
        config = TrainingConfig.for_model("model_a", motion="difference", epochs=6)
        with pytest.warns(CollapseWarning, match=r"moving averages.*more epochs"):
            result = train(model, X, y, config)
        assert result.collapse.collapsed and result.collapse.epoch == 6
        assert result.history.accuracy.iloc[-1] > 0.6


class TestProbe:
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm = BatchNorm(1)
            self.relu = HiddenReLU()
            self.bias = nn.Parameter(torch.tensor([-100.0, -100.0, -100.0, 100.0]))

        def forward(self, x):
            return self.relu(self.norm(x).flatten(1)[:, :4] + self.bias)[:, [3, 0]]

    def test_dead_units_are_those_silent_for_every_sample(self):
        x = torch.randn(6, 1, 1, 2, 2)
        seen = probe(self.Net(), iter([x[:3], x[3:]]))
        assert seen.dead == 0.75
        assert seen.constant == 0

    def test_nothing_is_left_behind(self):
        net = self.Net().train()
        before = {name: value.clone() for name, value in net.state_dict().items()}
        probe(net, iter([torch.randn(3, 1, 1, 2, 2)]), batch_statistics=True)
        assert net.training and net.norm.training
        assert not net.relu._forward_hooks
        for name, value in net.state_dict().items():
            assert torch.equal(value, before[name]), name

    def test_samples_to_watch_cover_the_classes(self):
        labels = np.repeat([0, 1, 2], [200, 20, 3])
        chosen = probe_samples(labels)
        assert len(chosen) == len(set(chosen.tolist())) == 27
        assert np.bincount(labels[chosen]).tolist() == [12, 12, 3]
        assert len(probe_samples(np.zeros(5, np.int64))) == 5
        assert len(probe_samples(np.arange(9000) % 3)) == 64


class TestJudgement:
    def test_constant_twice_after_the_grace(self):
        w, constant = watch(), Probe(1, 0.0)
        assert w.see(1, 0.5, 0.5, constant) is None
        assert w.see(2, 0.5, 0.5, constant) is None
        report = w.see(3, 0.5, 0.5, constant)
        assert report is not None and report.epoch == 3 and "it answers b" in report.reasons[0]
        assert w.see(4, 0.5, 0.5, constant) is None, "once"

    def test_once_is_not_twice(self):
        w = watch()
        for epoch in range(1, 12):
            assert w.see(epoch, 0.5, 0.5, Probe(1, 0.0) if epoch % 2 else HEALTHY) is None

    def test_dead_layer(self):
        w, learning = watch(), watch()
        for epoch, share in enumerate((0.79, 0.85), start=1):
            w.see(epoch, 2.0, 0.35, Probe(None, share))
        report = w.see(3, 2.0, 0.35, Probe(None, 0.9))
        for epoch in range(1, 6):
            assert learning.see(epoch, 0.5, 0.8, Probe(None, 0.9)) is None, "few units, but they learn"
        assert not learning.end(6, Probe(None, 0.9), Probe(None, 0.9)).collapsed
        assert report is not None and "90% of a hidden layer" in report.reasons[0]

    def test_loss_at_the_entropy_with_no_better_accuracy(self):
        stuck, learning = watch(), watch()
        for epoch in range(1, 3):
            assert stuck.see(epoch, 1.10, 0.34, HEALTHY) is None
            learning.see(epoch, 1.10, 0.45, HEALTHY)
        assert stuck.see(3, 1.09, 0.33, HEALTHY) is not None
        assert learning.see(3, 1.10, 0.45, HEALTHY) is None

    def test_a_run_that_means_to_learn_slowly_gets_more_epochs_at_the_floor(self):
        patient = CollapseWatch(["a", "b", "c"], floor=float(np.log(3)), majority=1 / 3, epochs=800)
        for epoch in range(1, 70):
            assert patient.see(epoch, 1.10, 0.34, HEALTHY) is None
        assert patient.see(70, 1.10, 0.34, HEALTHY) is not None

    def test_a_run_that_recovers_is_noted_but_not_marked(self):
        w = watch()
        for epoch in range(1, 4):
            w.see(epoch, 0.5, 0.5, Probe(0, 0.0))
        w.see(4, 0.1, 0.9, HEALTHY)
        report = w.end(4, HEALTHY, HEALTHY)
        assert not report.collapsed and report.epoch == 3
        assert report.reasons[0].startswith("recovered since")

    def test_an_epoch_or_two_is_only_untrained_unless_nothing_is_left_to_train(self):
        constant = Probe(0, 0.0)
        assert not watch().end(1, constant, HEALTHY).collapsed
        assert not watch().end(2, constant, constant).collapsed
        assert watch().end(3, constant, constant).collapsed
        assert watch().end(3, constant, HEALTHY).collapsed
        dead = watch().end(1, Probe(0, 0.95), Probe(0, 0.95))
        assert dead.collapsed and len(dead.reasons) == 2

    def test_entropy_of_the_prior(self):
        labels = np.repeat([0, 1], [3, 1])
        plain = prior_entropy(labels, np.ones(3))
        assert plain == pytest.approx(-(0.75 * np.log(0.75) + 0.25 * np.log(0.25)))
        assert prior_entropy(labels, np.array([4 / 6, 2.0, 0.0])) == pytest.approx(np.log(2))


def test_warnings_point_at_the_caller(clips):
    model = create_model("model_a", n_frames=10, height=18, width=18)
    X = np.full((6, 10, 18, 18, 1), 7, np.uint8)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        train(model, X, [0, 1, 2] * 2, TrainingConfig.for_model("model_a", epochs=4))
    assert [w.category for w in caught] == [CollapseWarning]
    assert caught[0].filename == __file__
