"""Runs seeds one after another and writes a line before and after each; see mutants.py."""

import json
import os
import sys
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1] / "tests"
sys.path[:0] = [str(TESTS / "mutants"), str(TESTS / "app")]


def main() -> None:
    os.environ["OMP_NUM_THREADS"] = "1"
    kind, root = sys.argv[1], Path(sys.argv[2])
    os.environ["FLEETING_CACHE"] = str(root / "default-cache")
    from examples import EXAMPLES, Workshop
    from harness import import_all, run_command_line, run_mutant

    import_all()
    shop = Workshop(root)
    if kind == "build":
        for name in EXAMPLES:
            shop.path(name)
        return
    with Path(sys.argv[3]).open("a", encoding="utf-8") as file:
        for seed in map(int, sys.argv[4:]):
            print(json.dumps({"seed": seed}), file=file, flush=True)
            if kind == "mutants":
                outcomes = run_mutant(seed, shop)
            else:
                outcomes = run_command_line(seed, root.parent / f"command-line-{seed}")
            print(
                json.dumps({"seed": seed, "outcomes": [outcome.to_dict() for outcome in outcomes]}),
                file=file,
                flush=True,
            )


if __name__ == "__main__":
    main()
