"""The learned spotter: inputs that do not depend on the frame rate, training that learns, files that come back."""

import numpy as np
import pytest
import torch

from fleeting.analysis.interval_learning import (
    LearnedSpotter,
    MeasuredRecording,
    interval_inputs,
    leave_one_subject_out,
    load_spotter,
    save_spotter,
    train_spotter,
)
from fleeting.clips import Event
from fleeting.errors import ModelFileError, UsageError
from fleeting.models.interval_net import CHANNELS, EXTRAS, IntervalNet
from fleeting.spotting import REGION_NAMES, MotionTable
from fleeting.spotting.intervals_scores import spot_by_scores


def measured(
    subject="a", seconds=12.0, fps=50.0, events=((200, 218, "micro"), (400, 480, "macro")), noise=0.02, seed=0
):
    """A table in which the lower half of the map, and the mouth, goes up and comes back during events."""
    n = round(seconds * fps)
    rng = np.random.default_rng(seed)
    shown = rng.normal(0, noise, (n, 16, 16, 2))
    position = rng.normal(0, noise, (n, len(REGION_NAMES), 2))
    for onset, offset, _ in events:
        x = np.clip(np.sin(np.pi * (np.arange(n) - onset) / (offset - onset)), 0, 1)
        x[(np.arange(n) < onset) | (np.arange(n) > offset)] = 0
        shown[:, 9:14, 4:12, 1] -= x[:, None, None] * (0.5 if offset - onset < 25 else 1.5)
        position[:, [9, 10], 1] -= x[:, None]
    f = np.float32
    table = MotionTable(
        fps,
        np.arange(n),
        np.ones(n, bool),
        np.zeros(n, np.int64),
        position.astype(f),
        np.zeros((n, 6), f),
        np.full(n, 0.02, f),
        np.full((n, 2), 0.3, f),
        shown.astype(f),
    )
    truth = tuple(Event(onset, None, offset, kind) for onset, offset, kind in events)
    return MeasuredRecording(subject, f"{subject}-{seed}", table, truth)


def faster(table, by):
    """The same recording filmed at another rate."""
    n = (len(table) - 1) * by + 1
    at = np.arange(n) / by

    def between(a):
        flat = a.reshape(len(a), -1)
        out = np.stack([np.interp(at, np.arange(len(a)), column) for column in flat.T], 1)
        return out.reshape(n, *a.shape[1:]).astype(np.float32)

    return MotionTable(
        table.fps * by,
        np.arange(n),
        np.ones(n, bool),
        np.zeros(n, np.int64),
        between(table.position),
        between(table.head),
        between(table.residual),
        between(table.open),
        between(table.map),
    )


def test_inputs_do_not_depend_on_the_rate_of_the_recording():
    table = measured().table
    slow, quick = interval_inputs(table), interval_inputs(faster(table, 4))
    assert slow[0].shape == (600, CHANNELS, 16, 16)
    assert slow[1].shape == (600, EXTRAS)
    for a, b in zip(slow, quick):
        np.testing.assert_allclose(a, b, atol=1e-4)


def test_inputs_are_zero_without_a_face_and_do_not_reach_across_a_break():
    table = measured(events=()).table
    table.valid[100:120] = False
    table.map[120:] += 50.0
    maps, extras, seen = interval_inputs(table)
    assert not seen[100:120].any()
    assert seen[:100].all()
    assert not maps[100:120].any()
    assert not extras[100:120].any()
    assert np.abs(maps).max() < 3
    assert interval_inputs(measured(seconds=0.02, events=()).table)[2].sum() == 0


def test_flow_strain_and_their_change_are_what_the_channels_say():
    table = measured(noise=0.0, events=()).table
    x = np.arange(16, dtype=np.float32)
    # From frame 300 on the skin is stretched along x.
    table.map[300:, ..., 0] = 0.1 * x
    maps, _, _ = interval_inputs(table)
    np.testing.assert_allclose(maps[300, 0, 3], np.clip(0.2 * x, None, 4), atol=1e-6)
    np.testing.assert_allclose(maps[300, 2], 0, atol=1e-6)
    np.testing.assert_allclose(maps[300, 4], 0.4, atol=1e-5)
    np.testing.assert_allclose(maps[295, 5], 0.4, atol=1e-5)
    np.testing.assert_allclose(maps[200, 4:], 0, atol=1e-6)


@pytest.fixture(scope="module")
def trained():
    rng = np.random.default_rng(5)
    made = []
    for k in range(4):
        a, b = (int(v) for v in rng.integers(60, 180, 2))
        events = ((a, a + 18, "micro"), (a + b + 60, a + b + 140, "macro"))
        made.append(measured(f"s{k % 2}", events=events, seed=k))
    return made, train_spotter(made, steps=50, batch_size=4)


def test_training_learns_and_is_the_same_for_the_same_seed(trained):
    made, spotter = trained
    assert spotter.history[-1] < 0.6 * spotter.history[0]
    state = torch.random.get_rng_state()
    again, twice = (train_spotter(made[:1], steps=2, seed=3).model.state_dict() for _ in range(2))
    assert all(torch.equal(again[name], twice[name]) for name in again)
    assert torch.equal(torch.random.get_rng_state(), state)
    other = measured("new", events=((250, 268, "micro"),), seed=9)
    scores = spotter.scores(other.table)
    assert scores.shape == (600, 2)
    assert scores[255:264, 0].mean() > 2 * scores[50:150, 0].mean()


def test_a_stream_finds_what_the_whole_shows(trained):
    _, spotter = trained
    table = measured("new", seconds=60, events=[(k, k + 18, "micro") for k in range(200, 2800, 300)], seed=4).table
    eager = LearnedSpotter(spotter.model, (0.3, 2.0))
    whole = eager.spot(table)
    online = eager.online(50.0)
    told = [event for k in range(len(table)) for event in online.push(table.row(k))] + online.finish()
    assert len(whole) > 3
    assert [e.interval for e in told] == [e.interval for e in whole]


def test_leaving_subjects_out_never_trains_on_them(trained, monkeypatch):
    from fleeting.analysis import interval_learning

    made, spotter = trained
    seen = []

    def train(recordings, **_):
        seen.append({recording.subject for recording in recordings})
        return spotter

    monkeypatch.setattr(interval_learning, "train_spotter", train)
    score, found = leave_one_subject_out(made)
    assert seen == [{"s1"}, {"s0"}]
    assert set(found) == {recording.name for recording in made}
    assert score.overall.tp + score.overall.fn == 8
    with pytest.raises(UsageError, match="two subjects"):
        leave_one_subject_out(made[:1])
    with pytest.raises(UsageError, match="single event"):
        train_spotter([measured(events=())])


def test_a_spotter_comes_back_from_its_file(trained, tmp_path):
    made, spotter = trained
    path = save_spotter(spotter, tmp_path / "größe.safetensors", {"trained on": "test"})
    again = load_spotter(path)
    assert again.threshold == spotter.threshold
    np.testing.assert_array_equal(again.scores(made[0].table), spotter.scores(made[0].table))
    content = path.read_bytes()
    for damage in (content[:100], b"", b"no model"):
        path.write_bytes(damage)
        with pytest.raises(ModelFileError, match="save_spotter"):
            load_spotter(path)
    with pytest.raises(ModelFileError):
        load_spotter(tmp_path / "none.safetensors")


def test_scores_become_intervals():
    table = measured(events=()).table
    scores = np.zeros((600, 2))
    scores[100:120, 0] = np.hanning(20)
    scores[300:303, 0] = 0.9  # too short
    scores[400:500, 1] = 0.8
    scores[440:460, 0] = 0.6  # the longer one claims it more strongly
    found = spot_by_scores(table, scores)
    assert [event.kind for event in found] == ["micro", "macro"]
    assert abs(found[0].onset - 105) <= 1
    assert abs(found[0].offset - 114) <= 1
    assert found[1].interval == (400, 499)
    assert found[1].confidence == pytest.approx(0.8)
    with pytest.raises(UsageError, match="shape"):
        spot_by_scores(table, scores[:5])


def test_the_network_is_of_softnets_size_and_judges_a_moment_by_what_is_near():
    model = IntervalNet(seed=1).eval()
    assert sum(p.numel() for p in model.parameters()) < 100_000
    maps, extras = torch.zeros(1, 300, CHANNELS, 16, 16), torch.zeros(1, 300, EXTRAS)
    changed = maps.clone()
    changed[0, 150] += 1
    with torch.inference_mode():
        difference = (model(changed, extras) - model(maps, extras)).abs().sum((0, 2))
    assert difference[150] > 0
    assert difference[: 150 - 63].max() == difference[150 + 63 :].max() == 0
