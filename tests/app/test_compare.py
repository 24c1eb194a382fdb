"""`fleeting compare` on runs and logs that are written by hand."""

import json

import numpy as np
import pandas as pd
import pytest

from fleeting.app.cli import main
from fleeting.metrics import paired_permutation_test, read_challenge_log, uf1, write_challenge_log

CLASSES = ["negative", "positive", "surprise"]


def answers(skill, seed=0, people=6):
    rng = np.random.default_rng(seed)
    labels = np.array(CLASSES * 2 * people * 2)
    table = pd.DataFrame(
        {
            "dataset": np.repeat(["samm", "smic"], 6 * people),
            "subject": [f"{i // 6 % people:03d}" for i in range(len(labels))],
            "clip": [f"c{i:03d}" for i in range(len(labels))],
            "label": labels,
        }
    )
    return table.assign(prediction=np.where(rng.random(len(labels)) < skill, labels, rng.choice(CLASSES, len(labels))))


@pytest.fixture(scope="module")
def write_run(write_answers):
    def write(path, table, classes=CLASSES, finished=True):
        return write_answers(path, table, classes=classes, finished=None if finished else 0).path

    return write


@pytest.fixture(scope="module")
def places(write_run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("vergleich ü")
    write_run(folder / "good", answers(0.9, 1))
    write_challenge_log(folder / "weak.txt", answers(0.4, 2))
    return folder


def test_a_run_and_a_log_side_by_side(places, tmp_path, capsys):
    out = tmp_path / "c.csv"
    call = ["compare", str(places / "weak.txt"), str(places / "good"), "--out", str(out), "--permutations", "500"]
    assert main(call) == 0
    text = capsys.readouterr().out
    weak, good = read_challenge_log(places / "weak.txt"), answers(0.9, 1)
    score = uf1(good["label"], good["prediction"])
    assert f"good      full     72      12  {score:.3f}  [" in text
    assert text.splitlines()[0].split() == ["method", "data", "clips", "people", "UF1", "UAR"]
    assert "minus weak.txt" in text and text.count("p = ") == 6
    paired = paired_permutation_test(good, weak, n=500, classes=CLASSES)
    assert paired.difference > 0
    assert f"{paired.difference:+.3f}  [{paired.low:+.3f}, {paired.high:+.3f}]  p = {paired.p_value:.4f}" in text
    table = pd.read_csv(out, keep_default_na=False, na_values=[""])
    assert table["method"].tolist() == ["weak.txt"] * 3 + ["good"] * 3
    assert table["uf1_difference"].isna().tolist() == [True] * 3 + [False] * 3
    assert main([*call, "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert rows[0]["uf1_p"] is None and rows[3]["uf1_p"] == pytest.approx(paired.p_value)
    assert rows[3]["dataset"] == "" and rows[4]["dataset"] == "samm" and rows[4]["n_subjects"] == 6
    smic = [t[t["dataset"] == "smic"] for t in (good, weak)]
    assert rows[5]["uar_p"] == pytest.approx(paired_permutation_test(*smic, "uar", n=500, classes=CLASSES).p_value)


def test_one_alone_has_no_differences(places, capsys):
    assert main(["compare", str(places / "good")]) == 0
    text = capsys.readouterr().out
    assert len(text.splitlines()) == 4 and "minus" not in text


def test_what_cannot_be_compared(places, write_run, tmp_path, capsys):
    def refused(*arguments):
        code = main(["compare", *map(str, arguments)])
        captured = capsys.readouterr()
        assert code in (1, 2) and captured.out == "" and "Traceback" not in captured.err
        return " ".join(captured.err.split())

    good = places / "good"
    fewer = write_run(tmp_path / "fewer", answers(0.9, 1).iloc[:-6])
    assert "did not answer the same clips: 6 only in the second (smic/005/c066" in refused(good, fewer)
    assert "fewer (the first) against good (the second)" in refused(good, fewer)
    relabelled = answers(0.9, 1).replace({"label": {"positive": "surprise"}})
    assert "true labels of 24 clips differ" in refused(good, write_run(tmp_path / "other", relabelled))
    words = [*CLASSES, "others"]
    assert "expected methods of the same classes" in refused(good, write_run(tmp_path / "four", answers(0.5), words))
    assert "not finished" in refused(write_run(tmp_path / "part", answers(0.5), finished=False))
    assert "given more than once" in refused(good, good)
    assert "does not exist" in refused(good, tmp_path / "none")
    assert "no run.json" in refused(tmp_path)
    (tmp_path / "cut.txt").write_text("smic s01\ns01_ne_01 0\n")
    assert "line 2" in refused(tmp_path / "cut.txt")
    assert "ends in .csv" in refused(good, "--out", tmp_path / "x.xlsx")
    assert "from 1 to" in refused(good, "--permutations", 0)


def test_runs_of_one_name_are_told_apart_by_their_folders(places, write_run, tmp_path, capsys):
    again = write_run(tmp_path / "good", answers(0.9, 1))
    assert main(["compare", str(places / "good"), str(again)]) == 0
    text = capsys.readouterr().out
    assert str(again) in text and str(places / "good") in text
    assert "+0.000  [+0.000, +0.000]  p = 1.0000" in text


def test_a_spreadsheet_runs_nothing_in_the_table(write_run, tmp_path, capsys):
    run = write_run(tmp_path / "=1+1", answers(0.9, 1))
    assert main(["compare", str(run), "--permutations", "10", "--out", str(tmp_path / "c.csv")]) == 0
    assert "\n'=1+1," in (tmp_path / "c.csv").read_text(encoding="utf-8")
    assert "\n=1+1  " in capsys.readouterr().out
