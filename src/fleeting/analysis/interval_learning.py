"""A learned spotter of intervals: from measurements to inputs, training, and scores.

It is trained on recordings whose events are known, and scored leave-one-subject-out; see
:func:`leave_one_subject_out`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.nn import functional as F

from fleeting.clips import Event
from fleeting.errors import ModelFileError, UsageError
from fleeting.files import write_atomic
from fleeting.metrics import SpottingScore, score_spotting
from fleeting.models.interval_net import CHANNELS, EXTRAS, KINDS, RATE, IntervalNet
from fleeting.spotting import IntervalSpotter, MotionTable, SpottedEvent
from fleeting.spotting.intervals_scores import spot_by_scores

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "LearnedSpotter",
    "MeasuredRecording",
    "leave_one_subject_out",
    "load_spotter",
    "save_spotter",
    "train_spotter",
]

FORMAT = 1
LAG = 0.16  # seconds
_MOST = 4.0  # half pixels of a 128-pixel face; what is beyond says no more
_WINDOW = 384  # moments that are trained on at once, 7.7 s


@dataclass(frozen=True)
class MeasuredRecording:
    """A recording as the spotter sees it.

    Parameters
    ----------
    subject, name : str
        Names of the person and of the recording.
    table : MotionTable
        Its measurements.
    events : sequence
        Its annotated expressions.
    """

    subject: str
    name: str
    table: MotionTable
    events: Sequence[Event]


@dataclass(frozen=True)
class LearnedSpotter:
    """A trained network with the thresholds that suit it.

    Attributes
    ----------
    model : IntervalNet
        In evaluation mode.
    threshold : tuple of (float, float)
        The least height of a peak, for micro- and macro-expressions.
    history : tuple of float
        Mean loss of each tenth of the training.
    """

    model: IntervalNet = field(repr=False)
    threshold: tuple[float, float] = (0.5, 0.5)
    history: tuple[float, ...] = ()

    def scores(self, table: MotionTable) -> NDArray[np.float64]:
        """Scores ``(T, 2)`` in [0, 1] of each frame, for micro- and macro-expressions; 0 where there is no face."""
        maps, extras, seen = interval_inputs(table)
        out = np.zeros((len(maps), len(KINDS)))
        reach, step = 100, 1500  # moments; what a moment is judged by lies within 62 of it
        with torch.inference_mode():
            for begin in range(0, len(maps), step):
                first, last = max(0, begin - reach), min(len(maps), begin + step + reach)
                part = (torch.from_numpy(a[None, first:last]) for a in (maps, extras))
                found = torch.sigmoid(self.model(*part))[0].numpy()
                out[begin : begin + step] = found[begin - first : begin - first + step]
        out *= seen[:, None]
        at = (table.frame - table.frame[0]) * RATE / table.fps
        return np.stack([np.interp(at, np.arange(len(out)), out[:, i]) for i in range(len(KINDS))], axis=1)

    def spot(self, table: MotionTable) -> list[SpottedEvent]:
        """The expressions of a whole recording."""
        return spot_by_scores(table, self.scores(table), self.threshold)

    def online(self, fps: float) -> IntervalSpotter:
        """A spotter that takes measurements as they come in; see :class:`~fleeting.spotting.IntervalSpotter`."""
        return IntervalSpotter(fps, find=self.spot)


def interval_inputs(
    table: MotionTable,
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_]]:
    """Measurements to the network's inputs, at 50 moments a second.

    Returns
    -------
    tuple of (numpy.ndarray of float32, numpy.ndarray of float32, numpy.ndarray of bool)
        Maps ``(T, 7, 16, 16)``, extras ``(T, 15)``, and whether there is a face ``(T,)``.
    """
    if not len(table):
        raise UsageError("a table of motion needs at least one frame, found none")
    seconds = (table.frame - table.frame[0]) / table.fps
    n = round(float(seconds[-1]) * RATE) + 1
    maps = np.zeros((n, CHANNELS, *table.map.shape[1:3]), np.float32)
    extras = np.zeros((n, EXTRAS), np.float32)
    seen = np.zeros(n, dtype=bool)
    good = table.valid & (table.residual <= 1.0)
    breaks = np.flatnonzero((np.diff(table.stretch) != 0) | (np.diff(good) != 0) | (np.diff(table.frame) != 1))
    usual = max(float(np.median(table.open[good])) if good.any() else 0.0, 1e-3)
    for first, last in pairwise([0, *(int(b) + 1 for b in breaks), len(table)]):
        if not good[first] or last - first < 2:
            continue
        t = seconds[first:last]
        at = np.arange(int(np.ceil(t[0] * RATE - 1e-6)), int(np.floor(t[-1] * RATE + 1e-6)) + 1)
        if not len(at):
            continue
        here = partial(_interpolated, at / RATE, t)
        before = partial(_interpolated, at / RATE - LAG, t)
        after = partial(_interpolated, at / RATE + LAG, t)
        shown, head = table.map[first:last], table.head[first:last]
        now = here(shown)
        back, ahead = (now - before(shown)) * 2, (after(shown) - now) * 2
        maps[at, 0:2], maps[at, 2:4] = np.moveaxis(back, 3, 1), np.moveaxis(ahead, 3, 1)
        for channel, flow in ((4, back), (5, ahead), (6, back - ahead)):
            maps[at, channel] = 2 * _strain(flow)
        around = here(head)
        extras[at, 0:2] = here(table.open[first:last]) / usual - 1
        extras[at, 2:8], extras[at, 8:14] = around - before(head), after(head) - around
        extras[at, 14] = here(table.residual[first:last, None])[:, 0] * 5
        seen[at] = True
    return np.clip(maps, -_MOST, _MOST), np.clip(extras, -_MOST, _MOST), seen


def _interpolated(at: NDArray[np.float64], t: NDArray[np.float64], values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Linear in time, the ends repeated."""
    k = np.clip(np.searchsorted(t, at, side="right") - 1, 0, len(t) - 2)
    share = np.clip((at - t[k]) / (t[k + 1] - t[k]), 0, 1).astype(np.float32)
    share = share.reshape(-1, *[1] * (values.ndim - 1))
    return np.asarray(values[k] * (1 - share) + values[k + 1] * share, np.float32)


def _strain(flow: NDArray[np.float32]) -> NDArray[np.float32]:
    """Optical strain ``(T, H, W)`` of flows ``(T, H, W, 2)``; see :func:`fleeting.motion.optical_strain`."""
    uy, ux = np.gradient(flow[..., 0], axis=(1, 2))
    vy, vx = np.gradient(flow[..., 1], axis=(1, 2))
    return np.asarray(np.sqrt(ux**2 + vy**2 + 0.5 * (uy + vx) ** 2), np.float32)


def _targets(recording: MeasuredRecording, n: int) -> NDArray[np.float32]:
    """``(T, 2)``: 1 within an expression."""
    targets = np.zeros((n, len(KINDS)), np.float32)
    for event in recording.events:
        first, last = ((frame - recording.table.frame[0]) / recording.table.fps * RATE for frame in event.interval)
        low, high = max(0, round(first)), min(n, round(last) + 1)
        targets[low:high, KINDS.index(event.kind)] = 1.0
    return targets


def train_spotter(
    recordings: Sequence[MeasuredRecording], *, steps: int = 400, batch_size: int = 8, seed: int = 0
) -> LearnedSpotter:
    """Train on recordings whose events are known.

    Windows of 7.7 s are drawn anew in each step, mirrored and made weaker or stronger by chance: what a left corner of
    the mouth can do the right one can, and amplitudes differ more than the recordings show. The
    thresholds are the strictest of those that score best on the same recordings: a network is surer of people it has seen,
    so anything looser would be too loose for others.

    Parameters
    ----------
    recordings : sequence
        At least one with an event.
    steps : int, optional
        Steps of Adam, at a rate that falls from 0.002 along a cosine.
    batch_size : int, optional
        Windows a step.
    seed : int, optional
        Same seed, same weights.

    Raises
    ------
    UsageError
        If no recording has an event.
    """
    if not any(recording.events for recording in recordings):
        raise UsageError(f"{len(recordings)} recordings without a single event; expected annotated expressions")
    if steps < 1 or batch_size < 1:
        raise UsageError(f"steps and batch_size are at least 1; found {steps} and {batch_size}")
    rng = np.random.default_rng(np.random.SeedSequence((seed, 11)))
    data = []
    for recording in recordings:
        maps, extras, seen = interval_inputs(recording.table)
        data.append((maps, extras, seen.astype(np.float32), _targets(recording, len(maps))))
    model = IntervalNet(seed)
    optimiser = torch.optim.Adam(model.parameters(), lr=0.002)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    share = np.array([len(item[0]) for item in data], dtype=np.float64)
    losses: list[float] = []
    model.train()
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        for _ in range(steps):
            windows = [_window(rng, data[int(rng.choice(len(data), p=share / share.sum()))]) for _ in range(batch_size)]
            shown, around, known, goal = (torch.from_numpy(np.stack(part)) for part in zip(*windows, strict=True))
            logits = model(shown, around)
            each = F.binary_cross_entropy_with_logits(logits, goal, reduction="none", pos_weight=torch.tensor(2.0))
            loss = (each * known[..., None]).sum() / known.sum().clamp(min=1) / len(KINDS)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimiser.step()
            schedule.step()
            losses.append(float(loss.detach()))
    model.eval()
    every = max(1, steps // 10)
    history = tuple(float(np.mean(losses[k : k + every])) for k in range(0, steps, every))
    return LearnedSpotter(model, _best_threshold(LearnedSpotter(model), recordings), history)


def _window(rng: np.random.Generator, item: tuple[NDArray[np.float32], ...]) -> tuple[NDArray[np.float32], ...]:
    maps, extras, seen, targets = item
    first = int(rng.integers(max(1, len(maps) - _WINDOW + 1)))
    part = [a[first : first + _WINDOW] for a in (maps, extras, seen, targets)]
    lacking = _WINDOW - len(part[0])
    if lacking:
        part = [np.concatenate([a, np.zeros((lacking, *a.shape[1:]), np.float32)]) for a in part]
    stronger = np.float32(np.exp(rng.uniform(np.log(0.5), np.log(1.5))))
    shown, around = part[0] * stronger, part[1].copy()
    # Shift x, rotation and turns about the vertical axis change their sign in a mirror.
    if rng.random() < 0.5:
        shown = np.array(shown[..., ::-1])
        shown[:, [0, 2]] *= -1
        around[:, [0, 1]] = around[:, [1, 0]]
        around[:, [2, 4, 6, 8, 10, 12]] *= -1
    return np.ascontiguousarray(shown), around, part[2], part[3]


def _best_threshold(spotter: LearnedSpotter, recordings: Sequence[MeasuredRecording]) -> tuple[float, float]:
    """The thresholds that score highest on these recordings, for each kind by itself."""
    truth = {str(k): recording.events for k, recording in enumerate(recordings)}
    scored = [(recording.table, spotter.scores(recording.table)) for recording in recordings]
    best = dict.fromkeys(KINDS, (-1.0, 0.5))  # of equals the strictest
    for threshold in (0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95):
        found = {str(k): spot_by_scores(*pair, (threshold, threshold)) for k, pair in enumerate(scored)}
        score = score_spotting(truth, found)
        for kind in KINDS:
            best[kind] = max(best[kind], (getattr(score, kind).f1, threshold))
    return best["micro"][1], best["macro"][1]


def leave_one_subject_out(
    recordings: Sequence[MeasuredRecording], *, steps: int = 400, seed: int = 0
) -> tuple[SpottingScore, dict[str, list[SpottedEvent]]]:
    """Spot the expressions of each subject by a network that was trained on the others.

    Returns
    -------
    tuple of (SpottingScore, dict of str to list of SpottedEvent)
        The score, pooled over all, and the events that were found in each recording, by its name.

    Raises
    ------
    UsageError
        If there are fewer than two subjects, or two recordings of one name.
    """
    subjects = sorted({recording.subject for recording in recordings})
    names = [recording.name for recording in recordings]
    if len(subjects) < 2 or len(set(names)) != len(names):
        raise UsageError(
            f"found {len(subjects)} subjects and {len(set(names))} names of {len(names)} recordings; expected at least two "
            "subjects, and a name for each recording"
        )
    found: dict[str, list[SpottedEvent]] = {}
    for subject in subjects:
        others = [recording for recording in recordings if recording.subject != subject]
        spotter = train_spotter(others, steps=steps, seed=seed)
        found |= {r.name: spotter.spot(r.table) for r in recordings if r.subject == subject}
    return score_spotting({r.name: r.events for r in recordings}, found), found


def save_spotter(spotter: LearnedSpotter, path: str | os.PathLike[str], about: dict[str, Any] | None = None) -> Path:
    """Write a spotter to one safetensors file.

    Parameters
    ----------
    about : dict of str to object or None, optional
        Facts about it, such as its training data; plain values.
    """
    import safetensors.torch

    content = {"format": FORMAT, "threshold": spotter.threshold, "width": spotter.model.width, "about": about or {}}
    weights = {name: value.contiguous() for name, value in spotter.model.state_dict().items()}
    data = safetensors.torch.save(weights, {"fleeting_spotter": json.dumps(content)})
    return write_atomic(path, lambda file: file.write(data))


def load_spotter(path: str | os.PathLike[str]) -> LearnedSpotter:
    """Read a spotter.

    Raises
    ------
    ModelFileError
        If the file is missing, damaged, or of something else.
    """
    from safetensors import safe_open

    path = Path(path)
    try:
        if not path.is_file():
            # A pipe would wait for ever.
            raise FileNotFoundError("no such file")
        with safe_open(str(path), framework="pt") as file:
            content = json.loads((file.metadata() or {})["fleeting_spotter"])
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
        if content["format"] != FORMAT:
            raise ValueError(f"format {content['format']}, expected {FORMAT}")
        model = IntervalNet(width=int(content["width"]))
        model.load_state_dict(weights)
        low, high = (float(value) for value in content["threshold"])
    except Exception as exc:  # safetensors and torch raise many kinds for a damaged file
        raise ModelFileError(
            f"{path}: not a spotter of intervals ({type(exc).__name__}: {exc}); expected a file that save_spotter wrote"
        ) from exc
    return LearnedSpotter(model.eval(), (low, high))
