"""Folders as `fleeting analyze` writes them, for the page's tests."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np

EMOTIONS = ["anger", "disgust", "happiness", "surprise"]
REGIONS = ["left_brow", "right_brow", "mouth_left", "mouth_right", "nose"]


def strip(seed: int, height: int = 128, columns: int = 7) -> np.ndarray:
    """A film strip of discs that stand for faces, BGR."""
    rng = np.random.default_rng(seed)
    picture = np.full((height, columns * height, 3), 24, np.uint8)
    for column in range(columns):
        centre = (column * height + height // 2, height // 2)
        cv2.ellipse(picture, centre, (height // 3, height // 2 - 6), 0, 0, 360, (140, 165, 200), -1, cv2.LINE_AA)
        for side in (-1, 1):
            eye = (centre[0] + side * height // 8, centre[1] - height // 10)
            cv2.circle(picture, eye, height // 24, (40, 40, 40), -1, cv2.LINE_AA)
    return np.clip(picture + rng.normal(0, 6, picture.shape), 0, 255).astype(np.uint8)


def build_analysis(
    folder: Path,
    *,
    events: int = 3,
    seconds: float = 20.0,
    fps: float = 100.0,
    faces: int = 1,
    pictures: int = 60,
    status: str = "complete",
    recognised: bool = True,
    step: int = 1,
    height: int = 128,
    warnings: tuple[str, ...] = (),
) -> Path:
    """Write a folder; ``step`` thins out the rows of frames.csv."""
    rng = np.random.default_rng(7)
    folder.mkdir(parents=True, exist_ok=True)
    n_frames = round(seconds * fps)
    table: list[dict[str, Any]] = []
    places = np.linspace(1.0, seconds - 2.0, events) if events else []
    for number, at in enumerate(places, start=1):
        length = float(rng.uniform(0.15, 0.45) if number % 4 else rng.uniform(0.6, 1.6))
        shares = rng.dirichlet(np.ones(len(EMOTIONS)) * 0.6)
        row: dict[str, Any] = {"event": number, "face_id": number % faces}
        for name, t in (("onset", at), ("apex", at + 0.4 * length), ("offset", at + length)):
            row |= {name: round(t * fps), f"{name}_s": round(float(t), 4)}
        row |= {
            "duration_s": round(length, 4),
            "kind": "micro" if length <= 0.5 else "macro",
            "confidence": round(float(rng.uniform(0.4, 1)), 4),
            "strength_px": round(float(rng.uniform(0.6, 3)), 3),
            "region": REGIONS[number % len(REGIONS)],
            "action_units": ["1+2", "12", "4+9", ""][number % 4],
            "emotion": EMOTIONS[int(shares.argmax())] if recognised else "",
        }
        row |= {f"p_{name}": round(float(p), 5) if recognised else "" for name, p in zip(EMOTIONS, shares)}
        table.append(row)
    columns = ["event", "face_id", "onset", "onset_s", "apex", "apex_s", "offset", "offset_s", "duration_s", "kind"]
    columns += ["confidence", "strength_px", "region", "action_units", "emotion", *(f"p_{name}" for name in EMOTIONS)]
    with (folder / "events.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(table)
    times = np.arange(0, n_frames, step) / fps
    with (folder / "frames.csv").open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["frame", "face_id", "timestamp", "confidence", "success", "flow_nose_x", "strain", "score"])
        for face in range(faces):
            score = np.abs(rng.normal(0.08, 0.05, len(times)))
            for row in table:
                if row["face_id"] == face:
                    spread = row["duration_s"] / 4
                    score += row["strength_px"] * np.exp(-0.5 * ((times - row["apex_s"]) / spread) ** 2)
            for k, (t, value) in enumerate(zip(times, score)):
                here = not 0.6 < t / seconds < 0.64
                rows.writerow([k * step, face, f"{t:.4f}", 0.98, int(here), 0.1, 0.01, f"{value:.4f}" if here else ""])
    (folder / "strips").mkdir(exist_ok=True)
    for row in table[:pictures]:
        for which in ("", "_magnified", "_explain"):
            ok, content = cv2.imencode(".png", strip(row["event"], height))
            assert ok
            (folder / "strips" / f"event_{row['event']:04d}{which}.png").write_bytes(content.tobytes())
    micro = sum(row["kind"] == "micro" for row in table)
    head = {
        "format": 1,
        "kind": "analysis",
        "status": status,
        "created": "2026-11-21T13:05:00+00:00",
        "seconds": 12.5,
        "source": {
            "name": "Gespräch 3.mp4",
            "fps": fps,
            "n_frames": n_frames,
            "duration_s": seconds,
            "width": 640,
            "height": 480,
        },
        "settings": {"face": "largest", "threshold": 0.5},
        "versions": {"fleeting": "0.1.0"},
        "weights": {
            "recogniser": {
                "name": "recogniser-1",
                "sha256": "0123456789abcdef" * 4,
                "trained_on": "synthetic clips of people who do not exist",
                "limits": ["It says nothing about what a person feels."],
            }
        },
        "counts": {"micro": micro, "macro": len(table) - micro, "frames": n_frames},
        "warnings": list(warnings),
    }
    (folder / "analysis.json").write_text(json.dumps(head, ensure_ascii=False), encoding="utf-8")
    return folder
