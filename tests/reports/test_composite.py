"""What the page says of a composite, of published figures, and of what was chosen."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fleeting.records import ChallengeLog, ChoicePart, RunConfig, RunHead, Scores, Summary, UnitRecord
from fleeting.reports import render_report

WriteRun = Callable[..., Path]
PUBLISHED = [
    {"data": "full", "uf1": 0.735, "uar": 0.761, "source": "Liong <2019>"},
    {"data": "full", "uf1": 0.721, "uar": None, "source": "their log"},
    {"data": "casme2", "uf1": 0.838, "uar": 0.869, "source": "Liong <2019>"},
]


def change(run: Path, **parts: dict[str, Any] | tuple[str, ...]) -> None:
    """Change fields of the configuration in ``run.json``; of its parts those that are given."""
    head = RunHead.read(run / "run.json")
    config = head.config.to_json()
    for name, value in parts.items():
        config[name] = {**config[name], **value} if isinstance(value, dict) else value
    head.model_copy(update={"config": RunConfig(**config)}).write(run / "run.json")


def choose(run: Path, *choices: ChoicePart) -> None:
    """Give the units these choices, in turn."""
    for number, file in enumerate(sorted(run.glob("units/*/unit.json"))):
        done = UnitRecord.read(file)
        done.model_copy(update={"selection": choices[number % len(choices)]}).write(file)


def section(run: Path, name: str) -> str:
    page = render_report(run).read_text(encoding="utf-8")
    return page.split(f'id="{name}"')[1].split("</section>")[0]


def plain(html: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def rows_of(run: Path) -> dict[str, list[str]]:
    """Cells by the first one, of the table of the composite."""
    table = section(run, "results").split('class="study composite"')[1].split("</table>")[0]
    rows = re.findall(r"<tr.*?</tr>", table.split("<tbody>")[1], flags=re.S)
    cells = [[plain(cell) for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, flags=re.S)] for row in rows]
    return {row[0]: row[1:] for row in cells}


def scored_again(run: Path) -> Summary:
    """The summary with what newer versions write."""
    old = Summary.read(run / "summary.json")
    more = {"uf1_low": 0.111, "uf1_high": 0.999, "uf1_fold_mean": 0.654, "uar_fold_mean": 0.456}
    parts = {name: scores.model_copy(update=more) for name, scores in old.pooled.by_dataset.items()}
    pooled = old.pooled.model_copy(update={**more, "by_dataset": parts})
    new = old.model_copy(update={"pooled": pooled, "challenge_log": ChallengeLog(file="challenge_log.txt")})
    new.write(run / "summary.json")
    return new


def test_a_composite_has_the_whole_and_each_data_set(write_run: WriteRun) -> None:
    run = write_run()
    pooled = scored_again(run).pooled
    rows = rows_of(run)
    assert list(rows) == ["All", "casme2", "synthetic"]
    assert [row[:2] for row in rows.values()] == [["72", "12"], ["24", "4"], ["48", "8"]]
    assert rows["casme2"][2] == f"{pooled.by_dataset['casme2'].uf1:.3f} [0.111, 0.999]"
    assert rows["All"][3].startswith(f"{pooled.uar:.3f}")
    assert [row[-2:] for row in rows.values()] == [["0.654", "0.456"]] * 3
    text = plain(section(run, "results"))
    assert "UF1, fold mean" in text and "is not the challenge’s" in text
    assert "in challenge_log.txt" in text and "Published" not in text
    assert 'title="Means of folds average' in section(run, "results")


def test_a_run_of_an_earlier_version_has_fewer_columns(write_run: WriteRun) -> None:
    run = write_run()
    assert len(rows_of(run)["All"]) == 6
    text = section(run, "results")
    assert "fold mean" not in text and "challenge_log" not in text


def test_one_data_set_is_no_composite(write_run: WriteRun) -> None:
    run = write_run()
    summary = Summary.read(run / "summary.json")
    pooled = summary.pooled.model_copy(update={"by_dataset": {"casme2": Scores(uf1=0.5)}})
    summary.model_copy(update={"pooled": pooled}).write(run / "summary.json")
    assert "composite" not in section(run, "results")


def test_published_figures_stand_beside_those_of_the_composites_protocol(write_run: WriteRun) -> None:
    run = write_run()
    change(run, model={"published": PUBLISHED})
    assert "Published" not in section(run, "results")
    change(run, protocol={"name": "cde"}, data=("casme2:/x", "smic:/y"))
    rows = rows_of(run)
    assert rows["All"][4:6] == ["0.735 0.721", "0.761 –"] and rows["casme2"][4:6] == ["0.838", "0.869"]
    assert rows["synthetic"][4:6] == ["–", "–"]
    text = plain(section(run, "results"))
    assert "0.735 / 0.761: Liong &lt;2019&gt;; 0.721 / –: their log; 0.838" in text
    assert "compared only if the clips here are the whole composite" in text
    change(run, data=("synthetic:clips",))
    assert "the two cannot be compared" in plain(section(run, "results"))


def test_published_figures_without_a_number_are_left_out(write_run: WriteRun) -> None:
    run = write_run()
    change(run, model={"published": [{"data": "full"}]}, protocol={"name": "cde"})
    assert "Published" not in section(run, "results")


def test_nothing_chosen_is_said(write_run: WriteRun) -> None:
    run = write_run()
    assert "Chosen Nothing was chosen: the last epoch." in plain(section(run, "method"))
    change(run, selection={"sentence": "nothing was chosen: the weights after the last epoch"})
    assert "Nothing was chosen: the weights after the last epoch." in plain(section(run, "method"))
    assert "25 epochs, weights of the last one" in section(run, "method")


def test_what_was_chosen_is_counted(write_run: WriteRun) -> None:
    run = write_run()
    change(run, selection={"sentence": "the epochs chosen on 3 inner folds.", "epochs": True})
    chosen = [
        {"epochs": n, "training.learning_rate": rate} for n, rate in zip((3, 9, 5, 21, 7), (0.1, 0.1, 0.1, 0.1, 5e-5))
    ]
    choose(run, *(ChoicePart(sentence="of a unit", chosen=one) for one in chosen))
    text = plain(section(run, "method"))
    assert "Chosen The epochs chosen on 3 inner folds. Chosen epochs: 3 to 21, half of them at most 7." in text
    assert "Chosen learning rate: 0.1 in 4 folds and 5e-05 in 1 fold." in text
    assert "at most 25 epochs;" in text and "of a unit" not in text


def test_units_speak_where_the_run_does_not(write_run: WriteRun) -> None:
    run = write_run(seeds=(0, 1))
    choose(run, ChoicePart(sentence="by an inner split", chosen={"kernel": "linear"}))
    text = plain(section(run, "method"))
    assert "By an inner split. Chosen kernel: linear in 10 training runs." in text


def test_few_folds_are_shown_one_by_one(write_run: WriteRun) -> None:
    results = section(write_run(), "results")
    assert "<details" not in results and "<h3>By fold</h3>" in results


def test_many_folds_of_a_composite_are_folded_away(write_run: WriteRun) -> None:
    run = write_run(seeds=(0, 1, 2, 3, 4), collapsed=(1,), epochs=3)
    results = section(run, "results")
    assert "Every one of 25 training runs" in results
    assert results.index("study composite") < results.index("<details")
    legend = plain(section(run, "learning").split("</ul>")[0])
    assert legend.endswith("Each fold Each fold that collapsed Mean")
