"""The study of Talluri et al. 2022: what it plans, and what its tables hold."""

from dataclasses import dataclass

import pytest

from fleeting.errors import UsageError
from fleeting.experiments import ExperimentConfig
from fleeting.records import StudyPage
from fleeting.reports import read_study
from fleeting.studies import Talluri2022, look_alikes, run_study
from fleeting.studies.talluri2022_page import published_majority

SETS = {name: f"{name}:/nowhere/{name}" for name in ("casme2", "smic", "samm")}


@dataclass(frozen=True)
class SmallTalluri(Talluri2022):
    """The same study on sequences that train in seconds."""

    def _config(self, *arguments, **options) -> ExperimentConfig:
        config = super()._config(*arguments, **options)
        small = config.recipe.model_copy(update={"frames": 27, "height": 32, "width": 32, "step": 2})
        return config.model_copy(update={"recipe": small})


@pytest.fixture(scope="session")
def sets(tmp_path_factory):
    return look_alikes(tmp_path_factory.mktemp("look-alikes"), ("casme2", "smic", "samm"), scale=0.1)


def test_the_published_majority_is_what_the_class_counts_say():
    # Always "negative" on SMIC is 70 of 164, always "disgust" on CASME II 63 of 123.
    assert published_majority("smic", "smic") == pytest.approx(70 / 164)
    assert published_majority("casme2", "casme2") == pytest.approx(63 / 123)
    assert published_majority("casme2", "samm") == pytest.approx(15 / 50)
    assert published_majority("combined", "combined") == pytest.approx(133 / 287)


def test_the_plan_trains_each_model_source_and_fold_once():
    plan = Talluri2022(sets=SETS, only=("table4",), columns=("published",)).plan()
    assert len(plan) * 5 == 45
    assert len({run.name for run in plan}) == 9
    everything = Talluri2022(sets=SETS).plan()
    # Three columns each of table 4, of table 3's two initial runs (its apex runs are table 4's) and of figure 4's two.
    assert len(everything) == 3 * (9 + 2 + 2)
    configs = {run.name: run.config for run in everything}
    assert configs["model_a-casme2-published"].recipe.frames == 36
    assert configs["model_a-smic-published"].recipe.frames == 26
    assert configs["model_b-combined-published"].recipe.stored_shape == (30, 64, 64, 1)
    assert configs["model_c-smic-motion"].recipe.motion == "difference"
    assert configs["model_a-smic-independent"].protocol == "subject-source-folds"
    assert configs["model_a-smic-published"].training.epochs == 100
    assert configs["initial-smic-published"].recipe.window == "initial"


def test_a_missing_set_plans_what_can_be_run():
    names = {run.name for run in Talluri2022(sets={"smic": SETS["smic"]}).plan()}
    assert "model_a-smic-published" in names
    assert not any("casme2" in name or "combined" in name or "holdout" in name for name in names)


def test_a_study_of_look_alikes_fills_its_tables_and_resumes(sets, tmp_path, monkeypatch):
    study = SmallTalluri(
        sets=sets,
        epochs=1,
        look_alike=True,
        scale=0.1,
        columns=("published", "independent"),
        models=("model_a",),
        folds=2,
    )
    result = run_study(study, tmp_path / "study")
    table = result.tables["table4-model_a"]
    assert table["published_status"].eq("ok").all() and table["independent_status"].eq("ok").all()
    assert table["published_accuracy"].between(0, 1).all()
    assert table["published"].tolist()[2] == pytest.approx(0.882)
    assert (table["published_low"] <= table["published_high"]).all()
    # Scenario 4 tests a model that was trained on SMIC on all of SAMM.
    assert (
        table.set_index("scenario").loc["4. SMIC → SAMM", "published_clips"]
        == result.tables["table1"]["samm_found"].sum()
    )
    assert result.tables["table3"]["independent_status"].eq("ok").all()
    assert result.tables["figure4-published"].groupby("run").size().tolist() == [1] * 5
    assert result.tables["figure4-runs"]["independent_status"].eq("ok").all()
    page = StudyPage.read(tmp_path / "study" / "study.json")
    assert [section.id for section in page.sections] == ["table1", "table2", "table3", "figure4", "table4"]
    assert "look-alikes at 10 % of the true size" in page.banners[0].text[0] and page.banners[0].kind == "look-alike"
    # Every column that a table shows is declared with the unit that its figures have, and its file is as it was written.
    for section in page.sections:
        for shown in section.tables:
            name = shown.file.removeprefix("tables/").removesuffix(".csv")
            assert page.files[shown.file].rows == len(result.tables[name])
            for column in shown.columns:
                if column.unit == "share" and column.key in result.tables[name]:
                    assert result.tables[name][column.key].dropna().between(0, 1).all(), (shown.file, column.key)
    assert not read_study(tmp_path / "study").problems
    monkeypatch.setattr("fleeting.experiments.execute.run_unit", lambda *_: pytest.fail("trained again"))
    again = run_study(study, tmp_path / "study")
    assert again.tables["table4-model_a"].equals(table)
    with pytest.raises(UsageError, match="holds another collection"):
        run_study(SmallTalluri(sets=sets, epochs=2), tmp_path / "study")


def test_rows_that_need_a_missing_set_are_not_run(sets, tmp_path):
    part = {name: sets[name] for name in ("smic", "samm")}
    study = SmallTalluri(
        sets=part, epochs=1, only=("table4",), columns=("published",), models=("model_a",), folds=2, look_alike=True
    )
    table = run_study(study, tmp_path / "study").tables["table4-model_a"]
    table = table.set_index(table["scenario"].str[0])
    assert table.loc[["1", "4"], "published_status"].tolist() == ["ok", "ok"]
    assert table.loc[["2", "3", "5", "6", "7", "8"], "published_status"].tolist() == ["not run"] * 6
    assert table.loc["2"].filter(like="published_accuracy").isna().all()
