"""Talluri, Fiedler and Al-Hamadi 2022: tables 1 to 4 and figure 4."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Literal

from fleeting.experiments import CompletedRun, ExperimentConfig, PlannedRun
from fleeting.sequences import Talluri2022 as Recipe
from fleeting.studies.base import Section, Study, register_study
from fleeting.studies.shapes import shape_section
from fleeting.studies.talluri2022_page import (
    CLASSES,
    HOLDOUT_MODELS,
    MODELS,
    NAMES,
    SETS,
    SOURCES,
    VARIANTS,
    FoldResults,
    figure4_section,
    table1_section,
    table3_section,
    table4_section,
)
from fleeting.training import TrainingConfig

if TYPE_CHECKING:
    from fleeting.clips import Clip


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
        """List the runs of table 3's initial sequences, figure 4 and table 4; table 3's apex sequences are table 4's."""
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
        """Make tables 1 to 4 and figure 4 in the paper's order."""
        results = {name: FoldResults(one) for name, one in done.items() if one.finished}
        parts = [
            table1_section(clips),
            shape_section("talluri2022", "table2", "Table 2. Model-A, layer by layer", "model_a"),
        ]
        if self.wants("table3"):
            parts.append(table3_section(results, self.chosen()))
        if self.wants("figure4"):
            parts.append(figure4_section(results, self.chosen()))
        if self.wants("table4"):
            parts.append(table4_section(results, self.models, self.chosen()))
        return parts
