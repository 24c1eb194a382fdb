"""Jitter of the landmarks, and what one transform per clip saves."""

import time
from statistics import median

import cv2
import numpy as np
from _machine import print_machine

from fleeting.clips import ArrayFrames
from fleeting.faces import FaceDetector, find_reference
from fleeting.motion import FLOW_METHODS, dense_flow, has_tvl1, skin_flow
from fleeting.synthesis import list_identities, load_identity, make_clip


def timed(call, rounds=9):
    call()
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return 1000 * median(times)


def main() -> None:
    cv2.setNumThreads(1)
    print_machine()
    clip = make_clip(load_identity(list_identities()[0]), "happiness", amplitude=2.0, seed=0)
    frame = cv2.resize(clip.frames[0], (640, 777))[:480]
    rng = np.random.default_rng(0)
    noisy = [np.clip(frame + rng.normal(0, 2, frame.shape), 0, 255).round().astype(np.uint8) for _ in range(30)]
    print("Landmarks of 30 copies of one frame with sensor noise (sigma 2 of 255)")
    for boxes in (1, 5, 20):
        detector = FaceDetector(boxes=boxes)
        points = np.array([detector.landmarks(copy) for copy in noisy])
        distance = np.linalg.norm(points.mean(0)[36:42].mean(0) - points.mean(0)[42:48].mean(0))
        spread = points.std(0).mean()
        print(f"  mean of {boxes:2d} boxes: jitter {spread:.2f} px at {distance:.0f} px between the eyes", end="")
        print(f" = {spread / distance:.4f} of it")
    detector = FaceDetector()
    frames = ArrayFrames(np.stack([frame] * 36))

    def once():
        align = find_reference(frames, 0, detector).align(height=128, width=128)
        for picture in frames:
            align.apply(picture)

    def every():
        single = FaceDetector(boxes=1)
        single.__dict__.update(_detector=detector._detector, _predictor=detector._predictor)
        for k in range(len(frames)):
            find_reference(frames, k, single).align(height=128, width=128).apply(frames[k])

    one, all_ = timed(once, 5), timed(every, 3)
    print(f"36 frames of 640x480 aligned: one transform {one:.0f} ms, detection in every frame {all_:.0f} ms", end="")
    print(f" = {all_ / one:.0f} times as long")
    align = find_reference(frames, 0, detector).align(height=128, width=128)
    first, second = (cv2.cvtColor(align.apply(noisy[k]), cv2.COLOR_RGB2GRAY) for k in (0, 1))
    for method in FLOW_METHODS:
        if method == "tvl1" and not has_tvl1():
            print("flow between two 128x128 frames, tvl1: this OpenCV lacks it")
            continue
        print(
            f"flow between two 128x128 frames, {method}: {timed(lambda m=method: dense_flow(first, second, m)):.1f} ms"
        )
    mask = np.ones((128, 128), bool)
    print(f"the same with the head's motion removed: {timed(lambda: skin_flow(first, second, mask)):.1f} ms")


if __name__ == "__main__":
    main()
