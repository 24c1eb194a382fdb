"""How fast ``analyze`` is on 640 × 480, and whether its memory grows with the recording.

Speed: a synthetic recording is written as H.264, then analyzed as a user would, the time of a start included. Memory:
frames of a long synthetic recording are computed as they are read, 200 a second, and the resident memory is noted on the
way.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
from _machine import print_machine

RUN = """
import sys, time, json, resource
start, cpu = time.perf_counter(), time.process_time()
from fleeting.analysis.analyze import analyze
from fleeting.app.analyze import return_memory
return_memory()
options = json.loads(sys.argv[3])
done = analyze(sys.argv[1], sys.argv[2], **options)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
took = time.perf_counter() - start
print(json.dumps([done.head.counts.frames, took, time.process_time() - cpu, done.head.seconds, peak]))
"""

MEMORY = """
import sys, psutil
from fleeting.analysis.analyze import AnalysisObserver, analyze
from fleeting.app.analyze import return_memory
from fleeting.synthesis import list_identities, make_recording
return_memory()
seconds, every = float(sys.argv[2]), int(sys.argv[3])
made = make_recording(list_identities()[21], seconds=seconds, fps=200, size=(140, 170), seed=8, colour=False)
class Watch(AnalysisObserver):
    def frame(self, frame, *rest):
        if frame.number % every == every - 1:
            print(frame.number + 1, round(psutil.Process().memory_info().rss / 2**20), flush=True)
analyze(made.frames, sys.argv[1], observer=Watch())
"""


def film(path: Path, seconds: float) -> None:
    import av

    from fleeting.synthesis import list_identities, make_recording

    made = make_recording(list_identities()[22], seconds=seconds, fps=200, size=(640, 480), seed=5, micro=10)
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=200, options={"preset": "veryfast", "crf": "18"})
        video.width, video.height, video.pix_fmt = 640, 480, "yuv420p"
        for frame in made.frames:
            for packet in video.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")):
                container.mux(packet)
        for packet in video.encode():
            container.mux(packet)


def main() -> None:
    import json

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="length of the film")
    parser.add_argument("--frames", type=int, default=20000, help="frames of the long recording; 0 leaves it out")
    parser.add_argument("--model", help="a run or a model that names the emotions (default: the package's, if any)")
    parser.add_argument("--film", type=Path, help="a film to use instead")
    arguments = parser.parse_args()
    print_machine()
    with tempfile.TemporaryDirectory() as folder:
        path = arguments.film or Path(folder) / "film.mp4"
        if arguments.film is None:
            film(path, arguments.seconds)
        print(f"{'':<44}frames  frames/s  of processor time  peak MiB")
        for name, options in (
            ("all that there is", {"model": arguments.model}),
            ("without annotated.mp4", {"model": arguments.model, "video": False}),
        ):
            out = Path(folder) / name.replace(" ", "-")
            command = [sys.executable, "-c", RUN, str(path), str(out), json.dumps(options)]
            busy = psutil.cpu_times()
            told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
            after = psutil.cpu_times()
            frames, took, cpu, own, peak = json.loads(told.splitlines()[-1])
            others = sum(after[:3]) - sum(busy[:3]) - cpu
            print(f"{name:<44}{frames:>6}{frames / own:>10.0f}{1000 * cpu / frames:>13.2f} ms{peak:>13.0f}", end="")
            print(
                f"   ({took:.1f} s with the start; other processes took {others:.1f} s of processor time)", flush=True
            )
        if arguments.frames:
            print("\nresident memory on the way, MiB:", flush=True)
            start = time.perf_counter()
            script = [sys.executable, "-c", MEMORY, str(Path(folder) / "long"), str(arguments.frames / 200)]
            subprocess.run([*script, str(max(1, arguments.frames // 10))], check=True)
            print(f"{arguments.frames} frames, {arguments.frames / 200:.0f} s of the recording, in ", end="")
            print(f"{time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
