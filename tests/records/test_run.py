"""The records of a run: old folders open, what is wrong is named by its field, and numbers are held to what they can be."""

import json

import pytest

from fleeting.records import (
    ListedUnit,
    ModelPart,
    PooledScores,
    RecordError,
    ResultRow,
    RunConfig,
    RunHead,
    Scores,
    Summary,
    TrainingPart,
)

HEAD = RunHead(
    name="run",
    created="2026-11-21T12:59:30+00:00",
    config=RunConfig(
        data=("synthetic:clips",),
        synthetic=(True,),
        model=ModelPart(
            name="model_a", options={"dropout": 0.4}, shape={"n_frames": 9}, n_parameters=26387, published=()
        ),
        training=TrainingPart(optimizer="sgd", learning_rate=0.001, batch_size=4, epochs=3),
        seeds=(0, 1),
    ),
    classes=("a", "b"),
    units=(ListedUnit(key="fold0-seed0-abc", fold=0, seed=0, n_train=6, n_test=6),),
    versions={"python": "3.11.7"},
    machine={"system": "Linux", "cores": 2},
    notes=("A note.",),
)


def changed(value, place, new):
    """A copy of JSON in which the value at a place, such as ``units.0.fold``, is another."""
    value = json.loads(json.dumps(value))
    *parents, last = [int(part) if part.isdigit() else part for part in place.split(".")]
    inner = value
    for part in parents:
        inner = inner[part]
    inner[last] = new
    return value


def test_a_head_comes_back_as_it_went(tmp_path):
    path = HEAD.write(tmp_path / "run.json")
    assert RunHead.read(path) == HEAD
    assert list(json.loads(path.read_text())["config"]["training"]) == [
        "optimizer",
        "learning_rate",
        "batch_size",
        "epochs",
    ]


def test_heads_of_earlier_versions_open(tmp_path):
    old = HEAD.to_json()
    for name in ("synthetic", "scheme", "selection", "watch"):
        del old["config"][name]
    del old["config"]["model"]["published"], old["notes"]
    (tmp_path / "run.json").write_text(json.dumps(old))
    head = RunHead.read(tmp_path / "run.json")
    assert head.config.synthetic == () and head.config.selection.sentence == "" and head.config.model.published == ()
    assert RunHead.parse({"format": 1}, "run.json") == RunHead()


@pytest.mark.parametrize("found", [2, "1", None, True, [1], 10**400, {"a": 1}])
def test_another_format_is_named_before_any_field(tmp_path, found):
    (tmp_path / "run.json").write_text(json.dumps({"format": found, "units": 3}))
    with pytest.raises(RecordError, match=r"run format .*this version reads 1; use the version that wrote it"):
        RunHead.read(tmp_path / "run.json")


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("config", None),
        ("config", []),
        ("config.data", "synthetic:clips"),
        ("config.seeds.0", 10**23),
        ("config.seeds", {"0": 1}),
        ("config.model", 3),
        ("config.model.n_parameters", 1e300),
        ("config.model.n_parameters", "many"),
        ("config.model.shape.n_frames", 10**9),
        ("config.model.shape.n_frames", -1),
        ("config.training.epochs", 10**9),
        ("config.training.learning_rate", float("inf")),
        ("config.training.learning_rate", 1e300),
        ("config.training.learning_rate", [1]),
        ("config.protocol.noun", 3),
        ("classes", None),
        ("classes.0", 5),
        ("units", {"a": 1}),
        ("units.0", 3),
        ("units.0.key", 5),
        ("units.0.key", "../elsewhere"),
        ("units.0.key", "k" * 300),
        ("units.0.fold", 10**9),
        ("units.0.fold", 1e300),
        ("units.0.n_test", -3),
        ("machine", 3),
        ("notes", {"a": 1}),
    ],
)
def test_a_field_that_cannot_be_is_named(tmp_path, place, value):
    (tmp_path / "run.json").write_text(json.dumps(changed(HEAD.to_json(), place, value)))
    with pytest.raises(RecordError) as caught:
        RunHead.read(tmp_path / "run.json")
    assert f"run.json: {place}" in str(caught.value) and "found" in str(caught.value)
    assert "run the evaluation again into a new folder" in str(caught.value)


def test_options_of_other_rooms_may_be_anything_but_endless(tmp_path):
    for value in (None, [1, {"deep": [2.5]}], 10**30, "text"):
        (tmp_path / "run.json").write_text(json.dumps(changed(HEAD.to_json(), "config.training.later", value)))
        assert RunHead.read(tmp_path / "run.json").config.training.model_extra == {"later": value}
    deep = json.dumps(changed(HEAD.to_json(), "config.training.later", "DEEP")).replace('"DEEP"', "[" * 800 + "]" * 800)
    for text in (deep, json.dumps(changed(HEAD.to_json(), "config.training.later", float("nan")))):
        (tmp_path / "run.json").write_text(text)
        with pytest.raises(RecordError, match=r"run\.json: (config\.training\.later|is nested too deeply)"):
            RunHead.read(tmp_path / "run.json")


def test_warnings_have_kinds_and_those_of_earlier_versions_are_of_collapse():
    summary = Summary(warnings=("one", "two"), warning_kinds=("other",))
    assert [(notice.kind, notice.text) for notice in summary.notices] == [("other", "one"), ("collapsed", "two")]


@pytest.mark.parametrize("share", [1.5, -0.5, 1e300, float("inf"), float("nan"), "much", [0.5]])
def test_a_share_lies_between_0_and_1(tmp_path, share):
    summary = Summary(pooled=PooledScores(uf1=0.5, by_dataset={"smic": Scores(uar=1.0)}))
    for place in ("pooled.uf1", "pooled.by_dataset.smic.uar", "mean.accuracy"):
        (tmp_path / "summary.json").write_text(json.dumps(changed(summary.to_json(), place, share)))
        with pytest.raises(RecordError, match=rf"summary\.json: {place}: .*; score the run again"):
            Summary.read(tmp_path / "summary.json")


def test_results_keep_the_cells_of_earlier_versions(tmp_path):
    rows = [
        ResultRow(scope="fold", fold=0, seed=0, n=6, accuracy=0.5, majority_class="a", collapsed=True),
        ResultRow(scope="fold", fold=1, seed=0, n=6, accuracy=0.5, majority_class="a", collapsed=False),
        ResultRow(scope="pooled", n=12, accuracy=0.5, uf1=0.25, uf1_low=0.1, majority_class="a", collapsed=1),
    ]
    ResultRow.write_all(tmp_path / "results.csv", rows)
    assert ResultRow.read_all(tmp_path / "results.csv") == rows
    lines = (tmp_path / "results.csv").read_text().splitlines()
    assert lines[1:] == [
        "fold,0,0,6,0.5,,,,,,,,,,a,True",
        "fold,1,0,6,0.5,,,,,,,,,,a,False",
        "pooled,,,12,0.5,,,0.25,0.1,,,,,,a,1",
    ]
