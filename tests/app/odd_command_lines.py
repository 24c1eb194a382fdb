"""Command lines that cannot be carried out, whatever the machine: each must end with exit code 1 or 2 and a sentence.

Words in braces stand for places that :func:`write_places` makes.
"""

from __future__ import annotations

import os
from pathlib import Path

HUGE = "9" * 23
LONG = "n" * 300
DIGITS = "7" * 5000
SET = ["--data", "synthetic:{set}"]
SMALL = ["--recipe", "talluri2022,frames=9,height=32,width=32", "--epochs", "1", "--jobs", "1"]
EVALUATE = ["evaluate", *SET, *SMALL, "--out", "{out}"]
TRAIN = ["train", *SET, *SMALL, "--out", "{out}"]
SWEEP = ["sweep", *SET, *SMALL[:2], "--jobs", "1", "--out", "{out}"]
SYNTH = ["synth", "{out}", "--jobs", "1"]
LONGER = ["synth-long", "{out}", "--jobs", "1"]
STUDY = ["study", "talluri2022", "--out", "{out}"]
LEAKAGE = ["study", "leakage", *SET, "--jobs", "1", "--out", "{out}"]
ANALYZE = ["analyze", "{clip}", "--out", "{out}"]
SPOT = ["spot", "{clip}"]
PREDICT = ["predict", "{clip}"]
COMPARE = ["compare", "{log}", "{log2}"]
FLOW = ["flow-folder", "{out}", *SET, "--jobs", "1"]
# Folders that nothing can be written into.
NO_FOLDERS = ["{file}", "{file}/below", "{locked}/below", "{fifo}", "{full}", f"{{empty}}/{LONG}", "a\0b"]
# What is no recording.
NO_CLIPS = ["{missing}", "{empty}", "{file}", "{fifo}", "{video}", "{emptyvideo}", f"{{empty}}/{LONG}.mp4", "a\0b", ""]
# What is no folder of a run, a model or a study.
NO_RUNS = ["{missing}", "{empty}", "{file}", "{fifo}", "{brokenrun}", "{deeprun}", f"{{empty}}/{LONG}", "a\0b", ""]


def _each(command: list[str], option: str, *values: str) -> list[list[str]]:
    return [[*command, option, value] for value in values]


def _with_out(command: list[str], places: list[str] = NO_FOLDERS) -> list[list[str]]:
    return [[place if word == "{out}" else word for word in command] for place in places]


# fmt: off
ODD: list[list[str]] = [
    # Words that are no verb, no option, or nothing.
    ["evaluat"],
    ["--nonsense"],
    [""],
    ["\0"],
    ["synth"],
    ["synth", ""],
    ["synth", "{out}", "--out", "{empty}"],
    ["synth-long", "{out}", "--out", "{empty}"],
    ["synth-composite", "{out}", "--out", "{empty}"],
    ["flow-folder", "{out}", "--out", "{empty}", *SET],
    ["synth-long"],
    ["synth-composite"],
    ["flow-folder"],
    ["preprocess"],
    ["evaluate"],
    ["train"],
    ["spot"],
    ["predict"],
    ["analyze"],
    ["study", "meng2024"],
    ["sweep"],
    ["benchmark-spotting"],
    ["report"],
    ["compare"],
    ["data", "check"],
    ["data", "chek"],
    ["models", "--json=maybe"],
    ["models", ""],
    ["info", "extra"],
    ["export", "{missing}", "--format", "pb"],
    [*EVALUATE, "--json", "--json"],
    [*EVALUATE, "--epochs"],
    [*EVALUATE, "stray"],
    [*EVALUATE, "--emptydata"],
    # Plugins.
    ["--plugin"],
    ["--plugin", ""],
    ["--plugin="],
    ["--plugin", "--json", "models"],
    ["--plugin", "{missing}", "models"],
    ["--plugin", "{empty}", "models"],
    ["--plugin", "{fifo}", "models"],
    ["--plugin", "{fifo}.py", "models"],
    ["--plugin", "{file}", "models"],
    ["--plugin", f"{LONG}.py", "models"],
    ["--plugin", f"{{empty}}/{LONG}.py", "models"],
    ["--plugin", "a\0b.py", "models"],
    ["--plugin", "{plugin}", "models"],
    ["--plugin", "{plugin}/below.py", "models"],
    ["--plugin", "no.such.module", "models"],
    ["--plugin", "..", "models"],
    # Synthetic sets.
    *_each(SYNTH, "--subjects", "0", "-1", "1e3", "nan", "1" + "0" * 30, DIGITS, "", "two", "1.5"),
    *_each(SYNTH, "--clips-per-subject", "0", "-3", HUGE, "x"),
    *_each(SYNTH, "--seed", "-1", HUGE, DIGITS, "0.5", "zero"),
    *_each(SYNTH, "--fps", "0", "-25", "nan", "inf", "-inf", "1e300", "fast", ""),
    *_each(SYNTH, "--emotions", "", ",", "joy", "happiness,happiness", "happiness,joy", "\x1b[2J"),
    *_each(SYNTH, "--portraits", *NO_CLIPS[:4], "", "{full}"),
    *_each(SYNTH, "--first-subject", "-1", HUGE),
    *_each(SYNTH, "--jobs", "-1", HUGE, "many"),
    *_each(SYNTH, "--scale", "0.5", "nan", "0"),
    *_each([*SYNTH, "--layout", "smic", "--look-alike"], "--scale", "0", "-1", "nan", "inf", "1e9"),
    [*SYNTH, "--look-alike"],
    [*SYNTH, "--look-alike", "--layout", "casme2", "--subjects", "3"],
    [*SYNTH, "--layout", "casme3"],
    [*SYNTH, "--layout", ""],
    [*SYNTH, "--amplitude", "3", "1"],
    [*SYNTH, "--amplitude", "nan", "nan"],
    [*SYNTH, "--amplitude", "1", "inf"],
    [*SYNTH, "--amplitude", "-1", "2"],
    [*SYNTH, "--amplitude", "1e300", "1e301"],
    [*SYNTH, "--amplitude", "1"],
    *_with_out(["synth", "{out}", "--subjects", "1", "--clips-per-subject", "1", "--jobs", "1"]),
    *_each(LONGER, "--seconds", "0", "-1", "nan", "inf", "1e300"),
    *_each(LONGER, "--fps", "0", "-1", "nan", "inf", "1e300"),
    *_each(LONGER, "--micro", "-1", "nan", "1e9"),
    *_each(LONGER, "--noise", "-1", "inf"),
    *_each(LONGER, "--motion", "-1", "nan", "1e9"),
    *_each(LONGER, "--subjects", "0", HUGE),
    *_each(LONGER, "--recordings-per-subject", "0", "-2"),
    *_each(LONGER, "--format", "gif", ""),
    [*LONGER, "--size", "0", "0"],
    [*LONGER, "--size", "-4", "9"],
    [*LONGER, "--size", HUGE, "2"],
    *_with_out(["synth-long", "{out}", "--subjects", "1", "--seconds", "3", "--fps", "10", "--jobs", "1"]),
    *_each(["synth-composite", "{out}", "--jobs", "1"], "--scale", "0", "-1", "nan", "inf", "1e9", "x"),
    *_each(["synth-composite", "{out}", "--jobs", "1"], "--seed", "-1", HUGE),
    *_with_out(["synth-composite", "{out}", "--scale", "0.01", "--jobs", "1"], [p for p in NO_FOLDERS if p != "{full}"]),
    # Data sets.
    *[["data", "check", kind] for kind in ("casme2", ":", "casme2:", ":{set}", "casmy:{set}", "\x1b[2J:x")],
    ["data", "check", "synthetic:{set}", "{set}"],
    ["data", "check", "nope", "{set}"],
    ["data", "check", "", "{set}"],
    *[["data", "check", kind, place] for kind in ("casme2", "folder", "recordings", "flow") for place in NO_CLIPS[:4]],
    ["data", "check", "synthetic", f"{{empty}}/{LONG}"],
    ["data", "check", "samm", "{set}"],
    *[
        ["evaluate", "--data", data, *SMALL, "--out", "{out}"]
        for data in ("", ":", "x", "nope:{set}", "synthetic:", "synthetic:{missing}", "synthetic:{fifo}", "folder:{file}",
                     f"folder:{{empty}}/{LONG}", "folder:\0", "casme2:{set}", "flow:{fifo},{fifo}", "flow:{empty},")
    ],
    # Experiments.
    *_each(EVALUATE, "--seeds", HUGE, DIGITS, "-1", "", ",", "1,1", "0.5", "a", "²", "1 2", "1_0x"),
    *_each(EVALUATE, "--classes", "", ",", "happiness", "joy,anger", "happiness,happiness", "[/b]"),
    *_each(EVALUATE, "--scheme", "", "nobody2020", "\x1b[31m"),
    *_each(
        EVALUATE, "--model", "", ",", "model_x", "model_a,n_classes=4", "model_a,name=model_b", "model_a,dropout=2",
        "model_a,dropout=nan", "model_a,dropout=1e400", "model_a,n_frames=1000000000", "model_a,x=1", "model_a,dropout",
        "model_a,dropout=0.1,dropout=0.2", "model_a," + "[" * 5000 + "=1", "model_a,dropout=" + "[" * 5000, "model_a\0",
        f"model_a,dropout={DIGITS}", "pca_logistic,components=-1", f"pca_logistic,components={HUGE}",
    ),
    *_each(
        EVALUATE[:3] + EVALUATE[5:], "--recipe", "", ",", "nobody", "talluri2022,name=flow", "talluri2022,frames=0",
        "talluri2022,frames=-9", f"talluri2022,frames={HUGE}", "talluri2022,frames=1000000000", "talluri2022,frames=nan",
        "talluri2022,height=1e9", "talluri2022,frames", "talluri2022,step=0", "talluri2022,x=1",
        f"talluri2022,frames={DIGITS}",
        "talluri2022,version=9", "talluri2022,height=0", "talluri2022,width=-32", "flow,size=0", "flow,method=none",
    ),
    *_each(
        EVALUATE, "--protocol", "", ",", "nobody", "subject-kfold,folds=0", "subject-kfold,folds=-1",
        "subject-kfold,folds=1",
        f"subject-kfold,folds={HUGE}", "stratified-kfold,folds=nan", "holdout,test_size=0", "holdout,test_size=2",
        "holdout,test_size=inf", "repeated-holdout,repeats=0", f"holdout,seed={HUGE}", "holdout,seed=-1", "loso,x=1",
        "cross-dataset", "cross-dataset,source=a,target=b", "loso,name=x", "subject-kfold,folds=two", "holdout,seed=text",
    ),
    *_each(EVALUATE[:5] + EVALUATE[7:], "--epochs", "0", "-1", "nan", "1e3", HUGE, DIGITS),
    *_each(EVALUATE, "--learning-rate", "0", "-1", "nan", "inf", "1e300", "slow"),
    *_each(EVALUATE, "--batch-size", "0", "-4", HUGE, "4.5"),
    *_each(EVALUATE, "--clip-norm", "0", "-1", "nan", "inf"),
    *_each(EVALUATE, "--optimizer", "sdg", ""),
    *_each(EVALUATE, "--motion", "both"),
    *_each(EVALUATE, "--device", "gpu", "cuda:7"),
    *_each(EVALUATE, "--inner-folds", "0", "1", "-1", HUGE)[2:],
    *_each(EVALUATE, "--choose", "", "rate", "training.x=1", "training.learning_rate=", "model.dropout=2,3", "data.x=1",
           "training.learning_rate=nan,1", "training.epochs=0"),
    *_each(EVALUATE, "--choose-by", "f1"),
    *_each(EVALUATE, "--cache", "{fifo}", "{file}", "{file}/below", f"{{empty}}/{LONG}", "a\0b"),
    *_each(EVALUATE[:7], "--jobs", "-1", HUGE),
    *_with_out(EVALUATE),
    *_with_out(TRAIN, [p for p in NO_FOLDERS if p != "{full}"]),
    *_each(TRAIN, "--seed", "-1", HUGE, "x"),
    *_each(TRAIN, "--classes", "", "happiness"),
    [*TRAIN, "--model", "pca_logistic,n_classes=3"],
    *_each(SWEEP, "--grid", "", "x", "rate=1", "training.x=1,2", "training.epochs=", "training.epochs=0,1", "nobody.x=1",
           "training.epochs=1,1", "recipe.name=flow,talluri2022", "model.n_classes=4,5", "training.learning_rate=nan,1",
           f"training.epochs={HUGE},1", "protocol.folds=0"),
    [*SWEEP, "--grid", "model.dropout=0.1", "--grid", "model.dropout=0.2"],
    [*SWEEP],
    [*SWEEP, "--grid", "model.dropout=0.1", "--definition", "irawan2023"],
    *_each(SWEEP, "--definition", "", "nobody", "{missing}", "{empty}", "{fifo}", "{fifo}.json", "{file}", "{deep}",
           "{list}", "{latin}", "a\0b", f"{LONG}.json", "{huge}"),
    [*SWEEP, "--grid", "model.dropout=0.1", "--motion", "both"],
    [*SWEEP, "--grid", "model.dropout=0.1", "--seed", HUGE],
    *_with_out([*SWEEP, "--grid", "training.epochs=1"]),
    [*STUDY],
    [*STUDY, "--smic", "{missing}"],
    [*STUDY, "--smic", "{fifo}"],
    [*STUDY, "--smic", ""],
    [*STUDY, "--smic", "{set}", "--look-alike"],
    *_each([*STUDY, "--smic", "{set}"], "--only", "", "table9", "table4,table4"),
    *_each([*STUDY, "--smic", "{set}"], "--columns", "", "all"),
    *_each([*STUDY, "--smic", "{set}"], "--epochs", "0", "-1", HUGE),
    *_each([*STUDY, "--smic", "{set}"], "--seed", "-1", HUGE),
    *_each([*STUDY, "--look-alike"], "--scale", "0", "-1", "nan", "inf", "1e9"),
    *_with_out([*STUDY, "--smic", "{set}"], ["{file}", "{file}/below", "a\0b"]),
    [*LEAKAGE, "--look-alike"],
    *_each(LEAKAGE, "--folds", "0", "1", "-1", HUGE),
    *_each(LEAKAGE, "--only", "", "all"),
    *_each(LEAKAGE, "--model", "nobody", "ststnet,n_classes=4"),
    *_each(LEAKAGE, "--seed", "-1", HUGE),
    ["study", "leakage", "--out", "{out}"],
    # Recordings.
    *[["spot", place] for place in NO_CLIPS],
    *_each(SPOT, "--fps", "0", "-1", "nan", "inf", "1e300"),
    *_each(SPOT, "--method", "", "nobody", "motion,width=3", "ma2017,bins=0", "ma2017,bins=-1", f"ma2017,bins={HUGE}",
           "liong2015,radius=nan", "liong2015,radius=0", "motion,name=x", "motion,by=nothing"),
    *_each(SPOT, "--figure", "x.gif", "x", "{file}/x.png", f"{{empty}}/{LONG}.png"),
    *_each(SPOT, "--scores", "{file}/x.csv", "{empty}", f"{{empty}}/{LONG}.csv"),
    *[["predict", place] for place in NO_CLIPS],
    *_each(PREDICT, "--model", *NO_RUNS, "{set}", "{deep}"),
    *_each(PREDICT, "--fps", "0", "-1", "nan", "inf"),
    *_each(PREDICT, "--figure", "x.gif", "{file}/x.png"),
    *[["analyze", place, "--out", "{out}"] for place in NO_CLIPS],
    ["analyze", "99999999999999999999", "--out", "{out}"],
    ["analyze", DIGITS, "--out", "{out}"],
    ["analyze", "-1", "--out", "{out}"],
    ["analyze", "rtsp://", "--out", "{out}"],
    *_each(ANALYZE, "--fps", "0", "-1", "nan", "inf", "1e300"),
    *_each(ANALYZE, "--seconds", "0", "-1", "nan"),
    *_each(ANALYZE, "--face", "", "second", "-1", "1.5"),
    *_each(ANALYZE, "--spotter", "", "{missing}", "{empty}", "{file}", "{fifo}"),
    *_each(ANALYZE, "--model", *NO_RUNS),
    *_with_out(ANALYZE),
    [*ANALYZE, "--resume"],
    *_each(["preprocess", *SET, "--jobs", "1"], "--cache", "{file}", "{file}/below", "a\0b", f"{{empty}}/{LONG}"),
    ["preprocess", *SET, "--cache", "{empty}", "--out", "{empty}"],
    ["preprocess", "{clip}"],
    ["preprocess", "{clip}", *SET, "--show-steps", "x.png"],
    *_each(["preprocess", "{clip}"], "--show-steps", "x.gif", "{file}/x.png", "", "a\0b.png"),
    *[["preprocess", place, "--show-steps", "{out}.png"] for place in NO_CLIPS],
    *_each(FLOW, "--size", "0", "-1", HUGE, "1e3"),
    *_each(FLOW, "--method", "raft", ""),
    *_with_out(FLOW, [p for p in NO_FOLDERS if p != "{full}"]),
    *_each(["benchmark-spotting", "synthetic:{set}", "--jobs", "1"], "--methods", "", "nobody", "motion,x=1"),
    *[["benchmark-spotting", data] for data in ("", "x", "nope:{set}", "synthetic:{missing}", "synthetic:{fifo}")],
    # Results.
    *[["report", place] for place in NO_RUNS],
    *[["compare", place] for place in NO_RUNS],
    ["compare", "{log}", "{log}"],
    *_each(COMPARE, "--permutations", "0", "-1", HUGE, "many"),
    *_each(COMPARE, "--seed", "-1", HUGE),
    *_each([*COMPARE, "--permutations", "10"], "--out", "x.xlsx", "", "{file}/x.csv", f"{{empty}}/{LONG}.csv"),
    *[["export", place, "--out", "{out}.onnx"] for place in NO_RUNS],
    ["export", "--out", "{file}/model.onnx"],
    ["export", "--out", "{empty}"],
]
# fmt: on


def write_places(folder: Path) -> dict[str, str]:
    """Write what the words in braces stand for.

    Parameters
    ----------
    folder : pathlib.Path
        An empty folder.

    Returns
    -------
    dict of str to str
        Path by word; ``{out}`` is for the caller, a path that does not exist.
    """
    from fleeting.synthesis import write_dataset

    places = {name: folder / name for name in ("set", "missing", "empty", "full", "locked", "brokenrun", "deeprun")}
    places |= {name: folder / f"{name}.json" for name in ("deep", "list", "latin", "huge")}
    places |= {"file": folder / "file.txt", "fifo": folder / "fifo", "plugin": folder / "plugin.py"}
    places |= {"video": folder / "video.mp4", "emptyvideo": folder / "emptyvideo.mp4"}
    places |= {"log": folder / "one.txt", "log2": folder / "two.txt"}
    write_dataset(places["set"], subjects=2, clips_per_subject=3, seed=1, fps=30, size=(70, 85))
    places["clip"] = next(
        path for path in sorted(places["set"].glob("*/*")) if path.is_dir() and "truth" not in path.parts
    )
    for name in ("empty", "full", "brokenrun", "deeprun"):
        places[name].mkdir()
    # Root writes anywhere, but not below a file.
    places["locked"].write_bytes(b"")
    (places["full"] / "notes.txt").write_text("mine", encoding="utf-8")
    (places["brokenrun"] / "run.json").write_text('{"format": 1}', encoding="utf-8")
    places["deep"].write_text("[" * 100_000, encoding="utf-8")
    (places["deeprun"] / "run.json").write_text('{"a":' * 100_000, encoding="utf-8")
    places["list"].write_text("[]", encoding="utf-8")
    places["latin"].write_bytes('{"title": "ü"}'.encode("latin-1"))
    places["huge"].write_text('{"grids": [{"training.epochs": [1e999]}]}', encoding="utf-8")
    places["file"].write_text("text\n", encoding="utf-8")
    places["plugin"].write_text("raise RuntimeError('[/b]\\x1b[2J')\n", encoding="utf-8")
    places["video"].write_text("no video", encoding="utf-8")
    places["emptyvideo"].write_bytes(b"")
    for name in ("log", "log2"):
        places[name].write_text("smic s01\ns01_ne_01 0 1\ns01_po_01 1 1\n", encoding="utf-8")
    os.mkfifo(places["fifo"])
    for ending in (".py", ".json"):
        os.mkfifo(f"{places['fifo']}{ending}")
    return {name: str(path) for name, path in places.items()}


def fill(command: list[str], places: dict[str, str]) -> list[str]:
    """Put paths in the place of the words in braces."""
    for name, path in places.items():
        command = [word.replace(f"{{{name}}}", path) for word in command]
    return command
