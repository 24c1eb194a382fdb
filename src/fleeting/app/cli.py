"""The command line: each verb is a few lines of the Python interface."""

from __future__ import annotations

import os
import signal
import sys
import traceback
import warnings
from collections.abc import Sequence
from typing import Any

from cyclopts import App, CycloptsError, MissingArgumentError, Parameter, UnusedCliTokensError

from fleeting._version import __version__
from fleeting.app.analyze import analyze
from fleeting.app.benchmark_spotting import benchmark_spotting
from fleeting.app.compare import compare
from fleeting.app.data import data_app
from fleeting.app.evaluate import evaluate
from fleeting.app.export import export
from fleeting.app.flow_folder import flow_folder
from fleeting.app.info import info
from fleeting.app.models import models
from fleeting.app.options import check_value
from fleeting.app.predict import predict
from fleeting.app.preprocess import preprocess
from fleeting.app.report import report
from fleeting.app.screen import Screen
from fleeting.app.spot import spot
from fleeting.app.study import study_app
from fleeting.app.sweep import sweep
from fleeting.app.synth import synth
from fleeting.app.synth_composite import synth_composite
from fleeting.app.synth_long import synth_long
from fleeting.app.train import train
from fleeting.errors import FleetingError, UsageError
from fleeting.parallel import Ended, end_on_signals

__all__ = ["app", "main", "run"]

app = App(
    name="fleeting",
    version=__version__,
    help="Facial micro-expression recognition, from video to verdict.",
    help_epilogue="Every verb takes --plugin FILE.py, a file of your own that registers data sets, models, recipes, "
    "protocols, studies or apex spotters (repeatable), and --debug, which shows the traceback of an error. Exit codes: "
    "0 done, 1 the job could not be done, 2 wrong usage, 130 interrupted, 143 ended by SIGTERM, 129 by SIGHUP.",
    help_format="plaintext",
    default_parameter=Parameter(negative_iterable=(), validator=check_value),
    # Ours says what becomes of the work.
    suppress_keyboard_interrupt=False,
)

# In the order of the help.
VERBS: tuple[Any, ...] = (
    *(synth, synth_long, synth_composite, data_app, preprocess, flow_folder),
    *(evaluate, train, spot, predict, analyze),
    *(study_app, sweep, benchmark_spotting, report, compare, export, models, info),
)
for number, verb in enumerate(VERBS):
    if isinstance(verb, App):
        verb.sort_key = number
        app.command(verb)
    else:
        app.command(verb, sort_key=number)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    arguments : sequence of str or None, optional
        Words of the command line (default: those of this process).

    Returns
    -------
    int
        The exit code.
    """
    tokens = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in tokens
    tokens = [token for token in tokens if token != "--debug"]
    try:
        _check_tokens(tokens)
        tokens = _load_plugins(tokens)
        app(tokens, exit_on_error=False, print_error=False, result_action="return_value")
    except BrokenPipeError:
        # The reader has gone; writing the rest at exit would only raise again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (Exception, KeyboardInterrupt) as exc:
        if debug and not isinstance(exc, KeyboardInterrupt):
            traceback.print_exc()
        return _explain(exc)
    return 0


def _check_tokens(tokens: Sequence[str]) -> None:
    for token in tokens:
        if not token or (token.startswith("--") and token.endswith("=")):
            raise UsageError(f"found {token or 'an empty word'!r} among the arguments; expected a value")
        if "\0" in token:
            raise UsageError(f"found a null character in {token!r}; no name can hold one")
        try:
            token.encode()
        except UnicodeEncodeError:
            raise UsageError(f"found {token!r}, which is no UTF-8 text; rename the file or folder") from None


def _load_plugins(tokens: Sequence[str]) -> list[str]:
    """Load what ``--plugin`` names, wherever it stands; return the tokens that are left."""
    from fleeting.plugins import load_plugin

    rest: list[str] = []
    waiting = iter(tokens)
    for token in waiting:
        if token != "--plugin" and not token.startswith("--plugin="):
            rest.append(token)
            continue
        plugin = next(waiting, "") if token == "--plugin" else token.partition("=")[2]
        if not plugin or plugin.startswith("-"):
            raise UsageError("--plugin needs a file: --plugin my_model.py")
        load_plugin(plugin)
    return rest


def _explain(exc: BaseException) -> int:
    """Say on the screen why a verb ended; return the exit code."""
    screen = Screen()
    if isinstance(exc, KeyboardInterrupt):
        screen.say("interrupted; what was finished is kept, and the same command goes on from there")
        return 128 + (exc.number if isinstance(exc, Ended) else signal.SIGINT)
    if isinstance(exc, CycloptsError):
        screen.error(f"error: {_wrong_usage(exc)}")
        screen.say("`fleeting --help` lists the verbs, `fleeting VERB --help` the options of one.")
        return 2
    if isinstance(exc, FleetingError):
        screen.error(f"error: {exc}")
        return exc.exit_code
    if isinstance(exc, OSError) and exc.strerror:
        # The disk or its permissions, wherever the file was opened.
        place = "" if exc.filename is None else f"{os.fsdecode(exc.filename)}: "
        screen.error(f"error: {place}{exc.strerror}; choose another file or folder")
        return 1
    if isinstance(exc, MemoryError):
        screen.error(f"error: the memory of this machine does not suffice ({exc}); ask for less at once")
        return 1
    screen.error(f"internal error: {type(exc).__name__}: {exc}. Run it again with --debug and report what it prints")
    return 1


def _wrong_usage(exc: CycloptsError) -> str:
    told = str(exc)
    if isinstance(exc, UnusedCliTokensError):
        return f"{told} A folder to write is given once, as the first word or with --out"
    if isinstance(exc, MissingArgumentError) and "--out" in told:
        return f"{told} Give the folder or file to write"
    return told


_NARROWEST = 40
# A warning is said once, however many units, frames or rows it comes from.
_told: set[str] = set()


def _show_warning(
    message: Warning | str, category: type[Warning], filename: str, lineno: int, *_: Any, **__: Any
) -> None:
    if (told := str(message)) in _told:
        return
    _told.add(told)
    about_work = issubclass(category, UserWarning | FutureWarning)
    Screen().warn(told if about_work else f"{category.__name__}: {told} ({filename}, line {lineno})")


def run() -> None:
    """Run the ``fleeting`` script: its process is ours."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            # A terminal that lacks a character shows its number, instead of ending the work.
            stream.reconfigure(errors="backslashreplace")
    columns = os.environ.get("COLUMNS", "")
    if columns.isdigit() and int(columns) < _NARROWEST:
        # What draws the help never ends in less.
        os.environ["COLUMNS"] = str(_NARROWEST)
    warnings.showwarning = _show_warning
    end_on_signals()
    sys.exit(main())
