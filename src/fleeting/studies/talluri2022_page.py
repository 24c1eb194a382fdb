"""The tables and the figure of Talluri, Fiedler and Al-Hamadi 2022, published beside measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from fleeting.datasets import published_counts, scheme_discrepancies
from fleeting.experiments import CompletedRun
from fleeting.records import (
    ClipRow,
    HistoryRow,
    StudyColumn,
    StudyFigure,
    StudyReference,
    StudySection,
    StudyTable,
)
from fleeting.studies.base import Section, best_watched, score
from fleeting.studies.columns import (
    majority_column,
    outcome_columns,
    percent_columns,
    published_column,
    state_column,
)
from fleeting.studies.published import published, share

if TYPE_CHECKING:
    import pandas as pd

    from fleeting.clips import Clip

__all__ = [
    "CLASSES",
    "HOLDOUT_MODELS",
    "MODELS",
    "NAMES",
    "SETS",
    "SOURCES",
    "VARIANTS",
    "FoldResults",
    "figure4_section",
    "published_majority",
    "table1_section",
    "table3_section",
    "table4_section",
]

SETS = ("casme2", "smic", "samm")
NAMES = {"casme2": "CASME II", "smic": "SMIC", "samm": "SAMM", "combined": "CASME II + SMIC"}
CLASSES = ("happy", "disgust", "surprise")
SOURCES = {"smic": ("smic",), "casme2": ("casme2",), "combined": ("casme2", "smic")}
MODELS = {"model_a": "Model-A", "model_b": "Model-B", "model_c": "Model-C"}
HOLDOUT_MODELS = {"split_model": "Split-Model", "model_c": "Model-C"}
VARIANTS = {
    "published": "as published",
    "independent": "subject-independent",
    "motion": "motion, subjects mixed",
}


class FoldResults:
    """The predictions of a run, and the training labels of its folds.

    Parameters
    ----------
    completed : CompletedRun
        A run of which at least one unit is finished.
    """

    def __init__(self, completed: CompletedRun) -> None:
        self.run = completed.run
        self.units = completed.finished
        self.predictions = self.run.predictions(allow_partial=True)
        self.clips = ClipRow.read_all(self.run.path / "clips.csv")

    def source_rows(self, fold: int, source: Sequence[str]) -> tuple[pd.DataFrame, list[str]]:
        """Give the fold's test rows inside the source, and the labels that it was trained on.

        Parameters
        ----------
        fold : int
            Number of the fold.
        source : sequence of str
            Data sets that it was trained on.
        """
        part = self.predictions[self.predictions["fold"] == fold]
        inside = part[part["dataset"].isin(source)]
        tested = set(zip(inside["dataset"], inside["subject"], inside["clip"], strict=True))
        # What the fold does not test inside its source, it trained on.
        labels = [
            clip.emotion
            for clip in self.clips
            if clip.dataset in source and (clip.dataset, clip.subject, clip.clip) not in tested
        ]
        return inside, labels

    @property
    def collapsed(self) -> str:
        """Say how many of the folds collapsed."""
        count = sum(unit.collapse.collapsed for unit in self.units)
        return f"{count} of {len(self.units)}"


def _scenario(result: FoldResults | None, train: str, test: str) -> dict[str, Any]:
    if result is None:
        return {"status": "not run"}
    import pandas as pd

    rows: list[pd.DataFrame] = []
    labels: dict[int, list[str]] = {}
    for fold in sorted(set(result.predictions["fold"])):
        inside, labels[int(fold)] = result.source_rows(int(fold), SOURCES[train])
        if train == test:
            rows.append(inside)
        else:
            part = result.predictions[result.predictions["fold"] == fold]
            rows.append(part[part["dataset"] == test])
    tested = pd.concat(rows)
    if tested.empty:
        return {"status": "not run"}
    return {**score(tested, labels), "collapsed": result.collapsed, "status": "ok"}


def published_majority(train: str, test: str) -> float:
    """Give the accuracy on the target of always answering the source's commonest class, by the paper's table 1.

    Parameters
    ----------
    train, test : str
        Source and target.
    """
    counts = published_counts("talluri2022")

    def of(name: str, label: str) -> int:
        return sum(counts[(member, label)] for member in SOURCES.get(name, (name,)))

    commonest = max(CLASSES, key=lambda label: of(train, label))
    return of(test, commonest) / sum(of(test, label) for label in CLASSES)


def table1_section(clips: Mapping[str, Sequence[Clip]]) -> Section:
    """Make table 1: the clips of each class, published and found.

    Parameters
    ----------
    clips : mapping of str to sequence of Clip
        The clips of each set.
    """
    import pandas as pd

    printed = published_counts("talluri2022")
    rows: list[dict[str, Any]] = []
    for label in CLASSES:
        row: dict[str, Any] = {"emotion": label}
        for name in SETS:
            row[f"{name}_published"] = printed[(name, label)]
            if name in clips:
                row[f"{name}_found"] = sum(clip.emotion == label for clip in clips[name])
        rows.append(row)
    columns = [StudyColumn(key="emotion", label="class")]
    for name in SETS:
        group = NAMES[name]
        columns += [
            StudyColumn(key=f"{name}_published", label="published", unit="count", role="published", group=group),
            StudyColumn(key=f"{name}_found", label="found", unit="count", role="measured", group=group),
        ]
    every = [clip for part in clips.values() for clip in part]
    text = [
        f"{NAMES[d.dataset]}, {d.label}: {d.found} found, {d.published} published; {d.note}."
        for d in scheme_discrepancies(every, "talluri2022")
    ]
    content = StudySection(
        id="table1",
        title="Table 1. Clips of each class",
        text=tuple(text) or ("What was found agrees with what was published.",),
        tables=(StudyTable(file="tables/table1.csv", caption="Clips by class.", columns=tuple(columns)),),
    )
    return Section(content, {"table1": pd.DataFrame(rows)})


def table3_section(results: Mapping[str, FoldResults], variants: Sequence[str]) -> Section:
    """Make table 3: the first frames against those around the apex.

    Parameters
    ----------
    results : mapping of str to FoldResults
        The runs by name.
    variants : sequence of str
        Variants that were asked for.
    """
    import pandas as pd

    printed = published("talluri2022", "table3")
    rows = []
    for name in ("casme2", "smic"):
        for window, run in (("initial", f"initial-{name}"), ("apex", f"model_a-{name}")):
            row: dict[str, Any] = {
                "dataset": NAMES[name],
                "sequence": window,
                "published": share(printed[(name, window)]),
                "published_majority_class": published_majority(name, name),
            }
            for variant in variants:
                scored = _scenario(results.get(f"{run}-{variant}"), name, name)
                row |= {f"{variant}_{key}": value for key, value in scored.items()}
            rows.append(row)
    columns = [
        StudyColumn(key="dataset", label="data set"),
        StudyColumn(key="sequence", label="sequence"),
        published_column(),
        majority_column("published_majority_class"),
    ]
    for variant in variants:
        columns += percent_columns(variant, VARIANTS[variant])
        columns.append(state_column(f"{variant}_status", VARIANTS[variant]))
    content = StudySection(
        id="table3",
        title="Table 3. Initial frames against the apex sequence, Model-A",
        text=("The first 36 (CASME II) or 26 (SMIC) frames, and as many around the apex.",),
        tables=(StudyTable(file="tables/table3.csv", caption="Accuracy over five folds.", columns=tuple(columns)),),
    )
    return Section(content, {"table3": pd.DataFrame(rows)})


def table4_section(results: Mapping[str, FoldResults], models: Sequence[str], variants: Sequence[str]) -> Section:
    """Make table 4: the eight scenarios, all models side by side and then each with its variants.

    Parameters
    ----------
    results : mapping of str to FoldResults
        The runs by name.
    models, variants : sequence of str
        Models and variants that were asked for.
    """
    import pandas as pd

    overview, details = _scenario_rows(results, models, variants)
    head = (StudyColumn(key="scenario", label="Scenario"), majority_column("published_majority"))
    columns = list(head)
    for model in models:
        group, state = MODELS[model], f"{model}_status"
        columns += [
            published_column(f"{model}_published", group, state=state),
            StudyColumn(
                key=f"{model}_measured", label="measured", unit="share", role="measured", group=group, state=state
            ),
            state_column(state, group),
        ]
    caption = (
        "Accuracy of the eight scenarios. The majority class is computed from the paper's table 1: the accuracy on the "
        "target of always answering the source's commonest class."
    )
    tables = [StudyTable(file="tables/table4.csv", caption=caption, columns=tuple(columns))]
    frames = {"table4": pd.DataFrame(overview)}
    for model in models:
        columns = [*head, published_column()]
        for variant in variants:
            columns += percent_columns(variant, VARIANTS[variant])
        caption = (
            f"{MODELS[model]}, with 95 % intervals over subjects, the majority class of the clips tested, and the folds "
            "that collapsed."
        )
        tables.append(StudyTable(file=f"tables/table4-{model}.csv", caption=caption, columns=tuple(columns)))
        frames[f"table4-{model}"] = pd.DataFrame(details[model])
    content = StudySection(
        id="table4",
        title="Table 4. The eight scenarios",
        text=(
            "Train → test. Each model is trained once on each source and fold, and tested on all that its scenarios need.",
            "The published folds mix subjects: clips of one person are in training and in test. The subject-independent "
            "column shows what remains without that. In the motion column the network sees each frame's difference from "
            "the onset frame, in the published folds.",
        ),
        tables=tuple(tables),
    )
    return Section(content, frames)


def _scenario_rows(
    results: Mapping[str, FoldResults], models: Sequence[str], variants: Sequence[str]
) -> tuple[list[dict[str, Any]], dict[str, list[dict[str, Any]]]]:
    """Table 4's rows: of the overview, and of each model's own table."""
    figures = published("talluri2022", "table4")
    overview: list[dict[str, Any]] = []
    details: dict[str, list[dict[str, Any]]] = {model: [] for model in models}
    for scenario in dict.fromkeys(row for row, _ in figures):
        number, train, test = scenario.split(":")
        row: dict[str, Any] = {
            "scenario": f"{number}. {NAMES[train]} → {NAMES[test]}",
            "published_majority": published_majority(train, test),
        }
        for model in models:
            detail = dict(row) | {"published": share(figures.get((scenario, model)))}
            for variant in variants:
                scored = _scenario(results.get(f"{model}-{train}-{variant}"), train, test)
                detail |= {f"{variant}_{key}": value for key, value in scored.items()}
            details[model].append(detail)
            row[f"{model}_published"] = share(figures.get((scenario, model)))
            row[f"{model}_measured"] = detail.get("published_accuracy")
            row[f"{model}_status"] = detail.get("published_status", "not asked for")
        overview.append(row)
    return overview, details


def figure4_section(results: Mapping[str, FoldResults], variants: Sequence[str]) -> Section:
    """Make figure 4: five random splits, with the accuracy on the test clips by epoch.

    Parameters
    ----------
    results : mapping of str to FoldResults
        The runs by name.
    variants : sequence of str
        Variants that were asked for.
    """
    import pandas as pd

    rows, curves = _split_rows(results, variants)
    columns = [
        StudyColumn(key="model", label="model"),
        StudyColumn(key="run", label="run", unit="count"),
        published_column(),
        majority_column("published_majority_class"),
    ]
    for variant in variants:
        columns += outcome_columns(variant, VARIANTS[variant])
    tables = {"figure4-runs": pd.DataFrame(rows)}
    tables |= {f"figure4-{variant}": pd.concat(found) for variant, found in curves.items() if found}
    caption = "Five random splits."
    content = StudySection(
        id="figure4",
        title="Figure 4. One random split after another",
        text=(
            "Five random stratified 80/20 splits of CASME II. The paper's text gives the highest of its five (run 1, "
            "85.2 %), the lowest (run 3, 45 %), and Model-C on the split of the highest; its splits are not published, so "
            "runs cannot be matched one to one.",
            "The best epoch is chosen by looking at the test clips: it flatters, and is shown to show by how much.",
        ),
        tables=(StudyTable(file="tables/figure4-runs.csv", caption=caption, columns=tuple(columns)),),
        figures=tuple(_curves_figure(variant) for variant in variants if curves[variant]),
    )
    return Section(content, tables)


def _split_rows(
    results: Mapping[str, FoldResults], variants: Sequence[str]
) -> tuple[list[dict[str, Any]], dict[str, list[pd.DataFrame]]]:
    """A row per random split and model, and by variant the Split-Model's accuracy by epoch."""
    printed = published("talluri2022", "figure4")
    curves: dict[str, list[pd.DataFrame]] = {variant: [] for variant in variants}
    rows: list[dict[str, Any]] = []
    for model, title in HOLDOUT_MODELS.items():
        for number in range(1, 6):
            row: dict[str, Any] = {"model": title, "run": number, "published": share(printed.get((str(number), model)))}
            row["published_majority_class"] = published_majority("casme2", "casme2")
            for variant in variants:
                result = results.get(f"holdout-{model}-{variant}")
                found = None if result is None else _split_row(result, number)
                if found is None:
                    row[f"{variant}_status"] = "not run"
                    continue
                row |= {f"{variant}_{key}": value for key, value in found[0].items()}
                if model == "split_model":
                    curves[variant].append(found[1].assign(run=f"run {number}"))
            rows.append(row)
    return rows, curves


def _split_row(result: FoldResults, number: int) -> tuple[dict[str, Any], pd.DataFrame] | None:
    """One random split: its figures, and its accuracy by epoch."""
    import pandas as pd

    unit = next((unit for unit in result.units if unit.fold == number - 1), None)
    if unit is None:
        return None
    history = HistoryRow.read_all(result.run.unit_folder(unit.key) / "history.csv")
    part = result.predictions[result.predictions["fold"] == unit.fold]
    figures = {
        "last": float((part["label"] == part["prediction"]).mean()),
        "best": best_watched(history),
        "majority": unit.majority.accuracy,
        "collapsed": "yes" if unit.collapse.collapsed else "no",
        "status": "ok",
    }
    return figures, pd.DataFrame([{"epoch": row.epoch, "accuracy": row.val_accuracy} for row in history])


def _curves_figure(variant: str) -> StudyFigure:
    return StudyFigure(
        file=f"tables/figure4-{variant}.csv",
        type="lines",
        x=StudyColumn(key="epoch", label="epoch", unit="count"),
        y=(StudyColumn(key="accuracy", label="accuracy", unit="score", role="measured"),),
        series="run",
        title=f"Split-Model, accuracy on the test clips, {VARIANTS[variant]}",
        x_label="epoch",
        y_label="accuracy",
        y_limits=(0, 1),
        references=(
            StudyReference(label="published, highest", value=0.852),
            StudyReference(label="published, lowest", value=0.45),
        ),
    )
