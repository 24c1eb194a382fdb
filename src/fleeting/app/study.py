"""The verbs ``study`` and ``sweep``: many runs with one page."""

from __future__ import annotations

from json import loads
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import App, Parameter

from fleeting.app.common import config_from, name_list, observer_on
from fleeting.app.screen import Screen
from fleeting.app.specs import parse_grid
from fleeting.errors import UsageError

# Columns of a sweep that are shares; fields keep all their digits.
FIGURES = ("accuracy", "uf1", "uar", "majority_accuracy")

study_app = App(
    name="study",
    help="Run a paper's whole study, published beside measured.\n\n"
    "Example: fleeting study talluri2022 --look-alike --scale 0.1 --epochs 1 --out study",
    help_format="plaintext",
    sort_key=5.1,
)

Out = Annotated[Path, Parameter(help="Folder of the study; asking again resumes it.")]
Epochs = Annotated[int | None, Parameter(help="Epochs instead of the paper's; the page says so.")]
Jobs = Annotated[int, Parameter(name=["--jobs", "-j"], help="Processes; 0 for one per core.")]
Only = Annotated[str | None, Parameter(help="Parts to run, separated by commas (default: all).")]
Columns = Annotated[
    str | None, Parameter(help="Columns to run, separated by commas: published, independent, motion (default: all).")
]
LookAlike = Annotated[
    bool, Parameter(negative="", help="Run on synthetic look-alikes of the sets' true size instead of the real sets.")
]
Scale = Annotated[float, Parameter(help="Share of the look-alikes' true size.")]
Device = Annotated[Literal["cpu", "cuda", "auto"], Parameter(help="Where to train.")]
Cache = Annotated[Path | None, Parameter(name="--cache", help="Folder of prepared sequences.")]
Seed = Annotated[int, Parameter(help="Of splits and weights.")]
AsJson = Annotated[bool, Parameter(name="--json", negative="", help="Print the result as JSON.")]
Quiet = Annotated[bool, Parameter(name=["--quiet", "-q"], negative="", help="Print the result only.")]


@study_app.command
def talluri2022(
    *,
    out: Out,
    casme2: Path | None = None,
    smic: Path | None = None,
    samm: Path | None = None,
    look_alike: LookAlike = False,
    scale: Scale = 1.0,
    only: Only = None,
    columns: Columns = None,
    epochs: Epochs = None,
    seed: Seed = 0,
    device: Device = "cpu",
    cache: Cache = None,
    jobs: Jobs = 0,
    json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Tables 1 to 4 and figure 4 of Talluri, Fiedler and Al-Hamadi 2022.

    Example: fleeting study talluri2022 --look-alike --scale 0.1 --epochs 1 --out study

    Parameters
    ----------
    casme2 : pathlib.Path or None, optional
        Folder of CASME II; a set that is not given leaves its rows "not run".
    smic : pathlib.Path or None, optional
        Folder of SMIC.
    samm : pathlib.Path or None, optional
        Folder of SAMM.
    """
    _conduct(
        "talluri2022",
        {"casme2": casme2, "smic": smic, "samm": samm},
        out,
        look_alike,
        scale,
        {"only": only, "columns": columns, "epochs": epochs, "seed": seed},
        device,
        cache,
        jobs,
        Screen(quiet, json),
    )


@study_app.command
def irawan2023(
    *,
    out: Out,
    smic: Path | None = None,
    look_alike: LookAlike = False,
    scale: Scale = 1.0,
    only: Only = None,
    columns: Columns = None,
    epochs: Epochs = None,
    seed: Seed = 0,
    device: Device = "cpu",
    cache: Cache = None,
    jobs: Jobs = 0,
    json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Tables I to VI of Irawan et al. 2023.

    Example: fleeting study irawan2023 --look-alike --scale 0.2 --epochs 1 --out study

    Parameters
    ----------
    smic : pathlib.Path or None, optional
        Folder of SMIC.
    """
    _conduct(
        "irawan2023",
        {"smic": smic},
        out,
        look_alike,
        scale,
        {"only": only, "columns": columns, "epochs": epochs, "seed": seed},
        device,
        cache,
        jobs,
        Screen(quiet, json),
    )


@study_app.command
def leakage(
    *,
    out: Out,
    data: Annotated[
        list[str] | None,
        Parameter(name="--data", negative="", help="A data set as KIND:PATH; several make a composite."),
    ] = None,
    look_alike: LookAlike = False,
    scale: Scale = 1.0,
    model: str = "ststnet",
    recipe: str | None = None,
    scheme: str | None = "megc2019",
    epochs: Epochs = None,
    folds: int = 5,
    only: Only = None,
    seed: Seed = 0,
    device: Device = "cpu",
    cache: Cache = None,
    jobs: Jobs = 0,
    json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """What leakage is worth: one method with people mixed, with the best test epoch, and without either.

    Example: fleeting study leakage --look-alike --scale 0.1 --epochs 20 --out leakage

    Parameters
    ----------
    look_alike : LookAlike, optional
        Run on a synthetic composite of the true size instead of --data; it is made beside --out.
    model : str, optional
        NAME[,option=value...], a network.
    recipe : str or None, optional
        NAME[,field=value...] (default: the model's own).
    scheme : str or None, optional
        Label scheme of the data sets.
    folds : int, optional
        Of the k-folds.
    only : Only, optional
        Parts to run beside the honest k-fold, separated by commas: mixed, inner, loso (default: all).
    """
    from fleeting.sequences import write_flow_folder
    from fleeting.studies import run_leakage
    from fleeting.synthesis import composite_clips

    screen = Screen(quiet, json)
    if bool(data) == look_alike:
        raise UsageError(
            "study leakage needs either --data KIND:PATH or --look-alike; found " + ("both" if data else "neither")
        )
    parts = () if only is None else name_list(only, "only")
    with screen.bar() as bars:
        if look_alike:
            screen.say("Making a synthetic composite")
            folder = out.with_name(out.name + "-look-alike")
            clips = composite_clips(seed, scale=scale)
            made = write_flow_folder(
                clips, folder, jobs=jobs, cache=cache, progress=bars.step("clips made"), synthetic=True
            )
            data = [f"flow:{made.folder}"]
        training = {} if epochs is None else {"epochs": epochs}
        config = config_from(data or [], scheme, recipe, model, None, None, training, "loso", str(seed), False, device)
        result = run_leakage(
            config,
            out,
            folds=folds,
            only=parts,
            look_alike=look_alike,
            jobs=jobs,
            cache=cache,
            observer=observer_on(screen, bars, config.training.epochs),
        )
    page = _pages(result.path)
    content = loads((result.path / "study.json").read_text(encoding="utf-8"))
    for sentence in content["summary"]:
        screen.show(sentence)
    screen.show(f"Report: {page}")
    screen.dump({"study": str(result.path), "report": str(page), "summary": content["summary"]})


def _conduct(
    name: str,
    folders: dict[str, Path | None],
    out: Path,
    look_alike: bool,
    scale: float,
    options: dict[str, Any],
    device: str,
    cache: Path | None,
    jobs: int,
    screen: Screen,
) -> None:
    from fleeting.studies import Irawan2023, Talluri2022, look_alikes, run_study

    kind: Any = {"talluri2022": Talluri2022, "irawan2023": Irawan2023}[name]
    given = {key: f"{key}:{path}" for key, path in folders.items() if path is not None}
    if look_alike and given:
        raise UsageError("--look-alike stands for the real sets; leave out " + ", ".join(f"--{key}" for key in given))
    for option in ("only", "columns"):
        text = options[option]
        options[option] = () if text is None else tuple(part.strip() for part in text.split(",") if part.strip())
    with screen.bar() as bars:
        if look_alike:
            screen.say("Making look-alikes")
            # Beside the study, so that the folder of a study holds nothing that can be made again.
            given = look_alikes(
                out.with_name(out.name + "-look-alikes"),
                kind.needs,
                scale=scale,
                jobs=jobs,
                progress=bars.step("clips made"),
            )
        study = kind(sets=given, look_alike=look_alike, scale=scale, **options)
        planned = study.plan()
        epochs = max((run.config.training.epochs for run in planned), default=1)
        screen.say(f"{len(planned)} runs")
        result = run_study(
            study, out, jobs=jobs, cache=cache, device=device, observer=observer_on(screen, bars, epochs)
        )
    page = _pages(result.path)
    screen.show(f"Report: {page}")
    screen.dump({"study": str(result.path), "report": str(page), "tables": sorted(result.tables)})


def _pages(collection: Path) -> Path:
    """Write the page of every run, then that of the whole, which links to them."""
    from fleeting.reports import render_report

    for run in sorted((collection / "runs").iterdir()):
        if (run / "summary.json").is_file():
            render_report(run)
    return render_report(collection)


def sweep(
    *,
    out: Out,
    data: Annotated[list[str], Parameter(name="--data", negative="", help="A data set as KIND:PATH.")],
    grid: Annotated[
        list[str] | None,
        Parameter(name="--grid", negative="", help="OWNER.FIELD=v1,v2 with OWNER recipe, model, training or protocol."),
    ] = None,
    definition: Annotated[
        str | None, Parameter(help="A sweep that ships (irawan2023), or a JSON file of the same form.")
    ] = None,
    recipe: str | None = None,
    model: str | None = None,
    protocol: str | None = None,
    scheme: str | None = None,
    classes: str | None = None,
    motion: str | None = None,
    epochs: int | None = None,
    seed: Seed = 0,
    device: Device = "cpu",
    cache: Cache = None,
    jobs: Jobs = 0,
    json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Run an experiment over a grid of any recipe, model, training or protocol fields.

    Example: fleeting sweep --data synthetic:clips --grid training.epochs=1,2 --out sweep

    Parameters
    ----------
    recipe : str or None, optional
        NAME[,field=value...] (default: the definition's, or the model's own).
    model : str or None, optional
        NAME[,option=value...] (default: the definition's, or model_a).
    protocol : str or None, optional
        NAME[,option=value...] (default: the definition's, or stratified-kfold).
    scheme : str or None, optional
        Label scheme (default: the definition's, or the data sets' own labels).
    classes : str or None, optional
        Comma-separated emotions to keep.
    motion : str or None, optional
        None or difference.
    epochs : int or None, optional
        Epochs where the grid does not vary them.
    """
    from fleeting.experiments import Grid, run_sweep
    from fleeting.studies import sweep_definition

    screen = Screen(quiet, json)
    if (grid is None) == (definition is None):
        raise UsageError(
            "a sweep needs either --grid or --definition; found " + ("neither" if grid is None else "both")
        )
    shipped = {} if definition is None else sweep_definition(definition)
    grids = shipped["grids"] if grid is None else [Grid(dict(parse_grid(text) for text in grid))]
    config = config_from(
        data,
        scheme or shipped.get("scheme"),
        recipe or shipped.get("recipe"),
        model or shipped.get("model", "model_a"),
        motion,
        classes,
        {} if epochs is None else {"epochs": epochs},
        protocol or shipped.get("protocol", "stratified-kfold"),
        str(seed),
        False,
        device,
    )
    with screen.bar() as bars:
        tables = run_sweep(
            config,
            grids,
            out,
            title=shipped.get("title", "Sweep"),
            paper=shipped.get("paper", ""),
            jobs=jobs,
            cache=cache,
            observer=observer_on(screen, bars, config.training.epochs),
        )
    page = _pages(out)
    for table in tables.values():
        shown = table.drop(columns=[name for name in table if str(name).endswith(("_low", "_high"))] + ["setting"])
        screen.show(shown.to_string(index=False, formatters=dict.fromkeys(FIGURES, "{:.3f}".format)))
    screen.show(f"Report: {page}")
    screen.dump({"sweep": str(out), "report": str(page)})
