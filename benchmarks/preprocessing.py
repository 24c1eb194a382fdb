"""CPU time of preprocessing a clip, of decoding its images, of filming synthetic clips; and how still the crop stands.

Run it as ``python benchmarks/preprocessing.py``. "Before" is how the same was done in version 0.1: detection at full
size, 20 boxes as they come, each frame made grey, warped at its own resolution and reduced, images one after the other.
"""

import argparse
import dataclasses
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
import dlib
import numpy as np
from _machine import print_machine

from fleeting.clips import Clip, FrameFolder, FrameSlice, frame_folder, read_each
from fleeting.faces import Alignment, default_detector
from fleeting.parallel import available_cores
from fleeting.sequences import create_recipe
from fleeting.spotting import spot_clip
from fleeting.synthesis import list_identities, load_identity, make_clip

SIZE = (640, 480)


def interleaved(calls, rounds, clock=time.process_time):
    """Milliseconds of each call at its fastest, in turns: what other work on the machine adds is not the code's."""
    taken = {name: [] for name in calls}
    for call in calls.values():
        call()
    for _ in range(rounds):
        for name, call in calls.items():
            start = clock()
            call()
            taken[name].append(1000 * (clock() - start))
    return {name: min(times) for name, times in taken.items()}


def old_landmarks(detector, image):
    """Detection at full size, landmarks averaged over 20 boxes about the one that was found."""
    box = detector.detect(image)[0]
    rng = np.random.default_rng(0)
    reach = max(1, (box.right - box.left) // 40)
    total = np.zeros((68, 2))
    for k in range(20):
        x, y = (0, 0) if k == 0 else (int(v) for v in rng.integers(-reach, reach + 1, 2))
        moved = dlib.rectangle(box.left + x, box.top + y, box.right + x, box.bottom + y)
        total += [(p.x, p.y) for p in detector._predictor(image, moved).parts()]
    return total / 20


def old_apply(align, image):
    """Grey, a warp at the frame's resolution, then area interpolation."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    side = round(align.crop[0])
    c, s = np.cos(-align.angle), np.sin(-align.angle)
    turn = np.array([[c, -s], [s, c]]) * side / align.crop[0]
    shift = np.full(2, (side - 1) / 2) - turn @ np.asarray(align.centre)
    matrix = np.hstack([turn, shift[:, None]])
    cut = cv2.warpAffine(grey, matrix, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return cv2.resize(cut, (align.width, align.height), interpolation=cv2.INTER_AREA)


def cost(film, detector, rounds) -> None:
    clip = film.to_clip()
    clip = dataclasses.replace(clip, frames=FrameSlice(clip.frames, 0, len(clip)))
    image = film.frames[clip.onset]
    align = Alignment.from_landmarks(detector.landmarks(image), height=128, width=128)
    window = [film.frames[k] for k in range(18, 54)]

    def before():
        at = Alignment.from_landmarks(old_landmarks(detector, image), height=128, width=128)
        return [old_apply(at, frame) for frame in window]

    recipes = {name: create_recipe(name) for name in ("talluri2022", "irawan2023", "reddy2019", "reddy2019_regions")}
    calls = {"talluri2022, before": before}
    calls |= {name: lambda recipe=recipe: recipe.build(clip) for name, recipe in recipes.items()}
    found = interleaved(calls, rounds)
    print(f"CPU time for one clip of {SIZE[0]}x{SIZE[1]} frames, in memory")
    for name, ms in found.items():
        frames = 36 if name not in recipes else recipes[name].frames
        print(f"  {name:20s} {frames:2d} frames: {ms:6.1f} ms")
    print(f"  talluri2022: {found['talluri2022, before'] / found['talluri2022']:.1f} times as fast as before")
    box = detector.largest(image)
    parts = interleaved(
        {
            "search, full size": lambda: detector.detect(image),
            "search, at 320 px first": lambda: detector.largest(image),
            "landmarks, 20 boxes": lambda: old_landmarks(detector, image),
            "landmarks, settled, 5": lambda: detector.landmarks(image, box),
            "36 warps, before": lambda: [old_apply(align, frame) for frame in window],
            "36 warps": lambda: [align.apply(frame, grey=True) for frame in window],
        },
        rounds,
    )
    parts["landmarks, 20 boxes"] -= parts["search, full size"]
    print("  of which: " + "; ".join(f"{name} {ms:.1f} ms" for name, ms in parts.items()))
    landmarks = detector.landmarks(image)
    ms = interleaved({"spot": lambda: spot_clip(clip, landmarks)}, min(rounds, 3))["spot"]
    print(f"  spotting the apex among {len(clip)} frames, where none is annotated (SMIC): {ms:.0f} ms more")
    print()


def stillness(detector, frames, faces) -> None:
    """The same faces at other sizes, places and tilts: how much the crop differs, in pixels of a 128-pixel face."""
    rows = {"before": [], "now": [], "now, box searched at full size": []}
    between = []
    for name in list_identities()[:faces]:
        picture = load_identity(name).source
        marks = detector.landmarks(picture)
        side = float(np.ptp(marks, axis=0).max())
        rng = np.random.default_rng(int(name))
        found = {row: [] for row in rows}
        for _ in range(frames):
            scale, angle = rng.uniform(150, 320) / side, rng.uniform(-0.1, 0.1)
            turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
            start = np.array(SIZE) / 2 + rng.uniform(-25, 25, 2) - turn @ marks.mean(0)
            calm = cv2.GaussianBlur(picture, (0, 0), max(0.01, 0.4 / scale))
            matrix = np.hstack([turn, start[:, None]])
            frame = cv2.warpAffine(calm, matrix, SIZE, borderMode=cv2.BORDER_REPLICATE).astype(float)
            frame = np.clip(frame + rng.normal(0, 2, frame.shape), 0, 255).round().astype(np.uint8)
            full = detector.detect(frame)[0]
            for row, points in zip(
                rows,
                (old_landmarks(detector, frame), detector.landmarks(frame), detector.landmarks(frame, full)),
                strict=True,
            ):
                found[row].append((points - start) @ np.linalg.inv(turn).T / side * 128)
        for row, points in found.items():
            points = np.array(points)
            low, high = points.min(1), points.max(1)
            apart = np.linalg.norm(points - points.mean(0), axis=2).mean()
            rows[row].append((apart, (high - low).max(1).std(), np.linalg.norm(((low + high) / 2).std(0))))
        one, other = (np.array(found[row]) for row in ("now", "now, box searched at full size"))
        between.append(np.linalg.norm(one.mean(1) - other.mean(1), axis=1).mean())
    print(f"One face at {frames} sizes, places and tilts, {len(between)} faces; in pixels of a 128-pixel face")
    for row, values in rows.items():
        marks_, sides, centres = np.mean(values, axis=0)
        print(f"  {row:30s} landmarks {marks_:.2f}, crop's side {sides:.2f}, centre {centres:.2f} (spread)")
    print(f"  a box found at 320 px instead of at full size moves the face by {np.mean(between):.2f}")
    print()


def decoding(film, folder: Path, rounds) -> None:
    for k, frame in enumerate(film.frames):
        cv2.imwrite(str(folder / f"{k:04d}.jpg"), frame[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 95])
    source = FrameFolder(folder)
    threads = frame_folder.decoding_threads

    def read(count):
        frame_folder.decoding_threads = lambda: count
        try:
            for _, _frame in read_each(source, range(len(source))):
                pass
        finally:
            frame_folder.decoding_threads = threads

    cores = available_cores()
    found = interleaved({n: lambda n=n: read(n) for n in (1, threads())}, rounds, time.perf_counter)
    one, all_ = found[1], found[threads()]
    print(
        f"Reading {len(source)} JPEGs of {SIZE[0]}x{SIZE[1]}: one thread {one:.0f} ms, {threads()} threads on {cores} ",
        end="",
    )
    print(f"cores {all_:.0f} ms = {one / all_:.2f} times as fast")
    clip = Clip("b", "s", "c", source, onset=film.onset, apex=film.apex)
    recipe = create_recipe("talluri2022")
    start = time.perf_counter()
    recipe.build(clip)
    print(f"  a clip from its folder to its sequence, talluri2022: {1000 * (time.perf_counter() - start):.0f} ms")
    print()


def filming(folder: Path, subjects) -> None:
    make_clip("01", "happiness", seed=99)
    cpu = interleaved({"make": lambda: make_clip("01", "happiness", seed=1)}, 5)["make"]
    print(f"Filming 68 frames of 280x340: {cpu:.0f} ms of CPU")
    for jobs in (2, 1):
        # A process of its own: workers import what their parent's script imports, and ours imports everything.
        call = f"write_dataset({str(folder / str(jobs))!r}, subjects={subjects}, jobs={jobs})"
        code = f"from fleeting.synthesis import write_dataset; {call}"
        start, before = time.perf_counter(), cpu_seconds()
        subprocess.run([sys.executable, "-c", code], check=True)
        taken, used = time.perf_counter() - start, cpu_seconds() - before
        clips = 6 * subjects
        print(
            f"  {clips} clips written by {jobs} process(es): {taken:.1f} s = {clips / taken:.1f} clips per second, ",
            end="",
        )
        print(f"start included; {1000 * used / clips:.0f} ms of CPU a clip")


def cpu_seconds() -> float:
    """Of this process and of the workers that have ended."""
    return sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true", help="one round of everything: to see that it runs")
    small = parser.parse_args().small
    cv2.setNumThreads(1)
    print_machine()
    detector = default_detector()
    film = make_clip(list_identities()[0], "happiness", size=SIZE, seed=1)
    rounds = 1 if small else 7
    cost(film, detector, rounds)
    stillness(detector, *((2, 1) if small else (12, 6)))
    with tempfile.TemporaryDirectory() as name:
        decoding(film, Path(name), rounds)
    with tempfile.TemporaryDirectory() as name:
        filming(Path(name), 1 if small else 8)


if __name__ == "__main__":
    main()
