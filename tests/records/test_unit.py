"""A unit's files belong together: answers that were lost, repeated or changed are an error that names the unit."""

import pytest

from fleeting.records import (
    ChoicePart,
    Collapse,
    HistoryRow,
    Majority,
    PredictionRow,
    RecordError,
    UnitRecord,
    WatchedAnswers,
    read_predictions,
    write_predictions,
)

ROWS = [
    PredictionRow(
        dataset="set",
        subject=f"00{number // 2}",
        clip=f"c{number}",
        label="a",
        prediction="ab"[number % 2],
        probabilities={"a": 0.75, "b": 0.25},
    )
    for number in range(4)
]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "predictions.csv"


@pytest.fixture
def unit(path):
    return UnitRecord(
        key="fold0-seed0-abc",
        fold=0,
        seed=0,
        n_train=6,
        n_test=4,
        collapse=Collapse(collapsed=False),
        majority=Majority(label="a", accuracy=0.5),
        predictions_sha256=write_predictions(path, ROWS),
    )


def test_a_unit_comes_back_as_it_went(tmp_path, unit):
    chosen = ChoicePart(sentence="by people", chosen={"epochs": 3}, metric="uf1", score=0.5, candidates=[{"epochs": 3}])
    for record in (unit, unit.model_copy(update={"selection": chosen})):
        assert UnitRecord.read(record.write(tmp_path / "unit.json")) == record
    assert '"majority": {\n    "class": "a",' in (tmp_path / "unit.json").read_text()


def test_answers_come_back_as_they_went(path, unit):
    assert read_predictions(path, unit) == ROWS
    assert path.read_text().splitlines()[:2] == [
        "dataset,subject,clip,label,prediction,p_a,p_b",
        "set,000,c0,a,a,0.75,0.25",
    ]


def lose(lines):
    return lines[:-1]


def repeat(lines):
    return [*lines, lines[-1]]


def swap(lines):
    return [*lines[:-1], lines[-2]]


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lose, "holds 3 answers; expected 4"),
        (repeat, "holds 5 answers; expected 4"),
        (swap, "answers about clip set/001/c2 twice"),
        (lambda lines: lines[:1], "holds 0 answers; expected 4"),
        (lambda lines: [], "has no column dataset"),
        (lambda lines: [line.replace(",", ";") for line in lines], "has no column dataset"),
        (lambda lines: [*lines[:2], '"' + lines[2], *lines[3:]], "is not CSV"),
        (lambda lines: [*lines[:1], lines[1].replace("0.75", "nan"), *lines[2:]], r"row 1: probabilities\.a: .*finite"),
        (lambda lines: [*lines[:1], lines[1].replace("0.75", "1e300"), *lines[2:]], r"row 1: probabilities\.a: .*less"),
        (lambda lines: [*lines[:1], lines[1].replace("0.75", "x"), *lines[2:]], r"row 1: probabilities\.a: .*number"),
    ],
)
@pytest.mark.parametrize("digest", [True, False])
def test_damaged_answers_are_an_error_that_names_the_unit(path, unit, damage, says, digest):
    lines = path.read_text().splitlines()
    path.write_text("".join(f"{line}\n" for line in damage(lines)))
    # Units of earlier versions have no digest; what can be seen without one is seen.
    unit = unit if digest else unit.model_copy(update={"predictions_sha256": None})
    with pytest.raises(RecordError, match=rf"predictions\.csv[:,] .*{says}.*delete the unit's folder"):
        read_predictions(path, unit)


def test_answers_of_another_run_are_seen_by_their_digest(path, unit):
    path.write_text(path.read_text().replace("c0,a,a", "c0,a,b"))
    with pytest.raises(RecordError, match=r"is not the file that the unit wrote.*unit fold0-seed0-abc is damaged"):
        read_predictions(path, unit)
    assert len(read_predictions(path, unit.model_copy(update={"predictions_sha256": None}))) == 4


def test_a_history_has_the_columns_that_were_given(tmp_path):
    path = tmp_path / "history.csv"
    rows = [HistoryRow(epoch=1, loss=0.5, accuracy=1.0, val_loss=None, seconds=0.1)]
    HistoryRow.write_all(path, rows)
    assert path.read_text() == "epoch,loss,accuracy,val_loss,seconds\n1,0.5,1.0,,0.1\n"
    assert HistoryRow.read_all(path) == rows


@pytest.mark.parametrize("cell", ["inf", "nan", "1e300", "-1", "x", '"'])
def test_a_history_that_cannot_be_is_named(tmp_path, cell):
    (tmp_path / "history.csv").write_text(f"epoch,loss\n1,0.5\n2,{cell}\n")
    with pytest.raises(RecordError, match=r"history\.csv(, row 2: loss|: line 3)"):
        HistoryRow.read_all(tmp_path / "history.csv")


def test_watched_answers_are_about_the_clips_of_the_predictions(tmp_path):
    path = tmp_path / "watched.csv"
    watched = WatchedAnswers(("set/000/c0", "set/000/c1"), (("a", "b"), ("a", "a")))
    watched.write(path)
    assert WatchedAnswers.read(path, clips=watched.clips) == watched
    with pytest.raises(RecordError, match="is not about the clips of predictions"):
        WatchedAnswers.read(path, clips=watched.clips[::-1])
    lines = path.read_text().splitlines(keepends=True)
    for content, says in (
        (lines[:1], "holds no epoch"),
        ([lines[0], lines[2]], "epoch: expected the numbers from 1 on"),
    ):
        path.write_text("".join(content))
        with pytest.raises(RecordError, match=says):
            WatchedAnswers.read(path)
