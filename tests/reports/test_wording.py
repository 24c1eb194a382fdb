"""The page calls a split what the protocol calls it, and says how much of the data was tested."""

import re

import pytest

from fleeting.protocols import create_protocol
from fleeting.records import ProtocolPart, RunHead, UnitRecord, read_predictions, write_predictions
from fleeting.reports import render_report


def page_text(path, protocol, units=None, times=1):
    """The page's text after the run was given another protocol, the first ``units`` units, and answers ``times`` over."""
    head = RunHead.read(path / "run.json")
    config = head.config.model_copy(update={"protocol": ProtocolPart(**protocol)})
    head = head.model_copy(update={"config": config, "units": head.units[:units]})
    head.write(path / "run.json")
    if times > 1:
        folders = [path / "units" / unit.key for unit in head.units]
        first = UnitRecord.read(folders[0] / "unit.json")
        rows = read_predictions(folders[0] / "predictions.csv", first)
        for folder in folders[1:]:
            same = {"predictions_sha256": write_predictions(folder / "predictions.csv", rows), "n_test": first.n_test}
            UnitRecord.read(folder / "unit.json").model_copy(update=same).write(folder / "unit.json")
    html = render_report(path).read_text(encoding="utf-8")
    return re.sub(r"\s+", " ", re.sub(r"<style.*?</style>|<script.*?</script>|<[^>]+>", " ", html, flags=re.DOTALL))


def test_a_single_hold_out_is_a_split_that_leaves_clips_untested(write_run):
    text = page_text(write_run(independent=False), create_protocol("holdout").describe(), units=1)
    assert "holdout: one split, 20 % of the clips held out, people mixed" in text
    assert (
        "1 of 1 splits finished" in text and "Mean of splits" in text and "Subjects mixed in training and test" in text
    )
    assert re.search(r"The other \d\d clips of the data were not tested\.", text)
    assert "folds" not in text.lower().split("every setting")[0]


def test_clips_that_are_tested_several_times_are_not_counted_as_more_clips(write_run):
    told = create_protocol("cross-dataset", source="casme2", target="synthetic").describe()
    text = page_text(write_run(), told, times=5)
    assert "cross-dataset: trained 5 times on 4/5 of casme2, each time tested on all of synthetic" in text
    tested = re.search(r"recognised \d+ of (\d+) test answers about (\d+) clips", text)
    assert tested and int(tested[1]) == 5 * int(tested[2])
    assert "5 of 5 folds finished" in text


@pytest.mark.parametrize(("protocol", "says"), [
    ({"name": "loso", "sentence": "leave one subject out", "subject_independent": True}, "loso: leave one subject out"),
    ({"name": "subject-kfold", "folds": 5, "subject_independent": True}, "subject-kfold: 5 folds, no person in"),
    ({}, "not recorded: 5 folds, people mixed"), ({"noun": "round"}, "not recorded: 5 folds"),
])  # fmt: skip
def test_older_runs_are_described_by_their_units(write_run, protocol, says):
    assert says in page_text(write_run(), protocol)
