"""Talluri, Fiedler and Al-Hamadi 2022: tables 1 to 4 and figure 4."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from fleeting.datasets import published_counts, scheme_discrepancies
from fleeting.experiments import CompletedRun, ExperimentConfig, PlannedRun
from fleeting.sequences import Talluri2022 as Recipe
from fleeting.studies.base import Section, Study, percent_columns, register_study, score
from fleeting.studies.published import published, share
from fleeting.studies.shapes import shape_section
from fleeting.training import TrainingConfig

if TYPE_CHECKING:
    import pandas as pd

    from fleeting.clips import Clip

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


@register_study("talluri2022")
@dataclass(frozen=True)
class Talluri2022(Study):
    """*Deep 3D Convolutional Neural Network for Facial Micro-Expression Analysis from Video Images*.

    Each model is trained once for each source and fold and tested on every target that a scenario needs: 45 trainings
    for the eight scenarios and three models, and as many again for each further column.
    """

    title: ClassVar[str] = "Deep 3D CNN for facial micro-expression analysis, run again"
    paper: ClassVar[str] = (
        "Talluri, K. K.; Fiedler, M.-A.; Al-Hamadi, A. Deep 3D Convolutional Neural Network for Facial Micro-Expression "
        "Analysis from Video Images. Applied Sciences 2022, 12(21), 11078. https://doi.org/10.3390/app122111078"
    )
    scheme: ClassVar[str] = "talluri2022"
    needs: ClassVar[tuple[str, ...]] = SETS
    parts: ClassVar[tuple[str, ...]] = ("table3", "figure4", "table4")
    variants: ClassVar[tuple[str, ...]] = tuple(VARIANTS)
    assumptions: ClassVar[tuple[str, ...]] = (
        "Channels are not stated: grey frames.",
        "The window is 18 frames before the apex and 18 from it on for 36 frames, and likewise for 26 and 30; a clip too "
        "short for it repeats its first and last frame.",
        "A model's depth stays that of its training set when it is tested on another.",
        "A cross-data-set scenario trains on each fold's 4/5 of the source and tests on the whole target; five results "
        "are averaged.",
        "SMIC publishes no apex: it is spotted by optical flow.",
        "Figures are those of the last epoch; the paper does not say which epoch it reports.",
        "Model-C: one convolution and two max-poolings, since the paper calls Model-A deeper, with more convolutional "
        "layers.",
        "SMIC's positive, negative and surprise stand for happy, disgust and surprise, as table 1 pairs them.",
        "Inputs are standardised with the mean and deviation of the training fold.",
        "The column of the difference from the onset frame keeps the paper's training: cutting the gradient's norm as well "
        "only slowed it (benchmarks/learning.py).",
        "Figures 1 to 3 are drawings of the method; `fleeting preprocess CLIP --show-steps OUT.png` draws the first for any "
        "clip.",
    )

    folds: int = 5
    models: tuple[str, ...] = field(default=tuple(MODELS))

    def _sources(self) -> list[str]:
        return [name for name, members in SOURCES.items() if all(member in self.sets for member in members)]

    def _config(
        self, source: str, model: str, variant: str, window: Literal["apex", "initial"] = "apex"
    ) -> ExperimentConfig:
        motion: Literal["none", "difference"] = "difference" if variant == "motion" else "none"
        recipe = Recipe.for_study(source, model, window=window, motion=motion)
        training = TrainingConfig.for_model(model, **self.training({}), motion=motion)
        return ExperimentConfig(
            data=tuple(self.sets[name] for name in SETS if name in self.sets),
            scheme=self.scheme,
            classes=CLASSES,
            recipe=recipe,
            model=model,
            training=training,
            protocol="subject-source-folds" if variant == "independent" else "source-folds",
            protocol_options={"folds": self.folds, "seed": self.seed, "source": "+".join(SOURCES[source])},
            seeds=(self.seed,),
        )

    def plan(self) -> list[PlannedRun]:
        """Table 3's initial sequences, figure 4, table 4; table 3's apex sequences are table 4's."""
        runs: dict[str, PlannedRun] = {}

        def add(name: str, what: str, config: ExperimentConfig) -> None:
            runs.setdefault(name, PlannedRun(name, what, config))

        sources = self._sources()
        if self.wants("table3"):
            for source in (name for name in sources if name != "combined"):
                for variant in self.chosen():
                    what = f"Model-A on {NAMES[source]}, initial sequences, {VARIANTS[variant]}"
                    add(f"initial-{source}-{variant}", what, self._config(source, "model_a", variant, "initial"))
                    what = f"Model-A on {NAMES[source]}, {VARIANTS[variant]}"
                    add(f"model_a-{source}-{variant}", what, self._config(source, "model_a", variant))
        if self.wants("figure4") and "casme2" in sources:
            for model in HOLDOUT_MODELS:
                for variant in self.chosen():
                    what = f"{HOLDOUT_MODELS[model]} on five random splits of CASME II, {VARIANTS[variant]}"
                    add(f"holdout-{model}-{variant}", what, self._holdout(model, variant))
        if self.wants("table4"):
            for model in self.models:
                for source in sources:
                    for variant in self.chosen():
                        what = f"{MODELS[model]} on {NAMES[source]}, {VARIANTS[variant]}"
                        add(f"{model}-{source}-{variant}", what, self._config(source, model, variant))
        return list(runs.values())

    def _holdout(self, model: str, variant: str) -> ExperimentConfig:
        base = self._config("casme2", model, variant)
        return base.model_copy(
            update={
                "data": (self.sets["casme2"],),
                "protocol": "repeated-subject-holdout" if variant == "independent" else "repeated-holdout",
                "protocol_options": {"repeats": 5, "test_size": 0.2, "seed": self.seed},
                "watch": True,
            }
        )

    def sections(self, clips: Mapping[str, Sequence[Clip]], done: Mapping[str, CompletedRun]) -> list[Section]:
        """Tables 1 to 4 and figure 4 in the paper's order."""
        results = {name: _Result(one) for name, one in done.items() if one.finished}
        parts = [_table1(clips), shape_section("talluri2022", "table2", "Table 2. Model-A, layer by layer", "model_a")]
        if self.wants("table3"):
            parts.append(_table3(results, self.chosen()))
        if self.wants("figure4"):
            parts.append(_figure4(results, self.chosen()))
        if self.wants("table4"):
            parts.append(self._table4(results))
        return parts

    def _table4(self, results: Mapping[str, _Result]) -> Section:
        import pandas as pd

        figures = published("talluri2022", "table4")
        scenarios = list(dict.fromkeys(row for row, _ in figures))
        overview: list[dict[str, Any]] = []
        details: dict[str, list[dict[str, Any]]] = {model: [] for model in self.models}
        for scenario in scenarios:
            number, train, test = scenario.split(":")
            row: dict[str, Any] = {
                "scenario": f"{number}. {NAMES[train]} → {NAMES[test]}",
                "published_majority": _published_majority(train, test),
            }
            for model in self.models:
                detail = dict(row) | {"published": share(figures.get((scenario, model)))}
                for variant in self.chosen():
                    scored = _scenario(results.get(f"{model}-{train}-{variant}"), train, test)
                    detail |= {f"{variant}_{key}": value for key, value in scored.items()}
                details[model].append(detail)
                row[f"{model}_published"] = share(figures.get((scenario, model)))
                row[f"{model}_measured"] = detail.get("published_accuracy")
                row[f"{model}_status"] = detail.get("published_status", "not asked for")
            overview.append(row)
        head = [
            {"key": "scenario", "label": "Scenario", "kind": "text"},
            {"key": "published_majority", "label": "majority class", "kind": "percent"},
        ]
        columns = list(head)
        for model in self.models:
            columns += [
                {"key": f"{model}_published", "label": "published", "kind": "published", "group": MODELS[model]},
                {"key": f"{model}_measured", "label": "measured", "kind": "percent", "group": MODELS[model]},
                {"key": f"{model}_status", "label": "", "kind": "status", "group": MODELS[model]},
            ]
        tables = [
            {
                "file": "tables/table4.csv",
                "caption": "Accuracy of the eight scenarios. The majority class is computed from the paper's table 1: the "
                "accuracy on the target of always answering the source's commonest class.",
                "columns": columns,
            }
        ]
        frames = {"table4": pd.DataFrame(overview)}
        for model in self.models:
            columns = [*head, {"key": "published", "label": "published", "kind": "published"}]
            for variant in self.chosen():
                columns += percent_columns(variant, VARIANTS[variant])
            tables.append(
                {
                    "file": f"tables/table4-{model}.csv",
                    "caption": f"{MODELS[model]}, with 95 % intervals over subjects, the majority class of the clips "
                    "tested, and the folds that collapsed.",
                    "columns": columns,
                }
            )
            frames[f"table4-{model}"] = pd.DataFrame(details[model])
        text = [
            "Train → test. Each model is trained once on each source and fold, and tested on all that its scenarios need.",
            "The published folds mix subjects: clips of one person are in training and in test. The subject-independent "
            "column shows what remains without that. In the motion column the network sees each frame's difference from "
            "the onset frame, in the published folds.",
        ]
        content = {
            "id": "table4",
            "title": "Table 4. The eight scenarios",
            "text": text,
            "tables": tables,
            "figures": [],
        }
        return Section(content, frames)


class _Result:
    """The predictions of a run, and the training labels of its folds."""

    def __init__(self, conducted: CompletedRun) -> None:
        import pandas as pd

        run = conducted.run
        self.config = conducted.planned.config
        self.units = conducted.finished
        self.predictions = run.predictions(allow_partial=True)
        clips = pd.read_csv(run.path / "clips.csv", dtype=str, keep_default_na=False)
        self.clips = clips[["dataset", "subject", "clip", "emotion"]]
        self.run = run

    def source_rows(self, fold: int, source: Sequence[str]) -> tuple[pd.DataFrame, list[str]]:
        """The fold's test rows inside the source, and the labels it was trained on."""
        part = self.predictions[self.predictions["fold"] == fold]
        inside = part[part["dataset"].isin(source)]
        tested = set(zip(inside["dataset"], inside["subject"], inside["clip"], strict=True))
        pool = self.clips[self.clips["dataset"].isin(source)]
        labels = [
            str(label)
            for *key, label in pool.itertuples(index=False, name=None)
            if tuple(key) not in tested  # what the fold does not test inside its source, it trained on
        ]
        return inside, labels

    @property
    def collapsed(self) -> str:
        """How many of the folds collapsed."""
        count = sum(bool(unit["collapse"]["collapsed"]) for unit in self.units)
        return f"{count} of {len(self.units)}"


def _scenario(result: _Result | None, train: str, test: str) -> dict[str, Any]:
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


def _published_majority(train: str, test: str) -> float:
    counts = published_counts("talluri2022")

    def of(name: str, label: str) -> int:
        return sum(counts[(member, label)] for member in SOURCES.get(name, (name,)))

    commonest = max(CLASSES, key=lambda label: of(train, label))
    return of(test, commonest) / sum(of(test, label) for label in CLASSES)


def _table1(clips: Mapping[str, Sequence[Clip]]) -> Section:
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
    columns: list[dict[str, Any]] = [{"key": "emotion", "label": "class", "kind": "text"}]
    for name in SETS:
        columns += [
            {"key": f"{name}_published", "label": "published", "kind": "integer", "group": NAMES[name]},
            {"key": f"{name}_found", "label": "found", "kind": "integer", "group": NAMES[name]},
        ]
    every = [clip for part in clips.values() for clip in part]
    text = [
        f"{NAMES[d.dataset]}, {d.label}: {d.found} found, {d.published} published; {d.note}."
        for d in scheme_discrepancies(every, "talluri2022")
    ]
    content = {
        "id": "table1",
        "title": "Table 1. Clips of each class",
        "text": text or ["What was found agrees with what was published."],
        "tables": [{"file": "tables/table1.csv", "caption": "Clips by class.", "columns": columns}],
        "figures": [],
    }
    return Section(content, {"table1": pd.DataFrame(rows)})


def _table3(results: Mapping[str, _Result], variants: Sequence[str]) -> Section:
    import pandas as pd

    printed = published("talluri2022", "table3")
    rows = []
    for name in ("casme2", "smic"):
        for window, run in (("initial", f"initial-{name}"), ("apex", f"model_a-{name}")):
            row: dict[str, Any] = {
                "dataset": NAMES[name],
                "sequence": window,
                "published": share(printed[(name, window)]),
                "published_majority_class": _published_majority(name, name),
            }
            for variant in variants:
                scored = _scenario(results.get(f"{run}-{variant}"), name, name)
                row |= {f"{variant}_{key}": value for key, value in scored.items()}
            rows.append(row)
    columns: list[dict[str, Any]] = [
        {"key": "dataset", "label": "data set", "kind": "text"},
        {"key": "sequence", "label": "sequence", "kind": "text"},
        {"key": "published", "label": "published", "kind": "published"},
        {"key": "published_majority_class", "label": "majority class", "kind": "percent"},
    ]
    for variant in variants:
        columns += percent_columns(variant, VARIANTS[variant])
        columns.append({"key": f"{variant}_status", "label": "", "kind": "status", "group": VARIANTS[variant]})
    content = {
        "id": "table3",
        "title": "Table 3. Initial frames against the apex sequence, Model-A",
        "text": ["The first 36 (CASME II) or 26 (SMIC) frames, and as many around the apex."],
        "tables": [{"file": "tables/table3.csv", "caption": "Accuracy over five folds.", "columns": columns}],
        "figures": [],
    }
    return Section(content, {"table3": pd.DataFrame(rows)})


def _holdout_row(result: _Result, number: int) -> tuple[dict[str, Any], pd.DataFrame] | None:
    """One random split: its figures, and its accuracy by epoch."""
    import pandas as pd

    unit = next((unit for unit in result.units if unit["fold"] == number - 1), None)
    if unit is None:
        return None
    history = pd.read_csv(result.run.unit_folder(unit["key"]) / "history.csv")
    part = result.predictions[result.predictions["fold"] == unit["fold"]]
    figures = {
        "last": float((part["label"] == part["prediction"]).mean()),
        "best": float(history["val_accuracy"].max()),
        "majority": unit["majority"]["accuracy"],
        "collapsed": "yes" if unit["collapse"]["collapsed"] else "no",
        "status": "ok",
    }
    return figures, history[["epoch", "val_accuracy"]].rename(columns={"val_accuracy": "accuracy"})


def _figure4(results: Mapping[str, _Result], variants: Sequence[str]) -> Section:
    import pandas as pd

    printed = published("talluri2022", "figure4")
    curves: dict[str, list[pd.DataFrame]] = {variant: [] for variant in variants}
    rows: list[dict[str, Any]] = []
    for model, title in HOLDOUT_MODELS.items():
        for number in range(1, 6):
            row: dict[str, Any] = {"model": title, "run": number, "published": share(printed.get((str(number), model)))}
            row["published_majority_class"] = _published_majority("casme2", "casme2")
            for variant in variants:
                result = results.get(f"holdout-{model}-{variant}")
                found = None if result is None else _holdout_row(result, number)
                if found is None:
                    row[f"{variant}_status"] = "not run"
                    continue
                row |= {f"{variant}_{key}": value for key, value in found[0].items()}
                if model == "split_model":
                    curves[variant].append(found[1].assign(run=f"run {number}"))
            rows.append(row)
    columns: list[dict[str, Any]] = [
        {"key": "model", "label": "model", "kind": "text"},
        {"key": "run", "label": "run", "kind": "integer"},
        {"key": "published", "label": "published", "kind": "published"},
        {"key": "published_majority_class", "label": "majority class", "kind": "percent"},
    ]
    for variant in variants:
        group = VARIANTS[variant]
        columns += [
            {"key": f"{variant}_last", "label": "last epoch", "kind": "percent", "group": group},
            {"key": f"{variant}_best", "label": "best (optimistic)", "kind": "percent", "group": group},
            {"key": f"{variant}_majority", "label": "majority", "kind": "percent", "group": group},
            {"key": f"{variant}_collapsed", "label": "collapsed", "kind": "text", "group": group},
            {"key": f"{variant}_status", "label": "", "kind": "status", "group": group},
        ]
    text = [
        "Five random stratified 80/20 splits of CASME II. The paper's text gives the highest of its five (run 1, 85.2 %), "
        "the lowest (run 3, 45 %), and Model-C on the split of the highest; its splits are not published, so runs cannot "
        "be matched one to one.",
        "The best epoch is chosen by looking at the test clips: it flatters, and is shown to show by how much.",
    ]
    tables = {"figure4-runs": pd.DataFrame(rows)}
    figures = []
    for variant in variants:
        if not curves[variant]:
            continue
        tables[f"figure4-{variant}"] = pd.concat(curves[variant])
        figures.append(
            {
                "file": f"tables/figure4-{variant}.csv",
                "type": "lines",
                "x": "epoch",
                "y": "accuracy",
                "series": "run",
                "title": f"Split-Model, accuracy on the test clips, {VARIANTS[variant]}",
                "x_label": "epoch",
                "y_label": "accuracy",
                "y_limits": [0, 1],
                "references": [
                    {"label": "published, highest", "value": 0.852},
                    {"label": "published, lowest", "value": 0.45},
                ],
            }
        )
    content = {
        "id": "figure4",
        "title": "Figure 4. One random split after another",
        "text": text,
        "tables": [{"file": "tables/figure4-runs.csv", "caption": "Five random splits.", "columns": columns}],
        "figures": figures,
    }
    return Section(content, tables)
