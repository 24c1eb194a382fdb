"""The verb ``benchmark-spotting``: how well the apex is found."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from fleeting.app.options import JobsOptions, OutputOptions
from fleeting.app.specs import parse_spec
from fleeting.errors import FleetingError

if TYPE_CHECKING:
    import pandas as pd


def benchmark_spotting(
    data: list[str],
    /,
    *,
    methods: Annotated[list[str] | None, Parameter(consume_multiple=True)] = None,
    within: Literal["clip", "expression"] = "clip",
    out: Path | None = None,
    work: JobsOptions = JobsOptions(),
    output: OutputOptions = OutputOptions(),
) -> None:
    """Measure how far spotted apexes are from annotated ones, method by method.

    Clips without an annotated apex, without a face, or that cannot be read are skipped, counted and named.

    Example: fleeting benchmark-spotting synthetic:clips

    Parameters
    ----------
    data : list of str
        Data sets as KIND:PATH, such as casme2:/data/CASME2 samm:/data/SAMM.
    methods : list of str or None, optional
        Apex spotters as NAME[,option=value...], several (default: all, and motion by flow and strain together).
    within : {"clip", "expression"}, optional
        Search the whole clip, or the frames from the annotated onset to the offset.
    out : pathlib.Path or None, optional
        Folder for errors.csv, a row per clip and method, and summary.csv.
    """
    from fleeting.datasets import load_clips
    from fleeting.spotting import benchmark_spotters, list_spotters, published_errors

    screen = output.screen()
    ours = ["motion", "motion,by=both"]
    specs = [*ours, *(name for name in list_spotters() if name not in ours)] if methods is None else methods
    clips = load_clips(data)
    with screen.bar() as bars:
        found = benchmark_spotters(
            clips, [parse_spec(spec) for spec in specs], within=within, jobs=work.jobs, progress=bars.step("clips")
        )
    for skipped, reason in found.skipped:
        screen.warn(f"skipped {skipped}: {reason}")
    summary = found.summary()
    if summary.empty:
        raise FleetingError(f"no apex could be spotted in the {len(clips)} clips; the reasons are above")
    for line in _lines(found.table, summary):
        screen.show(line)
    if found.skipped:
        screen.show(f"{len(found.skipped)} skipped; they are named above")
    not_used = [{"what": skipped, "reason": reason} for skipped, reason in found.skipped]
    written = {} if out is None else _write(out, found.table, summary.round(6), not_used)
    if written:
        screen.show(f"Written: {', '.join(written.values())}")
    records = [{k: None if v != v else v for k, v in row.items()} for row in summary.round(6).to_dict("records")]
    there = set(summary["dataset"])
    screen.dump(
        {
            "summary": records,
            "skipped": not_used,
            "published": [line for line in published_errors() if set(line["datasets"].split("+")) & there],
            **written,
        }
    )


def _lines(table: pd.DataFrame, summary: pd.DataFrame) -> Iterator[str]:
    from fleeting.spotting import published_errors

    width = max(len(method) for method in summary["method"])
    for dataset, part in summary.groupby("dataset", sort=False):
        searched = table[table["dataset"] == dataset].drop_duplicates(["subject", "clip"])["n_frames"]
        yield f"{dataset}: {len(searched)} clips of {searched.mean():.0f} frames on average"
        yield f"  {'':<{width}}  mean error, frames  median  90th perc.  mean, share of the clip"
        for row in part.to_dict("records"):
            spread = "" if row["se"] != row["se"] else f" ± {row['se']:.2f}"
            yield (
                f"  {row['method']:<{width}}  {row['mae']:>8.2f}{spread:<10}  {row['median']:>6.1f}  {row['p90']:>10.1f}  "
                f"{row['mae_share']:>8.1%}"
            )
        for line in published_errors():
            if dataset in line["datasets"].split("+"):
                yield f"  published: {line['mae_frames']} frames, {line['method']} ({line['source']}); {line['note']}"


def _write(out: Path, errors: pd.DataFrame, summary: pd.DataFrame, skipped: list[dict[str, Any]]) -> dict[str, str]:
    import pandas as pd

    from fleeting.records import write_frame

    tables = {"errors": errors, "summary": summary}
    if skipped:
        tables["skipped"] = pd.DataFrame(skipped)
    return {name: str(write_frame(out / f"{name}.csv", table)) for name, table in tables.items()}
