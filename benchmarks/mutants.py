"""Damaged files and odd command lines: how often they end in a traceback, an internal error, a hang, or a wrong belief.

Every example of what Fleeting writes (see ``tests/mutants/``) is damaged in one place, and everything that reads it is
called. The same seeds make the same mutants. With --keep FOLDER a run that was stopped goes on; ``--mutants 10000``
takes about 20 minutes on two cores.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from _machine import print_machine

sys.path.append(str(Path(__file__).resolve().parents[1] / "tests" / "app"))

from odd_command_lines import ODD

WORKER = Path(__file__).with_name("_mutants_worker.py")
# A worker that says nothing for so long hangs in a place that no alarm reaches.
SILENCE = 120
CHUNK = 50
WRONG = ("traceback", "internal error", "silently believed", "hang", "crash")


def finished(path: Path) -> tuple[set[int], int | None]:
    """The seeds that a worker's file holds, and the one that it had begun and not ended."""
    done, begun = set(), None
    if path.is_file():
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                record = json.loads(line)
            except ValueError:
                continue  # cut off when it was killed
            if "outcomes" in record:
                done.add(record["seed"])
            begun = record["seed"] if "outcomes" not in record else None
    return done, begun


def conduct(kind: str, folder: Path, seeds: range) -> None:
    """Run a chunk in a process of its own, as often as it takes."""
    path = folder / f"{kind}-{seeds.start}-{seeds.stop}.jsonl"
    while True:
        done, _ = finished(path)
        todo = [seed for seed in seeds if seed not in done]
        if not todo:
            return
        command = [sys.executable, str(WORKER), kind, str(folder / "examples"), str(path), *map(str, todo)]
        worker = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder)
        size, heard = -1, time.monotonic()
        while worker.poll() is None:
            time.sleep(0.2)
            now = path.stat().st_size if path.is_file() else 0
            if now != size:
                size, heard = now, time.monotonic()
            if time.monotonic() - heard > SILENCE:
                worker.kill()
                worker.wait()
        done, begun = finished(path)
        if worker.returncode and begun is None and not done.issuperset(todo):
            raise SystemExit(f"the worker could not begin: {' '.join(command)}")
        if begun is not None:
            ended = "hang" if time.monotonic() - heard > SILENCE else "crash"
            outcome = {"seed": begun, "kind": ended, "place": "", "message": f"exit code {worker.returncode}"}
            with path.open("a", encoding="utf-8") as file:
                file.write("\n" + json.dumps({"seed": begun, "outcomes": [outcome]}) + "\n")


def table(outcomes: list[dict[str, object]]) -> None:
    """Counts by kind, then what is wrong by place."""
    kinds = Counter(outcome["kind"] for outcome in outcomes)
    for kind in ("fine", "refused", *WRONG):
        print(f"| {kind} | {kinds[kind]} |")
    wrong = [outcome for outcome in outcomes if outcome["kind"] in WRONG]
    if not wrong:
        return
    print("\n| times | kind | place | for example |\n|---|---|---|---|")
    places = Counter((o["kind"], o["place"] or str(o["message"])[:60]) for o in wrong)
    for (kind, place), count in places.most_common():
        one = next(o for o in wrong if (o["kind"], o["place"] or str(o["message"])[:60]) == (kind, place))
        about = ", ".join(str(one[name]) for name in ("seed", "example", "file", "mutation", "reader") if name in one)
        print(f"| {count} | {kind} | {place} | {about}: {one['message']} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mutants", type=int, default=10000)
    parser.add_argument("--command-lines", type=int, default=300)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--keep", type=Path, help="folder of results; what is there is not run again")
    options = parser.parse_args()
    print_machine()
    with tempfile.TemporaryDirectory() as temporary:
        folder = (options.keep or Path(temporary)).resolve()
        (folder / "examples").mkdir(parents=True, exist_ok=True)
        start = time.monotonic()
        wrong = 0
        for kind, count in (("mutants", options.mutants), ("command-lines", options.command_lines)):
            if not count:
                continue
            if kind == "mutants" and count > CHUNK:
                # Before several workers would.
                subprocess.run([sys.executable, str(WORKER), "build", str(folder / "examples")], check=True)
            if kind == "command-lines":
                count = min(count, len(ODD))
            first = options.first if kind == "mutants" else 0
            last = first + count
            chunks = [range(at, min(at + CHUNK, last)) for at in range(first, last, CHUNK)]
            with ThreadPoolExecutor(options.jobs) as pool:
                for number, _ in enumerate(pool.map(lambda c, kind=kind: conduct(kind, folder, c), chunks), start=1):
                    if sys.stderr.isatty():
                        print(f"\r{kind}: {number} of {len(chunks)} parts", end="", file=sys.stderr)
            outcomes = []
            for chunk in chunks:
                for line in (folder / f"{kind}-{chunk.start}-{chunk.stop}.jsonl").read_text("utf-8").splitlines():
                    outcomes += json.loads(line).get("outcomes", []) if line else []
            print(f"\n{count} {kind.replace('-', ' ')}, {len(outcomes)} readings or runs\n\n| end | times |\n|---|---|")
            table(outcomes)
            wrong += sum(outcome["kind"] in WRONG for outcome in outcomes)
        print(f"\n{time.monotonic() - start:.0f} s")
    raise SystemExit(1 if wrong else 0)


if __name__ == "__main__":
    main()
