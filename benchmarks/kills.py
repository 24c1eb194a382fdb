"""Commands that are killed: at each commit, before and after a file gets its name, and at random moments.

After each kill the same command is given again. It must end well, and what it leaves must equal what an undisturbed run
leaves. Commands and processes are those of ``tests/robustness/``. The whole takes about half an hour on one core.
"""

import argparse
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from _machine import print_machine

sys.path.append(str(Path(__file__).resolve().parents[1] / "tests" / "robustness"))

from conftest import Launcher, contents_of, environment_in, make_commands, run_undisturbed

KINDS = ("killed", "had ended before", "goes on", "stuck", "other result")
# A kill at a moment comes from the system's alarm clock, which nobody is told of either.
KILL = (-signal.SIGKILL, -signal.SIGALRM)


def attempt(launch, command, out: Path, expected: dict, **how) -> list[str]:
    """Kill a command, give it again, and say what became of it."""
    ended = launch(command.arguments(out), **how)["code"]
    found = ["killed" if ended in KILL else "had ended before"]
    answer = launch(command.arguments(out))
    if answer["code"] != 0:
        found.append("stuck")
        print(f"{command.words[0]} {how}: {answer['told'].strip()}")
    elif contents_of(out) != expected:
        found.append("other result")
        print(f"{command.words[0]} {how}: differs from an undisturbed run")
    else:
        found.append("goes on")
    shutil.rmtree(out, ignore_errors=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--moments", type=int, default=50, help="kills at random moments, per command")
    parser.add_argument("--every", type=int, default=1, help="kill at every n-th commit")
    parser.add_argument("--seed", type=int, default=0, help="random seed of the moments")
    parser.add_argument("--commands", nargs="+", default=["synth", "synth-long", "evaluate", "analyze"])
    chosen = parser.parse_args()
    print_machine()
    print(f"| {'command':10} | {'commits':7} | " + " | ".join(KINDS) + " |")
    print("|---" * (2 + len(KINDS)) + "|")
    total: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        launch = Launcher(place, environment_in(place))
        commands = make_commands(place, launch)
        for name in chosen.commands:
            command, counts = commands[name], Counter()
            expected, commits = run_undisturbed(name, place, launch, command)
            start = time.perf_counter()
            launch(command.arguments(place / "timed"))
            longest = time.perf_counter() - start
            hows = [
                {"commit": k, "after": after} for k in range(1, commits + 1, chosen.every) for after in (False, True)
            ]
            rng = random.Random(f"{name} {chosen.seed}")
            hows += [{"delay": rng.uniform(0.01, longest)} for _ in range(chosen.moments)]
            for how in hows:
                counts.update(attempt(launch, command, place / "out", expected, **how))
            shutil.rmtree(place / "timed", ignore_errors=True)
            print(
                f"| {name:10} | {commits:7} | " + " | ".join(f"{counts[kind]:{len(kind)}}" for kind in KINDS) + " |",
                flush=True,
            )
            total.update(counts)
        launch.close()
    kills = total["killed"]
    print(f"\n{kills} kills: {total['stuck']} stuck, {total['other result']} with another result")


if __name__ == "__main__":
    main()
