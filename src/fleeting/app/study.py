"""The verb ``study``: a paper's whole study, published beside measured."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter

from fleeting.app.experiment import experiment_from, observer_on, render_pages
from fleeting.app.options import CacheOptions, DeviceOptions, Epochs, Flag, Folds, OutputOptions, Seed, name_list
from fleeting.app.screen import Bars, Screen
from fleeting.errors import UsageError, unknown_choice

study_app = App(
    name="study",
    help="Run a paper's whole study, published beside measured.\n\n"
    "Example: fleeting study talluri2022 --look-alike --scale 0.1 --epochs 1 --out study",
    help_format="plaintext",
    usage="Usage: fleeting study NAME --out PATH [OPTIONS]",
)


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class LookAlikeOptions:
    """Options of a study without the real sets.

    Parameters
    ----------
    look_alike : bool
        Run on synthetic look-alikes of the sets' true size instead of the real sets; they are made beside --out.
    scale : float
        Share of the look-alikes' true size.
    """

    look_alike: Flag = False
    scale: float = 1.0


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class PartOptions:
    """Options of a paper's study: how much of it is run.

    Parameters
    ----------
    only : str or None
        Parts to run, separated by commas (default: all).
    columns : str or None
        Columns to run, separated by commas: published, independent, motion (default: all).
    epochs : int or None
        Epochs instead of the paper's; the page says so.
    seed : int
        Random seed of splits and weights.
    """

    only: str | None = None
    columns: str | None = None
    epochs: Epochs = None
    seed: Seed = 0

    def given(self) -> dict[str, Any]:
        """Give the options as arguments of a study."""
        only = () if self.only is None else name_list(self.only, "only")
        columns = () if self.columns is None else name_list(self.columns, "columns")
        return {"only": only, "columns": columns, "epochs": self.epochs, "seed": self.seed}


@study_app.default
def named(
    name: str | None = None,
    /,
    *,
    out: Path | None = None,
    data: Annotated[list[str] | None, Parameter(name="--data")] = None,
    look_alike: LookAlikeOptions = LookAlikeOptions(),
    parts: PartOptions = PartOptions(),
    device: DeviceOptions = DeviceOptions(),
    work: CacheOptions = CacheOptions(),
    output: OutputOptions = OutputOptions(),
) -> None:
    """Run a study of your own, which a --plugin registers.

    Parameters
    ----------
    name : str or None, optional
        Name of the study.
    out : pathlib.Path or None, optional
        Folder of the study; asking again resumes it.
    data : list of str or None, optional
        Data set as KIND:PATH; a set that is not given leaves its rows "not run".
    """
    from fleeting.studies import list_studies

    if name is None:
        study_app.help_print()
        return
    known = list_studies()
    if name.lower().replace("-", "_") not in known:
        raise unknown_choice("study", name, [*known, "leakage"])
    if out is None:
        raise UsageError(f"study {name} needs --out, the folder that it is written to")
    sets: dict[str, Path | None] = {}
    for spec in data or []:
        kind, colon, path = spec.partition(":")
        if not colon or kind in sets:
            raise UsageError(f"--data {spec}: expected KIND:PATH, each kind of data set once")
        sets[kind] = Path(path)
    _run(name, sets, out, look_alike, parts, device, work, output.screen())


@study_app.command
def talluri2022(
    *,
    out: Path,
    casme2: Path | None = None,
    smic: Path | None = None,
    samm: Path | None = None,
    look_alike: LookAlikeOptions = LookAlikeOptions(),
    parts: PartOptions = PartOptions(),
    device: DeviceOptions = DeviceOptions(),
    work: CacheOptions = CacheOptions(),
    output: OutputOptions = OutputOptions(),
) -> None:
    """Run tables 1 to 4 and figure 4 of Talluri, Fiedler and Al-Hamadi 2022.

    Example: fleeting study talluri2022 --look-alike --scale 0.1 --epochs 1 --out study

    Parameters
    ----------
    out : pathlib.Path
        Folder of the study; asking again resumes it.
    casme2 : pathlib.Path or None, optional
        Folder of CASME II; a set that is not given leaves its rows "not run".
    smic : pathlib.Path or None, optional
        Folder of SMIC.
    samm : pathlib.Path or None, optional
        Folder of SAMM.
    """
    folders = {"casme2": casme2, "smic": smic, "samm": samm}
    _run("talluri2022", folders, out, look_alike, parts, device, work, output.screen())


@study_app.command
def irawan2023(
    *,
    out: Path,
    smic: Path | None = None,
    look_alike: LookAlikeOptions = LookAlikeOptions(),
    parts: PartOptions = PartOptions(),
    device: DeviceOptions = DeviceOptions(),
    work: CacheOptions = CacheOptions(),
    output: OutputOptions = OutputOptions(),
) -> None:
    """Run tables I to VI of Irawan et al. 2023.

    Example: fleeting study irawan2023 --look-alike --scale 0.2 --epochs 1 --out study

    Parameters
    ----------
    out : pathlib.Path
        Folder of the study; asking again resumes it.
    smic : pathlib.Path or None, optional
        Folder of SMIC.
    """
    _run("irawan2023", {"smic": smic}, out, look_alike, parts, device, work, output.screen())


@study_app.command
def leakage(
    *,
    out: Path,
    data: Annotated[list[str] | None, Parameter(name="--data")] = None,
    look_alike: LookAlikeOptions = LookAlikeOptions(),
    model: str = "ststnet",
    recipe: str | None = None,
    scheme: str | None = "megc2019",
    epochs: Epochs = None,
    folds: Folds = 5,
    only: str | None = None,
    seed: Seed = 0,
    device: DeviceOptions = DeviceOptions(),
    work: CacheOptions = CacheOptions(),
    output: OutputOptions = OutputOptions(),
) -> None:
    """Measure what leakage is worth: one method with people mixed, with the best test epoch, and without either.

    Example: fleeting study leakage --look-alike --scale 0.1 --epochs 20 --out leakage

    Parameters
    ----------
    out : pathlib.Path
        Folder of the study; asking again resumes it.
    data : list of str or None, optional
        Data set as KIND:PATH; several make a composite.
    model : str, optional
        NAME[,option=value...], a network.
    recipe : str or None, optional
        NAME[,field=value...] (default: the model's own).
    scheme : str or None, optional
        Label scheme of the data sets.
    epochs : int or None, optional
        Epochs instead of the paper's; the page says so.
    folds : int, optional
        Folds of the k-folds.
    only : str or None, optional
        Parts to run beside the honest k-fold, separated by commas: mixed, inner, loso (default: all).
    seed : int, optional
        Random seed of splits and weights.
    """
    from fleeting.records import StudyPage
    from fleeting.studies import run_leakage

    screen = output.screen()
    if bool(data) == look_alike.look_alike:
        raise UsageError(
            "study leakage needs either --data KIND:PATH or --look-alike; found " + ("both" if data else "neither")
        )
    parts = () if only is None else name_list(only, "only")
    with screen.bar() as bars:
        if look_alike.look_alike:
            screen.say("Making a synthetic composite")
            data = [_composite(out, seed, look_alike.scale, work, bars)]
        config = experiment_from(
            data or [],
            scheme=scheme,
            recipe=recipe,
            model=model,
            training={} if epochs is None else {"epochs": epochs},
            protocol="loso",
            seeds=(seed,),
            device=device.device,
        )
        result = run_leakage(
            config,
            out,
            folds=folds,
            only=parts,
            look_alike=look_alike.look_alike,
            jobs=work.jobs,
            cache=work.cache,
            observer=observer_on(screen, bars, config.training.epochs),
        )
    page = render_pages(result.path)
    summary = StudyPage.read(result.path / "study.json").summary
    for sentence in summary:
        screen.show(sentence)
    screen.show(f"Report: {page}")
    screen.dump({"study": str(result.path), "report": str(page), "summary": list(summary)})


def _composite(out: Path, seed: int, scale: float, work: CacheOptions, bars: Bars) -> str:
    from fleeting.sequences import write_flow_folder
    from fleeting.synthesis import composite_clips

    folder = out.with_name(out.name + "-look-alike")
    made = write_flow_folder(
        composite_clips(seed, scale=scale),
        folder,
        jobs=work.jobs,
        cache=work.cache,
        progress=bars.step("clips made"),
        synthetic=True,
    )
    return f"flow:{made.folder}"


def _run(
    name: str,
    folders: dict[str, Path | None],
    out: Path,
    look_alike: LookAlikeOptions,
    parts: PartOptions,
    device: DeviceOptions,
    work: CacheOptions,
    screen: Screen,
) -> None:
    from fleeting.studies import find_study, look_alikes, run_study

    kind = find_study(name)
    sets = {key: f"{key}:{path}" for key, path in folders.items() if path is not None}
    if look_alike.look_alike and sets:
        raise UsageError("--look-alike stands for the real sets; leave out " + ", ".join(f"--{key}" for key in sets))
    options = parts.given()
    with screen.bar() as bars:
        if look_alike.look_alike:
            screen.say("Making look-alikes")
            # Beside the study, so that the folder of a study holds nothing that can be made again.
            beside = out.with_name(out.name + "-look-alikes")
            step = bars.step("clips made")
            sets = look_alikes(beside, kind.needs, scale=look_alike.scale, jobs=work.jobs, progress=step)
        study = kind(sets=sets, look_alike=look_alike.look_alike, scale=look_alike.scale, **options)
        planned = study.plan()
        epochs = max((run.config.training.epochs for run in planned), default=1)
        screen.say(f"{len(planned)} runs")
        observer = observer_on(screen, bars, epochs)
        result = run_study(study, out, jobs=work.jobs, cache=work.cache, device=device.device, observer=observer)
    page = render_pages(result.path)
    screen.show(f"Report: {page}")
    screen.dump({"study": str(result.path), "report": str(page), "tables": sorted(result.tables)})
