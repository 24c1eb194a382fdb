import os

import pytest

from fleeting.errors import UsageError
from fleeting.experiments import Grid, plan_sweep, run_sweep
from fleeting.records import StudyPage
from fleeting.studies import list_sweeps, sweep_definition


def test_a_grid_is_every_combination():
    grid = Grid({"training.learning_rate": (0.1, 0.01), "model.dropout": (0.3, 0.5)})
    assert len(grid.points()) == 4
    assert grid.points()[1] == {"training.learning_rate": 0.1, "model.dropout": 0.5}


@pytest.mark.parametrize("fields", [{}, {"learning_rate": (1,)}, {"training.": (1,)}, {"net.x": (1,)}, {"model.x": ()}])
def test_impossible_grids(fields):
    with pytest.raises(UsageError):
        Grid(fields)


def test_fields_reach_their_owner_and_are_checked(small_config):
    grid = Grid(
        {"training.learning_rate": (0.5,), "model.dropout": (0.1,), "recipe.frames": (10,), "protocol.folds": (3,)}
    )
    ((_, _, planned),) = plan_sweep(small_config, [grid]).values()
    config = planned.config
    assert (config.training.learning_rate, config.model_options["dropout"]) == (0.5, 0.1)
    assert (config.recipe.frames, config.protocol_options["folds"]) == (10, 3)
    assert config.training.motion == "difference"
    for bad in ({"training.learning_rate": (-1,)}, {"training.rate": (1,)}, {"recipe.frames": (0,)}):
        with pytest.raises(UsageError):
            plan_sweep(small_config, [Grid(bad)])


def test_a_sweep_runs_equal_settings_once_survives_divergence_and_resumes(
    small_config, small_run, tmp_path, monkeypatch
):
    cache = small_run.path.parent / "cache"
    one = small_config.model_copy(update={"training": small_config.training.model_copy(update={"epochs": 2})})
    grids = [Grid({"training.learning_rate": (0.001, 1e30)}), Grid({"model.dropout": (0.4, 0.1)}, "Dropout")]
    tables = run_sweep(one, grids, tmp_path / "sweep", cache=cache)
    assert tables["grid1"]["status"].tolist() == ["ok", "failed"]
    assert tables["grid2"]["status"].tolist() == ["ok", "ok"]
    assert tables["grid2"]["accuracy"].between(0, 1).all()
    page = StudyPage.read(tmp_path / "sweep" / "study.json")
    assert page.kind == "sweep" and page.partial
    assert [section.title for section in page.sections] == ["By training.learning_rate", "Dropout"]
    done = {p.parent.name for p in (tmp_path / "sweep").rglob("unit.json")}
    trained = []
    original = __import__("fleeting.experiments.execute", fromlist=["run_unit"]).run_unit
    monkeypatch.setattr(
        "fleeting.experiments.execute.run_unit", lambda job, *a: (trained.append(job.key), original(job, *a))[1]
    )
    run_sweep(one, grids, tmp_path / "sweep", cache=cache)
    assert not set(trained) & done


def test_the_sweep_that_ships_is_irawans():
    assert "irawan2023" in list_sweeps()
    grids = sweep_definition("irawan2023")["grids"]
    assert [len(grid.points()) for grid in grids] == [3, 3, 3]


def test_bad_definitions_are_named(tmp_path):
    with pytest.raises(UsageError, match="irawan2023"):
        sweep_definition("irawan")
    with pytest.raises(UsageError, match="does not exist"):
        sweep_definition(str(tmp_path / "absent.json"))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is not JSON"),
        (b"\xff{", "is not UTF-8"),
        (b"[" * 100_000 + b"]" * 100_000, "nested too deeply"),
        (b"[]", "holds list; expected named fields"),
        (b"{}", "grids: field required"),
        (b'{"grids": []}', "grids: .*at least 1 item"),
        (b'{"grids": [{"fields": 3}]}', r"grids\.0\.fields: .*found 3"),
        (b'{"grids": [{"fields": {"x": [1]}}]}', "expected OWNER.FIELD"),
        (b'{"grids": [{"fields": {"model.x": [1]}}], "model": 3}', "model: .*found 3"),
        (b'{"grids": [{"fields": {"model.x": [1]}}], "colour": 1}', "colour"),
    ],
)
def test_a_definition_that_is_none_names_the_field(tmp_path, content, says):
    path = tmp_path / "bad.json"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=says):
        sweep_definition(str(path))


def test_a_pipe_is_no_definition(tmp_path):
    os.mkfifo(tmp_path / "pipe.json")
    with pytest.raises(UsageError, match="is a pipe"):
        sweep_definition(str(tmp_path / "pipe.json"))


def test_a_users_definition_has_the_fields_that_it_gives(tmp_path):
    path = tmp_path / "own.json"
    path.write_text('{"grids": [{"fields": {"training.epochs": [1, 2]}}], "model": null, "title": "Own"}')
    found = sweep_definition(str(path))
    assert set(found) == {"grids", "title"} and found["grids"][0].points() == [
        {"training.epochs": 1}, {"training.epochs": 2}
    ]  # fmt: skip
