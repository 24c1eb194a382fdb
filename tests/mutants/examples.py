"""One tiny, real example of everything that Fleeting writes or reads, and everything that reads it."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

sys.path.append(str(Path(__file__).resolve().parents[1] / "data"))

Reader = Callable[[Path, "Workshop"], None]


class BelievedError(Exception):
    """Something wrong was taken for right without a word."""


class InternalError(Exception):
    """A verb of the command line ended with a traceback."""


@dataclass(frozen=True)
class Said:
    """How a verb ended, and its words."""

    code: int
    out: str
    err: str


def verb(*arguments: object) -> Said:
    """Run a verb of the command line in this process.

    Raises
    ------
    InternalError
        If it ended with a traceback, or its output would move the terminal's cursor.
    """
    from fleeting.app.cli import main

    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main([*map(str, arguments), "--debug"])
    told = err.getvalue()
    if "internal error: " in told or "Exception in thread" in told or "Exception ignored" in told:
        raise InternalError(told)
    # The traceback of --debug is for those who look for what is wrong.
    plain = out.getvalue().splitlines() + [line for line in told.splitlines() if line.startswith(("error", "warning"))]
    moving = [line for line in plain if "\x1b" in line]
    if moving:
        raise BelievedError(f"control characters reach the terminal: {moving[0][:200]!r}")
    if code not in (0, 1, 2):
        raise InternalError(f"exit code {code}")
    return Said(code, out.getvalue(), told)


@dataclass(frozen=True)
class Example:
    """A folder that was made by a verb or by hand.

    Attributes
    ----------
    build : callable
        Fills a folder that does not exist yet.
    files : tuple of str
        Patterns of the files in it; each is damaged as often as the others, however many files it matches.
    readers : dict of str to callable
        What reads the folder, by name.
    weight : int
        How often it is chosen.
    """

    build: Callable[[Path, Workshop], None]
    files: tuple[str, ...]
    readers: dict[str, Reader]
    weight: int = 2


class Workshop:
    """Makes the examples under one folder, each once.

    Parameters
    ----------
    root : pathlib.Path
        The folder; what is there already is used again.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir(parents=True, exist_ok=True)

    @property
    def cache(self) -> Path:
        """Prepared sequences."""
        return self.root / "sequences"

    def path(self, name: str) -> Path:
        """An example's folder, built if it is not there."""
        folder = self.root / "examples" / name
        if not folder.exists():
            aside = self.root / "building" / name
            shutil.rmtree(aside, ignore_errors=True)
            aside.parent.mkdir(parents=True, exist_ok=True)
            EXAMPLES[name].build(aside, self)
            folder.parent.mkdir(parents=True, exist_ok=True)
            aside.rename(folder)
        return folder


# What is built.


def _flow(folder: Path, _: Workshop) -> None:
    """24 flow images of six people in three data sets, in the folder and the table that circulate."""
    from look_alike_flow import HEADER, flow, png

    images = folder / "norm_u_v_os"
    images.mkdir(parents=True)
    lines = [",".join(HEADER)]
    for number in range(24):
        dataset, subjects = (("casme2", ("sub01", "sub17")), ("smic", ("s01", "s03")), ("samm", ("006", "011")))[
            number % 3
        ]
        subject, clip = subjects[number // 3 % 2], f"{number}_2"
        image = flow(number)
        image[..., 1] //= 1 + number % 3
        path = images / f"{subject}_{clip} .png"
        path.write_bytes(png(image))
        # The digest of a file that has just changed is not remembered.
        os.utime(path, (1.6e9, 1.6e9))
        label, apex = number // 6 % 3, str(50 + number)
        lines.append(f"{dataset},{subject},{clip},{label},{apex},{subject}_{clip}.jpg,")
    (folder / "flow.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _done(said: Said, folder: Path) -> None:
    if said.code:
        raise RuntimeError(f"the example {folder.name} could not be made: {said.err}")


def _evaluated(*options: str) -> Callable[[Path, Workshop], tuple[object, ...]]:
    def command(folder: Path, shop: Workshop) -> tuple[object, ...]:
        data = f"flow:{shop.path('flow') / 'norm_u_v_os'}"
        return ("evaluate", "--data", data, *options, "--out", folder, "--cache", shop.cache, "--jobs", 1)

    return command


PROTOCOL = ("--protocol", "subject-kfold,folds=2")
RUN = _evaluated("--model", "pca_logistic", *PROTOCOL)
NET = _evaluated("--model", "ststnet", *PROTOCOL, "--epochs", "1", "--watch")


def _sweep(folder: Path, shop: Workshop) -> tuple[object, ...]:
    data = f"flow:{shop.path('flow') / 'norm_u_v_os'}"
    grid = ("--model", "pca_logistic", "--grid", "protocol.folds=2,3", "--protocol", "subject-kfold")
    return ("sweep", "--data", data, *grid, "--out", folder, "--cache", shop.cache, "--jobs", 1)


def _study(folder: Path, shop: Workshop) -> tuple[object, ...]:
    data = f"flow:{shop.path('flow') / 'norm_u_v_os'}"
    choice = ("--only", "mixed", "--epochs", 1, "--folds", 2)
    return ("study", "leakage", "--data", data, *choice, "--out", folder, "--cache", shop.cache, "--jobs", 1)


def _by(command: Callable[[Path, Workshop], tuple[object, ...]]) -> Callable[[Path, Workshop], None]:
    return lambda folder, shop: _done(verb(*command(folder, shop)), folder)


def _definition(folder: Path, _: Workshop) -> None:
    folder.mkdir()
    content = {
        "title": "Folds",
        "paper": "",
        "recipe": "flow",
        "model": "pca_logistic",
        "protocol": "subject-kfold",
        "scheme": "megc2019",
        "grids": [{"title": "Folds", "fields": {"protocol.folds": [2, 3]}}],
    }
    (folder / "sweep.json").write_text(json.dumps(content), encoding="utf-8")


def _model(folder: Path, shop: Workshop) -> None:
    unit = next((shop.path("net") / "units").iterdir())
    folder.mkdir()
    for name in ("model.safetensors", "config.json"):
        shutil.copy(unit / name, folder / name)


def _shallow_model(folder: Path, shop: Workshop) -> None:
    unit = next((shop.path("run") / "units").iterdir())
    folder.mkdir()
    for name in ("model.safetensors", "config.json"):
        shutil.copy(unit / name, folder / name)


def _cache(folder: Path, shop: Workshop) -> None:
    _prepared(shop, folder)


def _prepared(shop: Workshop, root: Path) -> Any:
    from fleeting.datasets import load_clips
    from fleeting.sequences import create_recipe, prepare

    clips = load_clips([f"flow:{shop.path('flow') / 'norm_u_v_os'}"])[:4]
    # The digest of a file that has just changed is not remembered otherwise.
    with mock.patch("fleeting.clips.frames.SETTLED_NS", 0):
        return prepare(clips, create_recipe("flow"), root=root)


def _log(folder: Path, shop: Workshop) -> None:
    from fleeting.experiments import RunFolder
    from fleeting.metrics import write_challenge_log

    folder.mkdir()
    table = RunFolder(shop.path("run")).predictions()
    write_challenge_log(folder / "log.txt", table)


def _recording(seconds: float, fps: float) -> Any:
    from fleeting.synthesis import list_identities, make_recording

    still = {"macro": 0, "turn": 0, "absence": 0, "cut": 0, "speech": 0}
    return make_recording(
        list_identities()[21],
        seconds=seconds,
        fps=fps,
        micro=30,
        amplitude=(2.0, 3.0),
        size=(128, 160),
        colour=False,
        seed=4,
        **still,
    )


def _frames(folder: Path, _: Workshop) -> None:
    """Two seconds of a recording as a folder of pictures."""
    import cv2

    folder.mkdir()
    frames = _recording(4.0, 30.0).frames
    for number in range(60):
        cv2.imwrite(str(folder / f"img_{number:05d}.png"), frames[number])


def _film(folder: Path, shop: Workshop) -> None:
    import cv2

    folder.mkdir()
    pictures = [cv2.imread(str(path)) for path in sorted(shop.path("frames").iterdir())[:12]]
    height, width = pictures[0].shape[:2]
    writer = cv2.VideoWriter(str(folder / "film.mp4"), cv2.VideoWriter_fourcc(*"mp4v"), 30.0, (width, height))
    for picture in pictures:
        writer.write(picture)
    writer.release()


def _analyze(folder: Path, shop: Workshop) -> tuple[object, ...]:
    return ("analyze", shop.path("frames"), "--fps", 30, "--out", folder, "--no-explain", "--no-video")


def _stopped(folder: Path, shop: Workshop) -> None:
    from fleeting.analysis import AnalysisObserver, analyze

    class Stopper(AnalysisObserver):
        def frame(self, frame: Any, faces: Any, measured: Any) -> None:
            self.stopping = frame.number >= 52

    with contextlib.suppress(KeyboardInterrupt):
        analyze(shop.path("frames"), folder, fps=30, explain=False, video=False, observer=Stopper())


def _synthetic(layout: str) -> Callable[[Path, Workshop], None]:
    def build(folder: Path, _: Workshop) -> None:
        from fleeting.synthesis import write_dataset

        write_dataset(folder, layout=layout, **_SMALL)

    return build


_SMALL: dict[str, Any] = {"subjects": 2, "clips_per_subject": 1, "size": (70, 85), "fps": 25, "image_format": None}


def _look_alike(name: str) -> Callable[[Path, Workshop], None]:
    def build(folder: Path, _: Workshop) -> None:
        import look_alike_casme2
        import look_alike_long
        import look_alike_samm
        import look_alike_smic

        writers = {
            "casme2": look_alike_casme2.write,
            "smic": look_alike_smic.write,
            "samm": look_alike_samm.write,
            "samm-long": look_alike_long.write_samm,
            "casme-squared": look_alike_long.write_casme,
        }
        writers[name](folder)

    return build


def _own(folder: Path, _: Workshop) -> None:
    """Clips of one's own with their table."""
    from tiny import write_frames

    lines = ["subject,clip,onset,apex,offset,emotion,fps,action_units"]
    for subject in ("001", "NA"):
        for clip in ("a", "b"):
            write_frames(folder / subject / clip, "img_{:03d}.png", range(6))
            lines.append(f"{subject},{clip},1,3,5,happiness,60,AU12")
    (folder / "clips.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _recordings(folder: Path, _: Workshop) -> None:
    """Long videos of one's own with their tables."""
    from tiny import write_frames

    for name in ("a", "b"):
        write_frames(folder / "001" / name, "img_{:03d}.png", range(40))
    (folder / "recordings.csv").write_text(
        "subject,recording,file,fps\n001,a,001/a,30\n001,b,001/b,30\n", encoding="utf-8"
    )
    (folder / "events.csv").write_text(
        "subject,recording,onset,apex,offset,kind,emotion,action_units\n"
        "001,a,3,5,9,micro,happiness,AU12\n001,a,12,15,20,,surprise,AU1\n001,b,5,,30,macro,,\n",
        encoding="utf-8",
    )


def _long(folder: Path, _: Workshop) -> None:
    from fleeting.synthesis import write_recordings

    write_recordings(folder, **_LONG)


_LONG: dict[str, Any] = {"subjects": 1, "seconds": 5, "fps": 10, "size": (70, 85), "form": "png", "seed": 1}


def _composite(folder: Path, shop: Workshop) -> None:
    _done(verb(*_synth_composite(folder, shop)), folder)


def _synth_composite(folder: Path, shop: Workshop) -> tuple[object, ...]:
    return ("synth-composite", folder, "--scale", 0.01, "--cache", shop.cache, "--jobs", 1)


# What reads it.


def _ran(command: Callable[[Path, Workshop], tuple[object, ...]]) -> Reader:
    return lambda folder, shop: verb(*command(folder, shop)) and None


def _report(folder: Path, _: Workshop) -> None:
    verb("report", folder)


def _report_study(folder: Path, shop: Workshop) -> None:
    """Render a study; tables that are not those that it wrote must not be shown without a word."""
    said = verb("report", folder)
    whole = shop.path(folder.name)
    if said.code or (folder / "study.json").read_bytes() != (whole / "study.json").read_bytes():
        return
    page = (folder / "report.html").read_text(encoding="utf-8")
    for table in (whole / "tables").iterdir():
        now = folder / "tables" / table.name
        if now.is_file() and "could not be read" not in page and _answers(now) != _answers(table):
            raise BelievedError("a table that was changed after it was written is shown without a warning")


def _report_run(folder: Path, shop: Workshop) -> None:
    """Score and render a run; answers that are lost, there twice or changed must not be scored without a word."""
    said = verb("report", folder)
    if said.code or "warning" in said.err:
        return
    whole = shop.path(folder.name)
    for unit in (whole / "units").iterdir():
        name = Path("units", unit.name, "predictions.csv")
        if (folder / name).is_file() and _answers(folder / name) != _answers(whole / name):
            raise BelievedError("answers that were changed after the unit had ended are scored without a warning")


def _answers(path: Path) -> list[list[str]]:
    text = path.read_bytes().decode("utf-8-sig", "replace")
    return [row for row in csv.reader(text.splitlines()) if row]


def _partial(folder: Path, _: Workshop) -> None:
    verb("report", folder, "--partial")


def _compare(folder: Path, shop: Workshop) -> None:
    verb("compare", folder, shop.path("log") / "log.txt", "--permutations", 20)


def _compare_log(folder: Path, shop: Workshop) -> None:
    verb("compare", folder / "log.txt", shop.path("run"), "--permutations", 20)


def _models(folder: Path, _: Workshop) -> None:
    """Load every network of a run or a folder and ask it."""
    from fleeting.experiments import load_models

    for model in load_models(folder):
        shape = model.spec.shape
        clip = np.zeros((1, shape.n_frames, shape.height, shape.width, shape.in_channels), np.uint8)
        answer = model.predict_proba(clip)
        if not np.isfinite(answer).all():
            raise BelievedError("probabilities that are not numbers")
        _ = model.synthetic, model.recipe, model.motion


def _spotter(folder: Path, _: Workshop) -> None:
    from fleeting.analysis import load_spotter

    load_spotter(folder / "model.safetensors")


def _predicted(folder: Path, shop: Workshop) -> None:
    verb("predict", shop.path("frames"), "--fps", 30, "--model", folder)


def _check(kind: str, below: str = "") -> Reader:
    return lambda folder, _: verb("data", "check", kind, folder / below) and None


def _load(kind: str, below: str = "") -> Reader:
    def read(folder: Path, _: Workshop) -> None:
        from fleeting.clips import clips_table
        from fleeting.datasets import load_clips
        from fleeting.errors import ClipReadError

        clips = load_clips([f"{kind}:{folder / below}"])
        clips_table(clips)
        for clip in clips[:4]:
            with contextlib.suppress(ClipReadError):
                _ = clip.frames[0]

    return read


def _check_own(folder: Path, _: Workshop) -> None:
    """Clips of one's own: a row is used or named, never swallowed."""
    said = verb("data", "check", "folder", folder, "--json")
    if said.code:
        return
    report = json.loads(said.out)
    inside = folder.resolve()
    from fleeting.datasets import load_clips

    clips = load_clips([f"folder:{folder}"])
    for clip in clips:
        place = Path(getattr(clip.frames, "path", None) or getattr(clip.frames, "folder", inside))
        if not place.resolve().is_relative_to(inside):
            raise BelievedError(f"a clip outside its folder: {place}")
    if len(clips) < 4 and not report.get("problems"):
        raise BelievedError(f"{len(clips)} of 4 clips, and not a word of the others")


def _synthesise(layout: str) -> Reader:
    def read(folder: Path, shop: Workshop) -> None:
        _synthetic(layout)(folder, shop)

    return read


def _use_cache(folder: Path, shop: Workshop) -> None:
    """Prepare again from the damaged cache: the same arrays, or a clip that is left out."""
    want = _prepared(shop, shop.path("cache"))
    found = _prepared(shop, folder)
    expected = dict(zip(want.keys, want.array()))
    for key, array in zip(found.keys, found.array()):
        if key in expected and not np.array_equal(array, expected[key]):
            raise BelievedError(f"the damaged sequence {key} is used as if it were whole")


def _read_film(folder: Path, _: Workshop) -> None:
    from fleeting.clips import open_clip

    for _frame in open_clip(folder / "film.mp4").frames:
        pass


def _use_definition(folder: Path, shop: Workshop) -> None:
    """Read a sweep's definition; running one costs minutes when a mutant asks for much."""
    from fleeting.studies import sweep_definition

    sweep_definition(str(folder / "sweep.json"))


def _run_definition(folder: Path, shop: Workshop) -> None:
    data = f"flow:{shop.path('flow') / 'norm_u_v_os'}"
    where = ("--out", folder / "out", "--cache", shop.cache, "--jobs", 1)
    verb("sweep", "--data", data, "--definition", folder / "sweep.json", *where)


_COLLECTION = (
    "study.json",
    "collection.json",
    "tables/*.csv",
    "runs/*/run.json",
    "runs/*/summary.json",
    "runs/*/units/*/*",
)
_UNIT = ("units/*/predictions.csv", "units/*/unit.json", "units/*/config.json", "units/*/model.safetensors")
_FLOW = "norm_u_v_os"

EXAMPLES: dict[str, Example] = {
    "flow": Example(
        _flow, ("flow.csv", "flow.csv", "*/*.png"), {"check": _check("flow", _FLOW), "load": _load("flow", _FLOW)}
    ),
    "run": Example(
        _by(RUN),
        ("run.json", "summary.json", "*.csv", "samples/*", *_UNIT, "units/*/predictions.csv", "units/*/history.csv"),
        {"report": _report_run, "partial": _partial, "compare": _compare, "resume": _ran(RUN), "models": _models},
        6,
    ),
    "net": Example(
        _by(NET),
        ("run.json", *_UNIT, "units/*/history.csv", "units/*/watched.csv"),
        {"report": _report_run, "resume": _ran(NET), "models": _models},
        2,
    ),
    "sweep": Example(_by(_sweep), _COLLECTION, {"report": _report_study, "resume": _ran(_sweep)}, 2),
    "study": Example(_by(_study), _COLLECTION, {"report": _report_study, "resume": _ran(_study)}, 2),
    "definition": Example(_definition, ("sweep.json",), {"read": _use_definition}, 2),
    "model": Example(
        _model, ("config.json", "model.safetensors"), {"models": _models, "spotter": _spotter, "predict": _predicted}, 4
    ),
    "shallow model": Example(_shallow_model, ("config.json", "model.safetensors"), {"models": _models}, 2),
    "cache": Example(_cache, ("*/*.npy", "*/*.npy", "*/*.json", "digests/*"), {"prepare": _use_cache}, 4),
    "log": Example(_log, ("log.txt",), {"compare": _compare_log}),
    "frames": Example(_frames, ("*",), {"check": lambda folder, shop: _read_frames(folder)}, 1),
    "film": Example(_film, ("film.mp4",), {"read": _read_film}, 1),
    "analysis": Example(
        _by(_analyze),
        ("analysis.json", "analysis.json", "events.csv", "frames.csv", "strips/*"),
        {"report": _report, "resume": lambda folder, shop: verb(*_analyze(folder, shop), "--resume") and None},
        5,
    ),
    "stopped": Example(
        _stopped,
        ("analysis.json", "events.csv", "frames.csv", "resume.npz"),
        {"report": _report, "resume": lambda folder, shop: verb(*_analyze(folder, shop), "--resume") and None},
        3,
    ),
    "plain": Example(
        _synthetic("plain"),
        ("clips.csv", "synthetic.json", "truth/*"),
        {"check": _check("synthetic"), "load": _load("synthetic"), "synth": _synthesise("plain")},
        3,
    ),
    "composite": Example(
        _composite,
        ("*.csv", "*.json", "*.png"),
        {"check": _check("flow"), "again": _ran(_synth_composite)},
    ),
    "own": Example(_own, ("clips.csv", "clips.csv", "*/*/*"), {"check": _check_own, "load": _load("folder")}, 3),
    "recordings": Example(
        _recordings,
        ("recordings.csv", "events.csv"),
        {"check": _check("recordings"), "load": _load("recordings")},
    ),
    "long": Example(
        _long,
        ("*.csv", "recordings.json"),
        {"check": _check("recordings"), "again": lambda folder, shop: _long(folder, shop)},
    ),
    **{
        kind: Example(
            _look_alike(kind),
            ("**/*.bmp",) if kind == "smic" else ("*.xlsx", "*.xlsx", "**/*.jpg"),
            {"check": _check(kind), "load": _load(kind)},
        )
        for kind in ("casme2", "smic", "samm", "samm-long", "casme-squared")
    },
    **{
        f"synthetic {layout}": Example(
            _synthetic(layout),
            ("synthetic.json", "truth/*") if layout == "smic" else ("synthetic.json", "truth/*", "*.xlsx"),
            {"check": _check(layout), "synth": _synthesise(layout)},
            1,
        )
        for layout in ("casme2", "smic", "samm")
    },
}


def _read_frames(folder: Path) -> None:
    from fleeting.clips import open_clip, read_each

    clip = open_clip(folder, fps=30.0)
    for _frame in read_each(clip.frames, range(len(clip))):
        pass


def files_of(example: Example, folder: Path) -> Iterator[tuple[str, list[Path]]]:
    """The files of an example's folder, by pattern; patterns that match nothing are left out."""
    for pattern in example.files:
        found = sorted(path for path in folder.glob(pattern) if path.is_file())
        if found:
            yield pattern, found
