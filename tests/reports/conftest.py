"""Run folders as an evaluation writes them: a realistic one, and what a test wants changed in it."""

from __future__ import annotations

import csv
import json
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

CLASSES = ["disgust", "happiness", "surprise"]


def write_csv(path: Path, rows: list[dict[str, Any]], columns: list[str] | None = None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns or list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


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


def scores(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Accuracy and the like by the textbook; the report must only repeat what it finds."""
    recalls, f1s = [], []
    for name in CLASSES:
        hit = sum(r["label"] == r["prediction"] == name for r in rows)
        shown, said = (sum(r[column] == name for r in rows) for column in ("label", "prediction"))
        recalls.append(hit / max(1, shown))
        f1s.append(2 * hit / max(1, shown + said))
    right = sum(r["label"] == r["prediction"] for r in rows)
    return {"n": len(rows), "accuracy": right / len(rows), "uf1": float(np.mean(f1s)), "uar": float(np.mean(recalls))}


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
    clips = []
    for person in range(12):
        for number in range(6):
            emotion = CLASSES[(number + person // 5) % 3 if number < 5 else 0]
            clips.append(
                {
                    "dataset": "synthetic" if person < 8 else "casme2",
                    "subject": f"{person + 1:02d}",
                    "clip": f"EP{number + 1:02d}_{person:02d}f",
                    "emotion": emotion,
                    "action_units": "12",
                    "fps": 100 if person < 8 else 200,
                    "n_frames": 60,
                    "onset": 5,
                    "apex": 30,
                    "offset": 55,
                    "apex_source": "annotated",
                }
            )
    write_csv(path / "clips.csv", clips)
    skips = [
        {"dataset": "casme2", "subject": "04", "clip": "EP12_01f", "reason": "no face found in any of its 61 frames"},
        {"dataset": "casme2", "subject": "05", "clip": "EP09_05f", "reason": "onset and apex are the same frame (69)"},
    ]
    write_csv(path / "skipped.csv", skips if skipped else [], ["dataset", "subject", "clip", "reason"])

    units, results, everything, missing = [], [], [], []
    for fold in range(5):
        test = [c for i, c in enumerate(clips) if (int(c["subject"]) - 1 if independent else i) % 5 == fold]
        train = [c for c in clips if c not in test]
        for seed in seeds:
            key = f"fold{fold}-seed{seed}-0a1b2c3d4e5f"
            units.append({"key": key, "fold": fold, "seed": seed, "n_train": len(train), "n_test": len(test)})
            folder = path / "units" / key
            if fold >= finished:
                missing.append(key)
                if fold == finished:
                    write_csv(folder / "history.csv", [{"epoch": 1, "loss": 1.2, "accuracy": 0.3}])
                continue
            dead = fold in collapsed
            rows = []
            for clip in test:
                answer = clip["emotion"] if rng.random() < skill else CLASSES[int(rng.integers(3))]
                answer = "disgust" if dead else answer
                chance = rng.uniform(0.55, 0.99)
                rows.append(
                    {column: clip[column] for column in ("dataset", "subject", "clip")}
                    | {"label": clip["emotion"], "prediction": answer}
                    | {f"p_{c}": round(chance if c == answer else (1 - chance) / 2, 6) for c in CLASSES}
                )
            write_csv(folder / "predictions.csv", rows)
            history = []
            for epoch in range(1, epochs + 1):
                loss = 1.0986 + 6 / epoch**2 if dead else 1.6 * np.exp(-epoch / (5 + fold)) + rng.uniform(0, 0.05)
                reached = (
                    0.36 + rng.normal(0, 0.01)
                    if dead
                    else 1 - 0.66 * np.exp(-epoch / (4 + fold)) - rng.uniform(0, 0.03)
                )
                record = {"epoch": epoch, "loss": round(float(loss), 5), "accuracy": round(float(reached), 5)}
                if watch:
                    record |= {
                        "val_loss": round(float(loss) + 0.15, 5),
                        "val_accuracy": round(float(reached) * 0.95, 5),
                    }
                history.append(
                    record | {"dead_fraction": 0.9 if dead else 0.1, "learning_rate": 0.001, "seconds": 1.25}
                )
            write_csv(folder / "history.csv", history)
            label = "disgust"
            majority = sum(c["emotion"] == label for c in test) / len(test)
            unit = {
                "key": key,
                "fold": fold,
                "seed": seed,
                "n_train": len(train),
                "n_test": len(test),
                "train_subjects": sorted({f"{c['dataset']}/{c['subject']}" for c in train}),
                "test_subjects": sorted({f"{c['dataset']}/{c['subject']}" for c in test}),
                "collapse": {
                    "collapsed": dead,
                    "reasons": ["the same answer for all clips", "89 % of the dense units are dead"] if dead else [],
                    "epoch": 3 if dead else None,
                },
                "seconds": 31.5,
                "majority": {"class": label, "accuracy": majority},
                "finished": "2026-11-21T13:05:00+00:00",
            }
            (folder / "unit.json").write_text(json.dumps(unit))
            everything += rows
            results.append(
                {"scope": "fold", "fold": fold, "seed": seed, **scores(rows), "majority_accuracy": majority,
                 "majority_class": label, "collapsed": dead}
            )  # fmt: skip
    columns = ["scope", "fold", "seed", "n"]
    for metric in ("accuracy", "uf1", "uar"):
        columns += [metric, f"{metric}_low", f"{metric}_high"]
    columns += ["majority_accuracy", "majority_class", "collapsed"]
    summary: dict[str, Any] = {
        "partial": bool(missing),
        "expected": len(units),
        "finished": len(units) - len(missing),
        "missing": missing,
        "collapsed": len(collapsed),
        "classes": CLASSES,
        "warnings": [],
    }
    if results:
        mean = {m: float(np.mean([r[m] for r in results])) for m in ("accuracy", "uf1", "uar", "majority_accuracy")}
        pooled = scores(everything)
        for metric in ("accuracy", "uf1", "uar"):
            pooled |= {f"{metric}_low": max(0, pooled[metric] - 0.06), f"{metric}_high": min(1, pooled[metric] + 0.04)}
        majority = sum(r["label"] == "disgust" for r in everything) / len(everything)
        tail = {"majority_accuracy": majority, "majority_class": "disgust", "collapsed": len(collapsed)}
        results += [{"scope": "mean", "n": len(everything), **mean, "majority_class": "disgust"}]
        results += [{"scope": "pooled", **pooled, **tail}]
        write_csv(path / "results.csv", results, columns)
        parts = {c["dataset"] for c in clips}
        summary["pooled"] = pooled | {
            "by_dataset": {d: scores([r for r in everything if r["dataset"] == d] or everything) for d in sorted(parts)}
        }
        (path / "summary.json").write_text(json.dumps(summary))
    if samples:
        (path / "samples").mkdir()
        strips = []
        for i, c in enumerate([clips[0], clips[1], clips[2]]):
            (path / "samples" / f"{i:02d}.png").write_bytes(png(96, 9 * 99, i))
            caption = (
                f"{c['dataset']} {c['subject']} {c['clip']}, {c['emotion']}: nine of 18 frames, the apex in the middle"
            )
            strips.append({"file": f"{i:02d}.png", "dataset": c["dataset"], "subject": c["subject"], "clip": c["clip"],
                           "emotion": c["emotion"], "caption": caption})  # fmt: skip
        write_csv(path / "samples" / "samples.csv", strips)
    run = {
        "format": 1,
        "kind": "evaluate",
        "name": name,
        "created": "2026-11-21T12:59:30+00:00",
        "config": {
            "data": ["synthetic:clips", "casme2:/data/CASME2"],
            "recipe": {"name": "talluri2022", "frames": 18, "height": 64, "width": 64, "color": "grey",
                       "motion": "difference", "step": 2, "margin": 0.1, "window": "apex"},
            "recipe_hash": "0123456789abcdef",
            "model": {"name": "model_a", "options": {},
                      "shape": {"n_classes": 3, "n_frames": 18, "height": 64, "width": 64, "in_channels": 1},
                      "n_parameters": 212435},
            "training": {"optimizer": "sgd", "learning_rate": 0.001, "momentum": 0.9, "batch_size": 4, "epochs": epochs,
                         "motion": "difference", "clip_norm": None, "standardize": True},
            "protocol": {"name": "subject-kfold" if independent else "stratified-kfold", "folds": 5, "seed": 0,
                         "subject_independent": independent},
            "seeds": list(seeds),
            "device": "cpu",
        },
        "classes": CLASSES,
        "units": units,
        "versions": {"python": "3.11.7", "fleeting": "0.1.0", "torch": "2.11.0", "numpy": "2.4.1"},
        "machine": {"system": "Linux", "processor": "A processor with a rather long name @ 2.40GHz", "cores": 2},
        "notes": ["A reduced recipe: 64×64 pixels, every second frame.",
                  "The clips are synthetic: a score on them says nothing about real people."],
    }  # fmt: skip
    (path / "run.json").write_text(json.dumps(run, ensure_ascii=False), encoding="utf-8")
    return path


@pytest.fixture
def write_run(tmp_path: Path) -> Callable[..., Path]:
    def write(**changes: Any) -> Path:
        return build_run(tmp_path / "run", **changes)

    return write
