"""The verb ``compare``: finished runs and challenge logs beside each other."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from fleeting.app.options import OutputOptions, Seed, whole
from fleeting.errors import UsageError

if TYPE_CHECKING:
    import pandas as pd


def compare(
    first: Path,
    /,
    *others: Path,
    out: Path | None = None,
    permutations: Annotated[int, whole(1, 10_000_000)] = 10000,
    seed: Seed = 0,
    output: OutputOptions = OutputOptions(),
) -> None:
    """Set runs and challenge logs beside each other: UF1 and UAR, whole and by data set, and whether they differ.

    All figures are of the answers of all folds pooled, with 95 % bootstrap intervals over subjects. Each method is tested
    against the first on the same clips, by exchanging the answers of whole subjects (paired permutation test, two-sided).

    Example: fleeting compare run other-run --out comparison.csv

    Parameters
    ----------
    first : pathlib.Path
        Run folder or challenge log; the others are held against it.
    others : pathlib.Path
        Further ones, of the same clips.
    out : pathlib.Path or None, optional
        Write the table here too (CSV).
    permutations : int, optional
        Exchanges tried; the smallest p-value is about 1 in this number.
    seed : int, optional
        Random seed of the permutations and the bootstrap.
    """
    from fleeting.files import without_nan
    from fleeting.metrics import compare_methods
    from fleeting.records import write_frame

    screen = output.screen()
    if out is not None and out.suffix.lower() != ".csv":
        raise UsageError(f"--out: found {out}; expected a file that ends in .csv")
    paths = [first, *others]
    names = _names(paths)
    found = [_answers(path) for path in paths]
    tables = {name: table for name, (table, _) in zip(names, found)}
    classes = found[0][1]
    for name, (_, own) in zip(names, found):
        if set(own) != set(classes):
            raise UsageError(
                f"{name} has the classes {', '.join(own)}, {names[0]} has {', '.join(classes)}; expected methods of the "
                "same classes"
            )
    result = compare_methods(tables, classes, n=permutations, seed=seed)
    for line in _lines(result, names):
        screen.show(line)
    if out is not None:
        write_frame(out, result.round(6))
        screen.show()
        screen.show(f"Table: {out}")
    screen.dump({"first": names[0], "classes": list(classes), "rows": without_nan(result.to_dict("records"))})


def _answers(path: Path) -> tuple[pd.DataFrame, list[str]]:
    """Read the predictions of a run folder or of a challenge log, and their classes."""
    from fleeting.experiments import RunFolder
    from fleeting.metrics import challenge_classes, read_challenge_log

    if path.is_dir():
        run = RunFolder(path)
        return run.predictions(), list(run.read().classes)
    if not path.is_file():
        raise UsageError(f"{path}: does not exist; expected a run folder or a challenge log")
    return read_challenge_log(path), list(challenge_classes())


def _names(paths: list[Path]) -> list[str]:
    """Name each: its own name, or its whole path where two have the same; never the same twice."""
    short = [path.name or str(path.resolve()) for path in paths]
    names = [str(path) if short.count(name) > 1 else name for path, name in zip(paths, short)]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UsageError(f"{', '.join(twice)} is given more than once; expected different runs or logs")
    return names


def _lines(result: pd.DataFrame, names: list[str]) -> list[str]:
    rows = result.to_dict("records")
    if len({row["dataset"] for row in rows}) == 2:
        # One data set is the whole.
        rows = [row for row in rows if row["scope"] == "full"]
    wide = max(len("method"), *map(len, names))
    part = max([len("data"), len("full"), *(len(str(row["dataset"])) for row in rows)])
    lines = [f"{'method':<{wide}}  {'data':<{part}}  {'clips':>5}  {'people':>6}  {'UF1':<23}  UAR"]
    for row in rows:
        lines.append(
            f"{row['method']:<{wide}}  {row['dataset'] or 'full':<{part}}  {row['n_clips']:>5}  {row['n_subjects']:>6}  "
            f"{_figure(row, 'uf1'):<23}  {_figure(row, 'uar')}".rstrip()
        )
    if len(names) > 1:
        lines += ["", f"{f'minus {names[0]}':<{wide + part + 2}}  {'UF1':<37}  UAR"]
        lines += [
            f"{row['method']:<{wide}}  {row['dataset'] or 'full':<{part}}  {_difference(row, 'uf1'):<37}  "
            f"{_difference(row, 'uar')}".rstrip()
            for row in rows
            if row["method"] != names[0]
        ]
    return lines


def _figure(row: dict[Any, Any], metric: str, sign: str = "") -> str:
    low, high = row[f"{metric}_low"], row[f"{metric}_high"]
    ends = f"  [{low:{sign}.3f}, {high:{sign}.3f}]" if math.isfinite(low) else ""
    return f"{row[metric]:{sign}.3f}{ends}"


def _difference(row: dict[Any, Any], metric: str) -> str:
    return f"{_figure(row, f'{metric}_difference', '+')}  p = {row[f'{metric}_p']:.4f}"
