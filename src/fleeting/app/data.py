"""``fleeting data``: what is on disk, before hours are spent on it."""

from __future__ import annotations

from pathlib import Path

from cyclopts import App

from fleeting.app.options import OutputOptions
from fleeting.errors import FleetingError, UsageError

data_app = App(
    name="data",
    help="Look at data sets on disk.\n\nExample: fleeting data check casme2 /data/CASME2",
    help_format="plaintext",
)


@data_app.command(name="check")
def check(
    kind: str,
    path: Path | None = None,
    /,
    *,
    output: OutputOptions = OutputOptions(),
) -> None:
    """Count what a data set's folder holds by class and subject, and list every problem with its remedy.

    Exit code 0 if it can be used, complete or not; 1 if it is another folder or nothing in it can be used.

    Example: fleeting data check casme2 /data/CASME2

    Parameters
    ----------
    kind : str
        Kind of data set: casme2, smic, smic-hs-e, smic-vis, smic-nir, samm, or another one; or KIND:PATH, as --data has it.
    path : pathlib.Path or None, optional
        Its folder, if KIND does not name it; one a few levels above or below will do.
    """
    from fleeting.datasets import WrongFolderError, list_datasets, open_dataset
    from fleeting.errors import unknown_choice

    screen = output.screen()
    kind, folder = _kind_and_folder(kind, path)
    if kind not in list_datasets():
        raise unknown_choice("kind of data set", kind, list_datasets())
    try:
        report = open_dataset(f"{kind}:{folder}").verify()
    except FleetingError as exc:
        looks = list(exc.looks_like) if isinstance(exc, WrongFolderError) else []
        wrong = isinstance(exc, WrongFolderError)
        screen.dump({"usable": False, "wrong_folder": wrong, "looks_like": looks, "error": str(exc)})
        raise NotUsableError(str(exc)) from exc
    if not output.quiet:
        for line in report.lines():
            screen.show(line)
    screen.dump({"wrong_folder": False, **report.to_dict()})
    if not report.usable:
        reasons = "; ".join(problem.reason for problem in report.problems[:2]) or "it holds no clip"
        raise NotUsableError(f"{folder}: no usable clip of {report.title}: {reasons}")


def _kind_and_folder(kind: str, path: Path | None) -> tuple[str, str]:
    name, colon, named = kind.partition(":")
    if path is None and not (name and named):
        raise UsageError(f"data check: found {kind!r}; expected KIND PATH or KIND:PATH, as in casme2 /data/CASME2")
    if path is not None and colon:
        raise UsageError(f"data check: found {kind!r} and {str(path)!r}; expected one folder: KIND PATH or KIND:PATH")
    return name, named if path is None else str(path)


class NotUsableError(FleetingError):
    """A folder that was checked and cannot be used."""
