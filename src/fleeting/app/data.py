"""``fleeting data``: what is on disk, before hours are spent on it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from fleeting.app.screen import Screen
from fleeting.errors import FleetingError

data_app = App(
    name="data",
    help="Look at data sets on disk.\n\nExample: fleeting data check casme2 /data/CASME2",
    help_format="plaintext",
    sort_key=1.5,
)


@data_app.command(name="check")
def check(
    kind: str,
    path: Path,
    /,
    *,
    json: Annotated[bool, Parameter(name="--json", negative="", help="Print the result as JSON.")] = False,
    quiet: Annotated[bool, Parameter(name=["--quiet", "-q"], negative="", help="Print the result only.")] = False,
) -> None:
    """Count what a data set's folder holds by class and subject, and list every problem with its remedy.

    Exit code 0 if it can be used, complete or not; 1 if it is another folder or nothing in it can be used.

    Example: fleeting data check casme2 /data/CASME2

    Parameters
    ----------
    kind : str
        casme2, smic, smic-hs-e, smic-vis, smic-nir, samm, or another kind of data set.
    path : pathlib.Path
        Its folder; one a few levels above or below will do.
    """
    from rich.text import Text

    from fleeting.datasets import WrongFolderError, list_datasets, open_dataset
    from fleeting.errors import unknown_choice

    screen = Screen(quiet, json)
    if kind not in list_datasets():
        raise unknown_choice("kind of data set", kind, list_datasets())
    try:
        report = open_dataset(f"{kind}:{path}").verify()
    except FleetingError as exc:
        looks = list(exc.looks_like) if isinstance(exc, WrongFolderError) else []
        wrong = isinstance(exc, WrongFolderError)
        screen.dump({"usable": False, "wrong_folder": wrong, "looks_like": looks, "error": str(exc)})
        raise NotUsableError(str(exc)) from exc
    if not quiet:
        for line in report.lines():
            screen.show(Text(line))
    screen.dump({"wrong_folder": False, **report.to_dict()})
    if not report.usable:
        reasons = "; ".join(problem.reason for problem in report.problems[:2]) or "it holds no clip"
        raise NotUsableError(f"{path}: no usable clip of {report.title}: {reasons}")


class NotUsableError(FleetingError):
    """A folder that was checked and cannot be used."""
