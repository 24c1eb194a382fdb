"""The command line: each verb is a few lines of the Python interface."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import App, CycloptsError, Parameter

from fleeting._version import __version__
from fleeting.app.analyze import analyze
from fleeting.app.common import config_from, given, observer_on, recipe_from, selection_from
from fleeting.app.compare import compare
from fleeting.app.composite import synth_composite
from fleeting.app.data import data_app
from fleeting.app.export import export
from fleeting.app.flow import flow_folder
from fleeting.app.long import synth_long
from fleeting.app.screen import Screen
from fleeting.app.spot import benchmark_spotting, spot
from fleeting.app.study import study_app, sweep
from fleeting.errors import FleetingError, UsageError

app = App(
    name="fleeting",
    version=__version__,
    help="Facial micro-expression recognition, from video to verdict.",
    help_epilogue="Every verb takes --plugin FILE.py, a file of your own that registers data sets, models, recipes, "
    "protocols or apex spotters (repeatable), and --debug, which shows the traceback of an error. Exit codes: 0 done, "
    "1 the job could not be done, 2 wrong usage, 130 interrupted.",
    help_format="plaintext",
    # Ours says what becomes of the work.
    suppress_keyboard_interrupt=False,
)

app.command(data_app)
app.command(study_app)
app.command(synth_long, sort_key=1.2)
app.command(synth_composite, sort_key=1.3)
app.command(flow_folder, sort_key=2.2)
app.command(sweep, sort_key=5.2)
app.command(spot, sort_key=4.8)
app.command(benchmark_spotting, sort_key=5.3)
app.command(analyze, sort_key=5.1)
app.command(compare, sort_key=6.1)
app.command(export, sort_key=6.2)

Quiet = Annotated[bool, Parameter(name=["--quiet", "-q"], negative="", help="Print the result only.")]
AsJson = Annotated[bool, Parameter(name="--json", negative="", help="Print the result as JSON.")]
Jobs = Annotated[int, Parameter(name=["--jobs", "-j"], help="Processes; 0 for one per core.")]
Data = Annotated[
    list[str], Parameter(name="--data", negative="", help="A data set as KIND:PATH; several make a composite.")
]
Store = Annotated[
    Path | None, Parameter(name="--cache", help="Folder of prepared sequences (default: the user's cache folder).")
]
RecipeSpec = Annotated[str, Parameter(help="NAME[,field=value...], as in talluri2022,frames=26,motion=difference.")]
ModelsRecipe = Annotated[
    str | None,
    Parameter(
        name="--recipe",
        help="NAME[,field=value...], as in talluri2022,frames=26,motion=difference (default: the model's own).",
    ),
]
Choose = Annotated[
    list[str] | None,
    Parameter(
        name="--choose",
        negative="",
        help="Choose on inner folds of the training side, by people: epochs, training.FIELD=v1,v2 or model.OPTION=v1,v2.",
    ),
]
ChooseBy = Annotated[Literal["uf1", "uar", "accuracy"], Parameter(help="The figure that --choose makes large.")]
InnerFolds = Annotated[int, Parameter(help="Inner folds of --choose.")]
ModelSpec = Annotated[str, Parameter(name="--model", help="NAME[,option=value...]; `fleeting models` lists them.")]


@app.command(sort_key=1)
def synth(
    out: Path,
    *,
    layout: Literal["plain", "casme2", "smic", "samm"] = "plain",
    subjects: int = 12,
    clips_per_subject: int = 6,
    seed: int = 0,
    amplitude: tuple[float, float] = (1.0, 3.0),
    fps: float | None = None,
    emotions: str | None = None,
    portraits: Path | None = None,
    first_subject: int = 0,
    look_alike: bool = False,
    scale: float = 1.0,
    jobs: Jobs = 0,
    json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Write a synthetic data set with exact ground truth, in the layout of a real one.

    Example: fleeting synth clips --subjects 6

    Parameters
    ----------
    out : pathlib.Path
        Folder to write; asking again for the same set completes it.
    layout : {"plain", "casme2", "smic", "samm"}, optional
        Plain (folders and a CSV), or exactly as casme2, smic or samm lie on disk.
    subjects : int, optional
        People in the set.
    clips_per_subject : int, optional
        Clips of each.
    seed : int, optional
        Same seed, same bytes.
    amplitude : tuple of (float, float), optional
        Lowest and highest peak motion, in pixels of a 128-pixel face.
    fps : float or None, optional
        Frames a second (default: those of the layout).
    emotions : str or None, optional
        Comma-separated, or "all" eight (default: happiness, disgust and surprise).
    portraits : pathlib.Path or None, optional
        Folder of your own portraits to use as identities.
    first_subject : int, optional
        Leave out this many identities, for a set of other people.
    look_alike : bool, optional
        With --layout casme2, smic or samm: as many clips, classes, subjects and frames as the real set has.
    scale : float, optional
        Share of a look-alike's true size, as 0.2.
    """
    from fleeting.synthesis import portraits as read_portraits
    from fleeting.synthesis import write_dataset, write_look_alike

    screen = Screen(quiet, json)
    chosen: Any = None
    if emotions is not None:
        chosen = "all" if emotions == "all" else [name.strip() for name in emotions.split(",")]
    if look_alike and ((subjects, clips_per_subject, first_subject) != (12, 6, 0) or fps or chosen or portraits):
        raise UsageError(
            "--look-alike has the size, the classes and the frame rate of the real set; with it only --layout, --scale, "
            "--seed, --amplitude and --jobs can be given"
        )
    if not look_alike and scale != 1:
        raise UsageError("--scale is the share of a look-alike's true size; add --look-alike, or give --subjects")
    with screen.bar() as bars:
        step = bars.step("clips")
        if look_alike:
            made = write_look_alike(out, layout, seed=seed, amplitude=amplitude, jobs=jobs, progress=step, scale=scale)
        else:
            made = write_dataset(
                out,
                layout=layout,
                subjects=subjects,
                clips_per_subject=clips_per_subject,
                seed=seed,
                amplitude=amplitude,
                fps=fps,
                emotions=chosen,
                identities=None if portraits is None else read_portraits(portraits),
                first_subject=first_subject,
                jobs=jobs,
                progress=step,
            )
    counts = ", ".join(f"{n} {emotion}" for emotion, n in sorted(made.emotions.items()))
    screen.show(f"{made.n_clips} clips ({counts}), {made.n_frames} frames in {made.path}")
    screen.dump(
        {
            "path": str(made.path),
            "layout": made.layout,
            "n_clips": made.n_clips,
            "n_frames": made.n_frames,
            "emotions": dict(made.emotions),
        }
    )


@app.command(sort_key=2)
def preprocess(
    clip: Path | None = None,
    *,
    data: Annotated[list[str] | None, Parameter(name="--data", negative="", help="Data sets as KIND:PATH.")] = None,
    show_steps: Path | None = None,
    fps: float | None = None,
    recipe: RecipeSpec = "talluri2022",
    cache: Store = None,
    jobs: Jobs = 0,
    json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Turn clips into sequences and keep them, as `evaluate` does by itself; or look at what becomes of one.

    Example: fleeting preprocess --data synthetic:clips
    Example: fleeting preprocess video.mp4 --recipe irawan2023 --show-steps steps.png

    Parameters
    ----------
    clip : pathlib.Path or None, optional
        A video, or a folder of frames, to look at with --show-steps.
    show_steps : pathlib.Path or None, optional
        Draw each stage of the recipe here (png, svg, pdf or jpg): for CLIP, or for the first clip of --data. It shows a
        face.
    fps : float or None, optional
        Frames a second of CLIP, if it is a folder or to overrule the video.
    """
    from fleeting.datasets import load_clips
    from fleeting.sequences import prepare

    screen = Screen(quiet, json)
    made_by = recipe_from(recipe)
    if (clip is None) == (not data) or (clip is not None and show_steps is None):
        raise UsageError("preprocess takes either --data KIND:PATH, or a video or folder with --show-steps OUT.png")
    if show_steps is not None:
        found = load_clips(data) if data else [clip]
        if not found:
            raise UsageError(f"no clips in {', '.join(data or [])}; expected annotated clips")
        _show_steps(screen, made_by, found[0], show_steps, fps)
        return
    clips = load_clips(data or [])
    with screen.bar() as bars:
        made = prepare(clips, made_by, root=cache, jobs=jobs, progress=bars.step("clips"))
    for item in made.skipped:
        screen.warn(f"skipped {item.clip.key}: {item.reason}")
    noted = [(clip.key, info["notes"]) for clip, info in zip(made.clips, made.infos, strict=True) if info["notes"]]
    for key, notes in noted:
        screen.warn(f"{key}: {'; '.join(notes)}")
    screen.show(f"{len(made)} sequences, {len(made.skipped)} clips skipped, in {made.cache.folder}")
    screen.dump(
        {
            "sequences": len(made),
            "folder": str(made.cache.folder),
            "skipped": [{"clip": item.clip.key, "reason": item.reason} for item in made.skipped],
            "notes": dict(noted),
        }
    )
    if not len(made):
        raise FleetingError("no clip could become a sequence; the reasons are above")


def _show_steps(screen: Screen, recipe: Any, what: Any, out: Path, fps: float | None) -> None:
    from fleeting.clips import Clip as OneClip
    from fleeting.clips import open_clip
    from fleeting.sequences import draw_steps

    clip = what if isinstance(what, OneClip) else open_clip(what, fps=fps)
    if not hasattr(recipe, "steps"):
        raise UsageError(f"recipe {recipe.name} cannot show its steps; it has no method steps(clip)")
    name = clip.key if what is clip else clip.name
    steps = recipe.steps(clip)
    path = draw_steps(steps, out, title=f"{name}: {recipe.title or recipe.name}")
    screen.show(f"Steps: {path}")
    screen.dump({"steps": [step.title for step in steps], "figure": str(path)})


Epochs = Annotated[int | None, Parameter(help="Passes over the training clips (default: the paper's).")]
Rate = Annotated[float | None, Parameter(help="Learning rate (default: the paper's).")]
Batch = Annotated[int | None, Parameter(help="Clips a step (default: the paper's).")]
Optimizer = Annotated[Literal["sgd", "adam"] | None, Parameter(help="Optimiser (default: the paper's).")]
Clip = Annotated[float | None, Parameter(name="--clip-norm", help="Cut the gradient's norm; keeps training alive.")]
Motion = Annotated[
    Literal["none", "difference"] | None,
    Parameter(help="What the network sees: the frames (as published) or their difference from the onset frame."),
]
Classes = Annotated[str | None, Parameter(help="Comma-separated emotions to keep (default: all that occur).")]
Scheme = Annotated[str | None, Parameter(help="Label scheme, such as talluri2022 or megc2019 (default: own labels).")]
Device = Annotated[Literal["cpu", "cuda", "auto"], Parameter(help="Where to train.")]


@app.command(sort_key=3)
def evaluate(
    *,
    data: Data,
    out: Path,
    recipe: ModelsRecipe = None,
    model: ModelSpec = "model_a",
    protocol: str = "stratified-kfold",
    epochs: Epochs = None,
    learning_rate: Rate = None,
    batch_size: Batch = None,
    optimizer: Optimizer = None,
    clip_norm: Clip = None,
    motion: Motion = None,
    classes: Classes = None,
    scheme: Scheme = None,
    seeds: str = "0",
    watch: bool = False,
    samples: bool = True,
    choose: Choose = None,
    choose_by: ChooseBy = "uf1",
    inner_folds: InnerFolds = 3,
    device: Device = "cpu",
    cache: Store = None,
    jobs: Jobs = 0,
    json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Train and test per model under a protocol, fold by fold, and write the report.

    Stopped at any moment, the same command goes on where it was: finished folds are kept.

    Example: fleeting evaluate --data synthetic:clips --epochs 3 --out run

    Parameters
    ----------
    out : pathlib.Path
        Run folder.
    protocol : str, optional
        NAME[,option=value...]: stratified-kfold, holdout, repeated-holdout mix subjects as the papers do;
        subject-kfold, subject-holdout, repeated-subject-holdout, loso do not; cde and hde are the field's exam on the
        composite of three sets; cross-dataset,source=A+B,target=C tests on another set. Options: folds, repeats,
        test_size, seed.
    seeds : str, optional
        Comma-separated; every fold is trained once for each.
    watch : bool, optional
        Record the test clips' accuracy after each epoch; it is shown, never used to choose.
    samples : bool, optional
        Put a few film strips into the report. They show faces.
    """
    from fleeting.experiments import evaluate as run_experiment
    from fleeting.reports import render_report

    screen = Screen(quiet, json)
    training = given(
        epochs=epochs, learning_rate=learning_rate, batch_size=batch_size, optimizer=optimizer, clip_norm=clip_norm
    )
    selection = selection_from(choose, choose_by, inner_folds)
    config = config_from(
        data, scheme, recipe, model, motion, classes, training, protocol, seeds, watch, device, selection
    )
    with screen.bar() as bars:
        run = run_experiment(
            config,
            out,
            jobs=jobs,
            cache=cache,
            observer=observer_on(screen, bars, config.epochs_per_unit),
            samples=samples,
        )
    page = render_report(run.path)
    _show_results(screen, run.path, page)


@app.command(sort_key=4)
def train(
    *,
    data: Data,
    out: Path,
    recipe: ModelsRecipe = None,
    model: ModelSpec = "model_a",
    epochs: Epochs = None,
    learning_rate: Rate = None,
    batch_size: Batch = None,
    optimizer: Optimizer = None,
    clip_norm: Clip = None,
    motion: Motion = None,
    classes: Classes = None,
    scheme: Scheme = None,
    seed: int = 0,
    choose: Choose = None,
    choose_by: ChooseBy = "uf1",
    inner_folds: InnerFolds = 3,
    device: Device = "cpu",
    cache: Store = None,
    jobs: Jobs = 0,
    json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Train one model on all clips, to be used on other recordings. Nothing is tested: see `evaluate`.

    Example: fleeting train --data synthetic:clips --epochs 3 --out model

    Parameters
    ----------
    out : pathlib.Path
        Folder for model.safetensors, config.json and history.csv.
    seed : int, optional
        Same seed, same weights.
    """
    from fleeting.experiments import train_on_all

    screen = Screen(quiet, json)
    training = given(
        epochs=epochs, learning_rate=learning_rate, batch_size=batch_size, optimizer=optimizer, clip_norm=clip_norm
    )
    rule = "stratified-kfold"
    selection = selection_from(choose, choose_by, inner_folds)
    config = config_from(
        data, scheme, recipe, model, motion, classes, training, rule, str(seed), False, device, selection
    )
    with screen.bar() as bars:
        folder = train_on_all(
            config, out, jobs=jobs, cache=cache, observer=observer_on(screen, bars, config.epochs_per_unit)
        )
    screen.show(f"Model: {folder / 'model.safetensors'}")
    screen.dump({"model": str(folder / "model.safetensors")})


@app.command(sort_key=5)
def predict(
    recording: Path,
    *,
    model: Annotated[
        Path | None,
        Parameter(help="A run folder (all its folds are asked), a model folder or file; the shipped one if not given."),
    ] = None,
    figure: Path | None = None,
    fps: float | None = None,
    json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Recognise the expression in a short video of one face, or a folder of frames.

    Example: fleeting predict video.mp4 --model run --figure verdict.png

    Parameters
    ----------
    recording : pathlib.Path
        Video file, or folder of frames.
    figure : pathlib.Path or None, optional
        Write the film strip with the motion overlaid here (png, svg, pdf or jpg).
    fps : float or None, optional
        Frames a second, for a folder or to overrule the video.
    """
    import warnings

    from fleeting.analysis import draw_verdict
    from fleeting.analysis import predict as predict_recording

    screen = Screen(quiet, json)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        verdict = predict_recording(recording, model, fps=fps)
        drawn = None if figure is None else draw_verdict(verdict, figure)
    told = dict.fromkeys(str(item.message) for item in caught if item.category is UserWarning)
    for sentence in [*told, *verdict.warnings]:
        screen.warn(sentence)
    when = "" if verdict.apex_seconds is None else f", {verdict.apex_seconds:.3f} s"
    screen.show(f"{verdict.path}: {verdict.label}")
    for name, value in sorted(zip(verdict.classes, verdict.probabilities, strict=True), key=lambda pair: -pair[1]):
        screen.show(f"  {name:<12} {value:6.1%}")
    screen.show(
        f"Apex: frame {verdict.apex} of {verdict.n_frames}{when}; motion {verdict.strength:.2f} px of a 128-px face"
    )
    if drawn is not None:
        screen.show(f"Figure: {drawn}")
    screen.dump(verdict.to_dict() | {"figure": None if drawn is None else str(drawn)})


@app.command(sort_key=6)
def report(run: Path, *, partial: bool = False, json: AsJson = False, quiet: Quiet = False) -> None:
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

    screen = Screen(quiet, json)
    for kind in ("study", "analysis"):
        if (run / f"{kind}.json").is_file():
            page = render_report(run)
            screen.show(f"Report: {page}")
            screen.dump({kind: str(run), "report": str(page)})
            return
    aggregate(RunFolder(run), allow_partial=partial)
    _show_results(screen, run, render_report(run))


@app.command(sort_key=7)
def models(pattern: str = "*", *, json: AsJson = False) -> None:
    """List the models, with what papers report of them and what was measured here.

    Example: fleeting models

    Parameters
    ----------
    pattern : str, optional
        Wildcard, such as model_*.
    """
    from dataclasses import asdict

    from fleeting.models import list_models, model_info

    screen = Screen(json_output=json)
    names = list_models(pattern)
    infos = [model_info(name) for name in names]
    width = max((len(name) for name in names), default=0)
    for info in infos:
        screen.show(f"{info.name:<{width}}  {info.summary}")
        screen.show(f"{'':<{width}}  {info.paper}; {'×'.join(map(str, info.sizes.values()))} (T×H×W)")
        for where, scores in (("published, real composite", info.published), ("ours, synthetic", info.measured)):
            for score in scores:
                figures = f"UF1 {score.uf1:.3f} UAR {score.uar:.3f}"
                screen.show(f"{'':<{width}}  {where} ({score.data}): {figures}; {score.source}")
    if not names:
        screen.show(f"no model matches {pattern!r}")
    if any(info.published or info.measured for info in infos):
        screen.show(
            "UF1 and UAR are of leave-one-subject-out on the MEGC 2019 composite: published ones on the real data, ours "
            "on a synthetic composite. The two can never be compared; ours can be compared with each other"
        )
    screen.dump(
        [
            asdict(info)
            | {"published": [asdict(score) for score in info.published]}
            | {"measured": [asdict(score) for score in info.measured]}
            for info in infos
        ]
    )


@app.command(sort_key=8)
def info(*, json: AsJson = False) -> None:
    """Show versions, the machine, where things are kept, and licences that bind a user.

    Example: fleeting info
    """
    import torch

    from fleeting import kernels
    from fleeting.experiments import machine, versions
    from fleeting.faces.detector import LANDMARKS_LICENCE, landmark_file
    from fleeting.sequences.cache import default_cache

    screen = Screen(json_output=json)
    try:
        landmarks = str(landmark_file())
    except FleetingError as exc:
        landmarks = f"missing: {exc}"
    used = kernels.status()
    facts: dict[str, Any] = {
        "versions": versions(),
        "machine": machine(),
        "kernels": {"kernels": used.name or "none: plain PyTorch", "kernels_reason": used.reason},
        "cuda": torch.cuda.get_device_name(0) if torch.cuda.is_available() else None,
        "cache": str(default_cache()),
        "landmarks": landmarks,
        "landmarks_licence": LANDMARKS_LICENCE,
    }
    for name, value in facts.items():
        if isinstance(value, dict):
            for inner, text in value.items():
                screen.show(f"{inner:<28} {text}")
        else:
            screen.show(f"{name:<28} {value}")
    screen.dump(facts)


def _show_results(screen: Screen, run: Path, page: Path) -> None:
    import json

    summary = json.loads((run / "summary.json").read_text(encoding="utf-8"))
    pooled = summary["pooled"]
    if summary["partial"]:
        screen.warn(f"partial: {summary['finished']} of {summary['expected']} units are finished")
    for sentence in summary["warnings"]:
        screen.warn(sentence)
    for metric in ("accuracy", "uf1", "uar"):
        low, high = pooled[f"{metric}_low"], pooled[f"{metric}_high"]
        interval = "" if low is None else f"  [{low:.3f}, {high:.3f}]"
        beside = (
            f"   (always {pooled['majority_class']}: {pooled['majority_accuracy']:.3f})" if metric == "accuracy" else ""
        )
        screen.show(f"{metric:<9} {pooled[metric]:.3f}{interval}{beside}")
    screen.show(f"Report: {page}")
    screen.dump({"run": str(run), "report": str(page), **summary})


def _load_plugins(tokens: list[str]) -> list[str]:
    """Load what ``--plugin`` names, wherever it stands; returns the tokens that are left."""
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


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    tokens = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in tokens
    tokens = [token for token in tokens if token != "--debug"]
    screen = Screen()
    try:
        tokens = _load_plugins(tokens)
        app(tokens, exit_on_error=False, print_error=False, result_action="return_value")
    except CycloptsError as exc:
        if debug:
            traceback.print_exc()
        screen.err.print(f"error: {exc}", style="red", markup=False)
        screen.err.print("`fleeting --help` lists the verbs, `fleeting VERB --help` the options of one.", markup=False)
        return 2
    except FleetingError as exc:
        if debug:
            traceback.print_exc()
        screen.err.print(f"error: {exc}", style="red", markup=False)
        return exc.exit_code
    except KeyboardInterrupt:
        screen.err.print("interrupted; what was finished is kept, and the same command goes on from there")
        return 130
    except BrokenPipeError:
        # The reader has gone; writing the rest at exit would only raise again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as exc:
        if debug:
            traceback.print_exc()
        screen.err.print(
            f"internal error: {type(exc).__name__}: {exc}. Run it again with --debug and report what it prints",
            style="red",
            markup=False,
        )
        return 1
    return 0


def run() -> None:
    """Entry point of the ``fleeting`` script."""
    sys.exit(main())
