"""Train the recogniser that ships with the package, and measure it on people whom it has not seen.

python scripts/train_weights.py OUT_FOLDER

Nothing is written to disk but the model: clips are filmed, cut and forgotten. People 1 to 36 of the generator train, 37
to 48 test; the table that is printed stands in the model's card.
"""

from __future__ import annotations

import argparse
import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from fleeting.clips import Clip
from fleeting.metrics import accuracy, uar, uf1
from fleeting.models import count_parameters, create_model
from fleeting.parallel import map_jobs
from fleeting.sequences import create_recipe
from fleeting.synthesis import emotion_names, list_identities, make_clip
from fleeting.training import TrainingConfig, save_model, train

#: From onset to offset in twelve frames, whatever the frame rate; the network sees their difference from the onset.
RECIPE = create_recipe("talluri2022", frames=12, height=64, width=64, motion="difference", interpolation="tim")
MODEL = "model_a"
RATES = (25.0, 30.0, 50.0, 60.0, 100.0, 200.0)
SHARES = (0.15, 0.25, 0.15, 0.15, 0.2, 0.1)
AMPLITUDE = (1.0, 4.0)
SWAY = 1.5  # of the head, in pixels of a 280 x 340 frame
INNER, HELD_OUT = 28, 36
THREE = ("happiness", "disgust", "surprise")
LIMITS = [
    "It was trained on computed faces only; how well it does on real ones has not been measured.",
    "It names a pattern of movement, not what a person feels.",
    "It answers with one of eight words even if none fits, and its percentages are not calibrated.",
    "Expressions below 1 px of a 128-px face and heads that turn while they last were not part of its training.",
]


@dataclass(frozen=True)
class Samples:
    """Sequences ``(N, T, H, W, 1)`` and what is true of each."""

    frames: NDArray[np.uint8]
    emotion: NDArray[np.str_]
    person: NDArray[np.int64]
    amplitude: NDArray[np.float64]
    fps: NDArray[np.float64]
    sway: NDArray[np.float64]

    def of(self, chosen: NDArray[np.bool_]) -> Samples:
        """Some of them."""
        return Samples(*(getattr(self, field.name)[chosen] for field in fields(self)))


def filmed(job: tuple[int, int, int, bool]) -> list[tuple[Any, ...]]:
    """The sequence of one clip; to train on, two more: as a spotter might have marked it, each with the head swaying."""
    cv2.setNumThreads(1)
    person, number, seed, training = job
    rng = np.random.default_rng((seed, person, number))
    emotions = emotion_names()
    emotion = emotions[(number + person) % len(emotions)]
    low, high = AMPLITUDE
    amplitude = float(low * (high / low) ** rng.random())
    fps = float(rng.choice(RATES, p=SHARES))
    sway = float(rng.uniform(0.0, SWAY))
    made = make_clip(
        list_identities()[person],
        emotion,
        amplitude=amplitude,
        fps=fps,
        seed=(seed, person, number),
        jitter=sway,
        noise=float(rng.uniform(0.5, 3.0)),
        blink=bool(rng.random() < 0.1),
    )
    clip = made.to_clip()
    shown = [RECIPE.build(clip).frames]
    if training:
        for _ in range(2):
            shown.append(swayed(RECIPE.build(marked(clip, rng)).frames, rng))
    return [(frames, emotion, person, amplitude, fps, sway) for frames in shown]


def marked(clip: Clip, rng: np.random.Generator) -> Clip:
    """The clip with onset, apex and offset as far off as a spotter's."""
    assert clip.onset is not None and clip.apex is not None and clip.offset is not None
    rise, fall, last = clip.apex - clip.onset, clip.offset - clip.apex, len(clip.frames) - 1
    onset = int(np.clip(clip.onset + round(rng.normal(0, 0.15) * rise), 0, clip.apex - 1))
    apex = int(np.clip(clip.apex + round(rng.normal(0, 0.1) * rise), onset + 1, last))
    offset = int(np.clip(clip.offset + round(rng.normal(0, 0.2) * fall), apex, last))
    return replace(clip, onset=onset, apex=apex, offset=offset)


def swayed(frames: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """The same with the head drifting, from a little elsewhere, half of the time in a mirror.

    Aligned faces of real recordings drift; a network that has not seen it takes it for an expression.
    """
    n, height, width, _ = frames.shape
    reach = 6
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / rng.uniform(1.5, 4)) ** 2)
    kernel /= np.sqrt((kernel**2).sum())
    path = np.stack([np.convolve(rng.standard_normal(n + 2 * reach), kernel, "valid") for _ in range(4)], axis=1)
    # Pixels of the crop, radians, share of the size.
    path = (path - path[0]) * np.array([1, 0.8, 0.012, 0.006]) * rng.uniform(0, 0.8)
    place = rng.uniform(-1, 1, 2)
    centre = np.array([width - 1, height - 1]) / 2
    out = np.empty_like(frames)
    for k, (x, y, angle, growth) in enumerate(path):
        turn = (1 + growth) * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        matrix = np.hstack([turn, (centre - turn @ centre + [x, y] + place)[:, None]])
        out[k, :, :, 0] = cv2.warpAffine(
            frames[k], matrix, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
        )
    return out[:, :, ::-1] if rng.random() < 0.5 else out


def film(people: Sequence[int], clips: int, seed: int, training: bool, jobs: int) -> Samples:
    """The sequences of some people, in an order that does not depend on which process was done first."""
    work = [(person, number, seed, training) for person in people for number in range(clips)]
    made = dict(map_jobs(filmed, work, jobs=jobs))
    return Samples(*(np.array(column) for column in zip(*(row for job in sorted(made) for row in made[job]))))


def filmed_before(path: str | None, make: Callable[[], Samples]) -> Samples:
    """What a file keeps, or what is made now and kept there."""
    if path is None:
        return make()
    if not Path(path).exists():
        np.savez(path, **asdict(make()))
    with np.load(path, allow_pickle=False) as kept:
        return Samples(**{name: kept[name] for name in kept.files})


def report(title: str, samples: Samples, answers: NDArray[np.str_]) -> None:
    """Print accuracy, UF1 and UAR, and accuracy by amplitude, head motion, frame rate and emotion."""
    truth = samples.emotion
    right = truth == answers
    scores = [measure(truth.tolist(), answers.tolist()) for measure in (accuracy, uf1, uar)]
    print(f"\n{title}: {len(truth)} clips, accuracy {scores[0]:.3f}, UF1 {scores[1]:.3f}, UAR {scores[2]:.3f}")
    for low, high in ((1, 1.5), (1.5, 2), (2, 3), (3, 4)):
        here = (samples.amplitude >= low) & (samples.amplitude < high)
        print(f"  expression of {low:g} to {high:g} px: {right[here].mean():.3f} of {here.sum()}")
    for low, high in ((0, 0.5), (0.5, 1), (1, 1.5)):
        here = (samples.sway >= low) & (samples.sway < high)
        print(f"  head motion of {low:g} to {high:g} px: {right[here].mean():.3f} of {here.sum()}")
    for rate in RATES:
        here = samples.fps == rate
        print(f"  {rate:g} frames per second: {right[here].mean():.3f} of {here.sum()}")
    for emotion in emotion_names():
        here = truth == emotion
        wrong = answers[here & ~right].tolist()
        most = f", most often taken for {max(sorted(set(wrong)), key=wrong.count)}" if wrong else ""
        print(f"  {emotion}: {right[here].mean():.3f} of {here.sum()}{most}")
    three = np.isin(truth, THREE)
    print(f"  of the clips of {', '.join(THREE)}: {right[three].mean():.3f} of {three.sum()}")


def main() -> None:
    """Film, train, measure, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", help="folder to write the model into")
    parser.add_argument("--clips", type=int, default=32, help="of each person who trains")
    parser.add_argument("--test-clips", type=int, default=24, help="of each person who tests")
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--learning-rate", type=float, default=0.001)
    parser.add_argument("--decay", type=float, default=0.0004)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--dropout", type=float, default=0.25)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=0, help="processes; 0 for one per core")
    parser.add_argument("--inner", action="store_true", help="choose: train on people 1 to 28, test on 29 to 36")
    parser.add_argument("--keep", help="file (npz) that keeps the sequences to train on between runs")
    options = parser.parse_args()
    start = time.perf_counter()
    learned = filmed_before(
        options.keep, lambda: film(range(HELD_OUT), options.clips, options.seed, True, options.jobs)
    )
    if options.inner:
        # Of each three sequences the first is the clip as it was marked.
        exact = np.arange(len(learned.person)) % 3 == 0
        tested = learned.of((learned.person >= INNER) & exact)
        learned = learned.of(learned.person < INNER)
    else:
        tested = film(
            range(HELD_OUT, len(list_identities())), options.test_clips, options.seed + 1, False, options.jobs
        )
    print(f"{len(learned.frames)} sequences to train on, {time.perf_counter() - start:.0f} s", flush=True)
    classes = emotion_names()
    shape = {"n_frames": RECIPE.frames, "height": RECIPE.height, "width": RECIPE.width}
    model = create_model(MODEL, n_classes=len(classes), seed=options.seed, dropout=options.dropout, **shape)
    config = TrainingConfig.for_model(
        MODEL,
        optimizer="adam",
        learning_rate=options.learning_rate,
        decay=options.decay,
        batch_size=options.batch_size,
        epochs=options.epochs,
        motion=RECIPE.motion,
    )
    torch.set_num_threads(1)
    trained = train(model, learned.frames, learned.emotion, config, classes=classes, seed=options.seed)
    last = trained.history.iloc[-1]
    print(f"{count_parameters(model):,} parameters, training loss {last['loss']:.3f}, accuracy {last['accuracy']:.3f}")
    report("People never seen", tested, trained.predict(tested.frames))
    extra = {"data": ["synthetic:people 1 to 36 of the generator"], "fps": None, "limits": LIMITS}
    path = save_model(options.out, trained, recipe=RECIPE.model_dump(mode="json"), extra=extra)
    print(f"\n{path}, {path.stat().st_size / 1e3:.0f} kB, SHA-256 {hashlib.sha256(path.read_bytes()).hexdigest()}")
    print(f"{time.perf_counter() - start:.0f} s in all")


if __name__ == "__main__":
    main()
