"""Run folders as an evaluation writes them: a realistic one, and what a test wants changed in it."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fleeting.records import (
    ClipRow,
    Collapse,
    HistoryRow,
    ListedUnit,
    Majority,
    MeanScores,
    ModelPart,
    PooledScores,
    PredictionRow,
    ProtocolPart,
    RecipePart,
    ResultRow,
    RunConfig,
    RunHead,
    SampleRow,
    Scores,
    SkippedRow,
    Summary,
    TrainingPart,
    UnitRecord,
    write_predictions,
)

CLASSES = ["disgust", "happiness", "surprise"]


def png(height: int, width: int, seed: int) -> bytes:
    """A small grey PNG, written by hand so that no image library is needed."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    face = (
        120 + 70 * np.cos((x % height) / height * 6 + seed) * np.cos(y / height * 5) + rng.normal(0, 4, (height, width))
    )
    rows = b"".join(b"\0" + row.tobytes() for row in face.clip(0, 255).astype(np.uint8))

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def scores(rows: list[PredictionRow]) -> dict[str, Any]:
    """Accuracy and the like by the textbook; the report must only repeat what it finds."""
    recalls, f1s = [], []
    for name in CLASSES:
        hit = sum(r.label == r.prediction == name for r in rows)
        shown, said = sum(r.label == name for r in rows), sum(r.prediction == name for r in rows)
        recalls.append(hit / max(1, shown))
        f1s.append(2 * hit / max(1, shown + said))
    right = sum(r.right for r in rows)
    return {"n": len(rows), "accuracy": right / len(rows), "uf1": float(np.mean(f1s)), "uar": float(np.mean(recalls))}


def make_clips() -> list[ClipRow]:
    """72 clips of 12 people in two data sets."""
    return [
        ClipRow(
            dataset="synthetic" if person < 8 else "casme2",
            subject=f"{person + 1:02d}",
            clip=f"EP{number + 1:02d}_{person:02d}f",
            emotion=CLASSES[(number + person // 5) % 3 if number < 5 else 0],
            fps=100 if person < 8 else 200,
        )
        for person in range(12)
        for number in range(6)
    ]


def answer(clips: list[ClipRow], skill: float, dead: bool, rng: np.random.Generator) -> list[PredictionRow]:
    """Answers of a network of some skill, or of one that says ``disgust`` whatever it sees."""
    rows = []
    for clip in clips:
        said = clip.emotion if rng.random() < skill else CLASSES[int(rng.integers(3))]
        said = "disgust" if dead else said
        chance = rng.uniform(0.55, 0.99)
        shares = {c: round(chance if c == said else (1 - chance) / 2, 6) for c in CLASSES}
        rows.append(
            PredictionRow(
                dataset=clip.dataset,
                subject=clip.subject,
                clip=clip.clip,
                label=clip.emotion,
                prediction=said,
                probabilities=shares,
            )
        )
    return rows


def make_history(epochs: int, fold: int, dead: bool, watch: bool, rng: np.random.Generator) -> list[HistoryRow]:
    """Epochs of a training that learns, or of one that does not."""
    rows = []
    for epoch in range(1, epochs + 1):
        loss = 1.0986 + 6 / epoch**2 if dead else 1.6 * np.exp(-epoch / (5 + fold)) + rng.uniform(0, 0.05)
        reached = 0.36 + rng.normal(0, 0.01) if dead else 1 - 0.66 * np.exp(-epoch / (4 + fold)) - rng.uniform(0, 0.03)
        watched = {"val_loss": round(float(loss) + 0.15, 5), "val_accuracy": round(float(reached) * 0.95, 5)}
        rows.append(
            HistoryRow(
                epoch=epoch,
                loss=round(float(loss), 5),
                accuracy=round(float(reached), 5),
                **(watched if watch else {}),
                dead_fraction=0.9 if dead else 0.1,
                learning_rate=0.001,
                seconds=1.25,
            )
        )
    return rows


def finish(
    folder: Path, listed: ListedUnit, train: list[ClipRow], test: list[ClipRow], rows: list[PredictionRow], dead: bool
) -> ResultRow:
    """Write what a finished unit leaves, and give its row of the results."""
    majority = sum(clip.emotion == "disgust" for clip in test) / len(test)
    digest = write_predictions(folder / "predictions.csv", rows)
    UnitRecord(
        **dict(listed),
        train_subjects=sorted({f"{c.dataset}/{c.subject}" for c in train}),
        test_subjects=sorted({f"{c.dataset}/{c.subject}" for c in test}),
        collapse=Collapse(
            collapsed=dead,
            reasons=["the same answer for all clips", "89 % of the dense units are dead"] if dead else [],
            epoch=3 if dead else None,
        ),
        seconds=31.5,
        majority=Majority(label="disgust", accuracy=majority),
        finished="2026-11-21T13:05:00+00:00",
        predictions_sha256=digest,
    ).write(folder / "unit.json")
    return ResultRow(
        scope="fold",
        fold=listed.fold,
        seed=listed.seed,
        **scores(rows),
        majority_accuracy=majority,
        majority_class="disgust",
        collapsed=dead,
    )


def score(path: Path, results: list[ResultRow], rows: list[PredictionRow], summary: Summary) -> None:
    """Write ``results.csv`` and ``summary.json``."""
    means = {
        m: float(np.mean([getattr(r, m) for r in results])) for m in ("accuracy", "uf1", "uar", "majority_accuracy")
    }
    pooled = scores(rows)
    for metric in ("accuracy", "uf1", "uar"):
        pooled |= {f"{metric}_low": max(0, pooled[metric] - 0.06), f"{metric}_high": min(1, pooled[metric] + 0.04)}
    pooled |= {"majority_accuracy": sum(r.label == "disgust" for r in rows) / len(rows), "majority_class": "disgust"}
    mean = ResultRow(scope="mean", n=len(rows), **means, majority_class="disgust")
    ResultRow.write_all(
        path / "results.csv", [*results, mean, ResultRow(scope="pooled", **pooled, collapsed=summary.collapsed)]
    )
    parts = {name: [r for r in rows if r.dataset == name] or rows for name in ("casme2", "synthetic")}
    by_dataset = {name: Scores(**scores(part)) for name, part in parts.items()}
    whole = PooledScores(**pooled, by_dataset=by_dataset)
    summary.model_copy(update={"pooled": whole, "mean": MeanScores(**means)}).write(path / "summary.json")


def make_samples(path: Path, clips: list[ClipRow]) -> None:
    (path / "samples").mkdir()
    strips = []
    for i, c in enumerate(clips):
        (path / "samples" / f"{i:02d}.png").write_bytes(png(96, 9 * 99, i))
        caption = f"{c.dataset} {c.subject} {c.clip}, {c.emotion}: nine of 18 frames, the apex in the middle"
        strips.append(
            SampleRow(
                file=f"{i:02d}.png",
                dataset=c.dataset,
                subject=c.subject,
                clip=c.clip,
                emotion=c.emotion,
                caption=caption,
            )
        )
    SampleRow.write_all(path / "samples" / "samples.csv", strips)


def make_config(independent: bool, epochs: int, seeds: tuple[int, ...]) -> RunConfig:
    return RunConfig(
        data=("synthetic:clips", "casme2:/data/CASME2"),
        recipe=RecipePart(
            name="talluri2022", frames=18, height=64, width=64, color="grey", motion="difference", step=2, margin=0.1,
            window="apex",
        ),
        recipe_hash="0123456789abcdef",
        model=ModelPart(
            name="model_a",
            options={},
            shape={"n_classes": 3, "n_frames": 18, "height": 64, "width": 64, "in_channels": 1},
            n_parameters=212435,
        ),
        training=TrainingPart(
            optimizer="sgd", learning_rate=0.001, momentum=0.9, batch_size=4, epochs=epochs, motion="difference",
            clip_norm=None, standardize=True,
        ),
        protocol=ProtocolPart(
            name="subject-kfold" if independent else "stratified-kfold",
            folds=5,
            seed=0,
            subject_independent=independent,
        ),
        seeds=seeds,
        device="cpu",
    )  # fmt: skip


def build_run(
    path: Path,
    *,
    independent: bool = True,
    finished: int = 5,
    collapsed: tuple[int, ...] = (),
    samples: bool = True,
    skipped: bool = True,
    watch: bool = False,
    seeds: tuple[int, ...] = (0,),
    name: str = "Demo run",
    skill: float = 0.93,
    epochs: int = 25,
) -> Path:
    """Write a run folder: 5 folds, 12 subjects in two data sets, 3 classes, 72 clips."""
    rng = np.random.default_rng(7)
    path.mkdir(parents=True)
    clips = make_clips()
    ClipRow.write_all(path / "clips.csv", clips)
    skips = [
        SkippedRow(dataset="casme2", subject="04", clip="EP12_01f", reason="no face found in any of its 61 frames"),
        SkippedRow(dataset="casme2", subject="05", clip="EP09_05f", reason="onset and apex are the same frame (69)"),
    ]
    SkippedRow.write_all(path / "skipped.csv", skips if skipped else [])
    units, results, everything, missing = [], [], [], []
    for fold in range(5):
        test = [c for i, c in enumerate(clips) if (int(c.subject) - 1 if independent else i) % 5 == fold]
        train = [c for c in clips if c not in test]
        for seed in seeds:
            key = f"fold{fold}-seed{seed}-0a1b2c3d4e5f"
            unit = ListedUnit(key=key, fold=fold, seed=seed, n_train=len(train), n_test=len(test))
            units.append(unit)
            folder = path / "units" / key
            if fold >= finished:
                missing.append(key)
                if fold == finished:
                    HistoryRow.write_all(folder / "history.csv", [HistoryRow(epoch=1, loss=1.2, accuracy=0.3)])
                continue
            rows = answer(test, skill, fold in collapsed, rng)
            HistoryRow.write_all(folder / "history.csv", make_history(epochs, fold, fold in collapsed, watch, rng))
            results.append(finish(folder, unit, train, test, rows, fold in collapsed))
            everything += rows
    if results:
        summary = Summary(
            partial=bool(missing),
            expected=len(units),
            finished=len(units) - len(missing),
            missing=missing,
            collapsed=len(collapsed),
            classes=CLASSES,
        )
        score(path, results, everything, summary)
    if samples:
        make_samples(path, clips[:3])
    RunHead(
        name=name,
        created="2026-11-21T12:59:30+00:00",
        config=make_config(independent, epochs, seeds),
        classes=CLASSES,
        units=units,
        versions={"python": "3.11.7", "fleeting": "0.1.0", "torch": "2.11.0", "numpy": "2.4.1"},
        machine={"system": "Linux", "processor": "A processor with a rather long name @ 2.40GHz", "cores": 2},
        notes=(
            "A reduced recipe: 64×64 pixels, every second frame.",
            "The clips are synthetic: a score on them says nothing about real people.",
        ),
    ).write(path / "run.json")
    return path


@pytest.fixture
def write_run(tmp_path: Path) -> Callable[..., Path]:
    def write(**changes: Any) -> Path:
        return build_run(tmp_path / "run", **changes)

    return write
