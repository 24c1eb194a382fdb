"""The verb ``report``: a folder's page, written again."""

from __future__ import annotations

from pathlib import Path

from fleeting.app.experiment import show_results
from fleeting.app.options import Flag, OutputOptions


def report(
    run: Path,
    *,
    partial: Flag = False,
    output: OutputOptions = OutputOptions(),
) -> None:
    """Score a run and write its page again.

    Example: fleeting report run

    Parameters
    ----------
    run : pathlib.Path
        Folder of a run, a study, a sweep or an analysis.
    partial : bool, optional
        Score what is finished if folds are missing; the page says so.
    """
    from fleeting.experiments import RunFolder, aggregate
    from fleeting.reports import render_report

    screen = output.screen()
    for kind in ("study", "analysis"):
        if (run / f"{kind}.json").is_file():
            page = render_report(run)
            screen.show(f"Report: {page}")
            screen.dump({kind: str(run), "report": str(page)})
            return
    aggregate(RunFolder(run), allow_partial=partial)
    show_results(screen, run, render_report(run))
