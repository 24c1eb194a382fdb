"""The scripts of benchmarks/ run, on tiny clips and without Keras; what they time is not looked at."""

import csv
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
SCRIPTS = Path(__file__).resolve().parents[1] / "benchmarks"


def run(script, *arguments, **environment):
    done = subprocess.run(
        [sys.executable, str(SCRIPTS / script), *map(str, arguments)],
        capture_output=True,
        text=True,
        encoding="utf-8",
        env={**os.environ, "PYTHONIOENCODING": "utf-8", **environment},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_steps_without_keras_measures_the_rest_and_says_so(tmp_path):
    out = run(
        "steps.py",
        *("--small", "--models", "modified_micro_exp_stcnn", "--stacks", "keras,fleeting,fleeting-plain"),
        *("--rounds", 2, "--seconds", 0.01, "--keras-python", tmp_path / "absent"),
        *("--core", min(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 0),
    )
    assert "No Keras" in out and "make bench" in out
    rows = {line.split("`")[1]: line.split("|") for line in out.splitlines() if line.startswith("| `")}
    assert set(rows) == {"fleeting", "fleeting-plain"}
    # The last row is that of the ratios to `fleeting`.
    assert float(rows["fleeting-plain"][2].split()[0]) > 0


def test_table4_shows_the_arithmetic_of_all_folds():
    out = run("table4.py", "--small", "--models", "model_b", "--sources", "casme2", "--epochs", 2)
    row = next(line.split("|") for line in out.splitlines() if line.startswith("| model_b"))
    # 123 clips, of which a fold trains on 98 or 99.
    assert row[3].strip() == "98" and row[4].strip() == "5"
    assert row[7].count("+") == 4
    assert "5 units" in out


def test_exam_shows_the_arithmetic_and_runs_the_command_whole():
    out = run("exam.py", "--small", "--rounds", 2, "--epochs", 1)
    ratios = {line.split("`")[1]: line.split("|")[3] for line in out.splitlines() if line.startswith("| `")}
    assert set(ratios) == {"plain", "fleeting", "fleeting-plain"}
    assert float(ratios["plain"].split()[0]) > 0
    assert "outputs agree to" in out
    assert "`pca_logistic`: 3 folds, the whole command" in out


def test_costs_writes_a_table_and_a_plot(tmp_path):
    run("costs.py", "--small", "--out", tmp_path)
    with (tmp_path / "costs.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert {row["axis"] for row in rows} == {"clips", "frames", "side"}
    assert all(float(row[name]) > 0 for row in rows for name in ("epoch_s", "predict_ms", "peak_mib"))
    assert (tmp_path / "costs.png").read_bytes().startswith(b"\x89PNG")


# Nothing is left over by the poolings at these sizes, so that what they use is everything.
COUNTED = {
    "model_a": (9, 18, 27),
    "model_b": (20, 11, 14),
    "model_c": (18, 9, 27),
    "modified_micro_exp_stcnn": (14, 8, 20),
}
COUNT = """
import json, sys
import torch
from torch.utils.flop_counter import FlopCounterMode
from fleeting.models import create_model
found = {}
for name, (frames, height, width) in json.loads(sys.argv[1]).items():
    model, x = create_model(name, n_frames=frames, height=height, width=width), torch.randn(2, 1, frames, height, width)
    with FlopCounterMode(display=False) as inference:
        model.eval()(x)
    with FlopCounterMode(display=False) as step:
        torch.nn.functional.cross_entropy(model.train()(x), torch.tensor([0, 1])).backward()
    found[name] = inference.get_total_flops(), step.get_total_flops()
print(json.dumps(found))
"""


def test_the_arithmetic_floor_is_what_torch_counts(monkeypatch):
    monkeypatch.syspath_prepend(str(SCRIPTS))
    from _networks import NETWORKS

    counted = subprocess.run(
        [sys.executable, "-c", COUNT, json.dumps(COUNTED)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "FLEETING_KERNELS": "0"},
    )
    found = json.loads(counted.stdout)
    assert set(found) == set(NETWORKS)
    for name, (inference, step) in found.items():
        network = NETWORKS[name].at(size=COUNTED[name], batch=2)
        assert network.inference_flops(2) == inference
        # Without normalisation PyTorch still computes the weight gradient as if the whole output had one.
        spared = 0 if network.norm else inference - 2 * network._dense()
        assert network.step_flops() == step - spared


def test_composite_difficulty_scores_each_model_and_seed():
    out = run("composite_difficulty.py", "--scale", 0.01, "--seeds", 3, "--epochs", 1, "--jobs", 1)
    rows = [line.split("|") for line in out.splitlines() if line.startswith("| 3 |")]
    assert [(row[2].strip(), row[3].strip()) for row in rows] == [
        ("pca_logistic", "cde"),
        ("pca_logistic", "stratified-kfold"),
        ("ststnet", "subject-kfold"),
    ]
    assert all(0 <= float(part) <= 1 for row in rows for cell in row[4:8] for part in cell.split("/"))


def test_the_methods_of_the_exam_stand_in_one_table(tmp_path):
    arguments = ("--seeds", 3, "--scale", 0.02, "--epochs", 1, "--models", "pca_logistic", "ststnet", "--jobs", 1)
    out = run("exam_methods.py", *arguments, "--out", tmp_path)
    rows = {line.split("|")[1].strip(): line.split("|") for line in out.splitlines() if line.startswith("| ")}
    assert set(rows) == {"method", "pca_logistic", "ststnet"}
    assert 0 <= float(rows["pca_logistic"][2].split()[0]) <= 1
    # The floor is tested against the network, and the network against nothing.
    assert 0 < float(rows["pca_logistic"][-3]) <= 1 and not rows["ststnet"][-3].strip()
    assert (tmp_path / "seed3" / "flow" / "synthetic.json").is_file()


@pytest.mark.skipif(sys.platform != "linux", reason="forks, and limits what a process may write")
def test_kills_counts_what_becomes_of_them():
    out = run("kills.py", "--commands", "synth-long", "--every", 5, "--moments", 1)
    assert re.search(r"^[4-5] kills: 0 stuck, 0 with another result$", out, re.MULTILINE), out


def test_mutants_counts_how_they_end():
    # The first seeds damage what is mended.
    out = run("mutants.py", "--mutants", 1, "--command-lines", 4, "--jobs", 1)
    assert "1 mutants" in out and "4 command lines" in out
    assert [
        int(n) for n in re.findall(r"^\| (?:traceback|internal error|hang|crash) \| (\d+) \|$", out, flags=re.M)
    ] == [0] * 8
