"""What the page's tables and limits say, beside what their CSV holds."""

import dataclasses
import io
import shutil

import pandas as pd
import pytest

from tasks.reporting.data.study import Study, read_study
from tasks.reporting.figures import rows
from tasks.reporting.findings.limits import limits
from tasks.reporting.page import choices, render, revision, statistics
from tasks.reporting.page.section import Results, Section
from tasks.reporting.tables.tables import Table, csv_text
from tests.support.contrast_rows import slopes
from tests.support.undrawn import undrawn


@pytest.fixture(scope="module")
def results(plain) -> Results:
    return Results(plain[0].job, read_study(plain[0].job))


@pytest.fixture(scope="module")
def study(results) -> Study:
    return results.study


@pytest.fixture(scope="module")
def tables(results) -> dict[str, Table]:
    return tables_of(results)


def tables_of(results: Results, **changed: object) -> dict[str, Table]:
    """The tables of the statistics; of a study with some tables `changed`, or left out where they are None."""
    by_name = {name: table for name, table in {**results.study.tables, **changed}.items() if table is not None}
    study = dataclasses.replace(results.study, tables=by_name)
    shown = [*statistics.tables(dataclasses.replace(results, study=study)), *statistics.others(study)]
    return {table.name: table for table in shown}


def texts(table: Table) -> set[str]:
    return {entry.text for row in table.rows for entry in row}


def test_metrics_and_contrasts_are_called_as_on_the_page_and_in_the_csv_by_their_names(tables):
    assert {"likelihood adherence", "toxicity (worst chunk)", "values − control"} <= texts(tables["contrasts"])
    assert "TOXICITY (max_chunk)" in tables["contrasts"].csv
    assert "values - control" in tables["contrasts"].csv
    assert "values - control" in tables["variance"].csv


def test_a_metric_and_a_table_that_nobody_foresaw_are_shown(results):
    contrasts = results.study.tables["contrasts"]
    row = contrasts[contrasts["category"] == "all"].iloc[[0]]
    new = row.assign(metric="new_metric", diff=0.4567, ci_lo=0.1234, ci_hi=0.7891, p_corr=0.0321, reason=None)
    table = pd.DataFrame([{"kind": "new", "z": 2.5}])
    shown = tables_of(results, contrasts=pd.concat([contrasts, new]), new_kind=table)
    (cells,) = [entries for entries in shown["contrasts"].rows if entries[0].text == "new metric"]
    labels = [column.label for column in shown["contrasts"].columns]
    read = {label: entry.text for label, entry in zip(labels[:10], cells, strict=False)}
    assert (read["difference"], read["interval"]) == ("+0.457", "+0.123 to +0.789")
    assert read["p corrected"] == "0.0321"
    assert shown["new_kind"].caption == "New kind"
    assert texts(shown["new_kind"]) == {"new", "2.500"}


def test_a_section_is_what_it_says_of_itself_and_a_template(results, tmp_path, monkeypatch):
    shutil.copytree(render._HERE, tmp_path, dirs_exist_ok=True)
    (tmp_path / "extra.html.j2").write_text("<p>{{ text }} of {{ target }}</p>", "utf-8")
    monkeypatch.setattr(render, "_HERE", tmp_path)
    page, _ = render.render(results, [Section("extra", "Extra", "A further section", {"text": "<b>"})])
    assert '<li><a href="#extra">Extra</a></li>' in page
    assert '<h2 id="extra-title">A further section</h2>\n<p>&lt;b&gt; of values</p>\n</section>' in page


@pytest.mark.parametrize(("models", "caption"), [(2, statistics.TWO_SIZES), (3, "Trend with model size")])
def test_two_sizes_are_never_headed_a_trend_and_one_has_no_table(results, models, caption):
    assert "trend" not in tables_of(results)
    sweep = dataclasses.replace(results.study.sweep, models=("tiny-1m", "more"))
    sources = {**results.study.sources, "more": {"parameters": 2_000_000}}
    several = dataclasses.replace(results.study, sweep=sweep, sources=sources)
    table = tables_of(dataclasses.replace(results, study=several), trend=slopes(n_models=models))["trend"]
    assert table.caption == caption


def test_the_secondary_analyses_are_shown_with_their_reasons(results, tables):
    assert "repeated-measures analysis of variance" in tables["anova"].caption
    assert "one model" in texts(tables["anova"])
    assert "Bayes factors with other priors" in tables["sensitivity"].caption
    assert tables["variance"].caption.startswith("Where the noise comes from")  # a place of its own
    absent = ("anova", "sensitivity", "variance")
    assert not set(absent) & set(tables_of(results, **dict.fromkeys(absent)))


def test_reasons_and_notes_are_columns_only_where_a_row_has_one(results, tables):
    contrasts, note = results.study.tables["contrasts"], "no complete prompt in health: the mean is of the other 7"
    assert not {"reason", "note"} & {column.key for column in tables["contrasts"].columns}
    assert note in texts(tables_of(results, contrasts=contrasts.assign(note=note))["contrasts"])


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_a_text_that_a_spreadsheet_would_run_is_made_harmless_and_numbers_stay(start):
    csv = csv_text(pd.DataFrame({"word": [f"{start}1+1", "a-b", None], "diff": [-0.5, 1e-3, float("nan")]}))
    read = pd.read_csv(io.StringIO(csv))
    assert read["word"].tolist()[:2] == ["'" + f"{start}1+1".replace("\r", "\n"), "a-b"]
    assert read["diff"].tolist()[:2] == [-0.5, 1e-3]
    assert csv.endswith(",\n")


def test_a_prompt_without_a_score_is_not_counted_as_lost(results, study):
    table = study.prompt_scores("adherence", "test")
    table.loc[:3, ["control", "effect"]] = float("nan")
    wins = int((table["effect"] > 0).sum())
    with undrawn():
        figure = rows.prompts(study, results.metric, table, "tiny-1m")
    assert f"on {wins} of 36 prompts (4 lack a score)." in figure.caption


def test_without_validation_scores_the_revision_list_says_so(results, study):
    prompts = study.measured["prompts"]
    alone = dataclasses.replace(study, measured={**study.measured, "prompts": prompts[prompts["split"] == "test"]})
    section = revision.section(dataclasses.replace(results, study=alone))
    reason = "No validation prompt has scores of both values and control in likelihood adherence."
    assert section.content["none"] == reason
    assert not section.tables[1].rows
    assert revision.section(results).content["none"] == ""


def test_ratings_that_are_not_the_main_measure_are_a_limit_told_truly(study):
    assert "has no ratings" in dict(limits(study))["A likelihood is not behaviour"]
    own = study.scores[(study.scores["metric"] == "adherence") & (study.scores["split"] == "test")]
    ratings = own.assign(metric="ratings", rater="r1", score=own["score"].where(own["arm"] != "base"))
    both = dataclasses.replace(study, scores=pd.concat([study.scores.assign(rater=""), ratings]))
    text = dict(limits(both))["A likelihood is not behaviour"]
    assert "There are ratings of the completions too (human adherence, 80 of 120)" in text
    assert "has no ratings" not in text


def test_missing_scores_are_a_limit_only_where_there_are_any_and_what_nobody_measured_is_not_claimed(study):
    assert "refusals are not" in dict(limits(study))["Refusals are not detected"]
    assert "one language" not in dict(limits(study))["A small window"]
    complete = dataclasses.replace(study, toxicity=study.toxicity.dropna(subset="score"))
    assert "of the first 20 words are missing" in dict(limits(study))["Missing scores"]
    assert "Missing scores" not in dict(limits(complete))


def test_choices_show_how_the_models_were_fine_tuned(results) -> None:
    model = next(iter(results.job.params["models"]))
    method = {"rank": 16, "alpha": 32.0, "dropout": 0.05, "targets": ["q_proj", "v_proj"]}

    def shown(**changed: object) -> dict[str, str]:
        models = {model: {"finetune": results.job.params["models"][model]["finetune"] | changed}}
        job = dataclasses.replace(results.job, params=results.job.params | {"models": models})
        return dict(choices.section(dataclasses.replace(results, job=job)).content["choices"]["models"])

    key = f"{model}.finetune.lora"
    assert f"{model}.finetune.learning_rate" in shown()
    assert not [name for name in shown() if "lora" in name]
    assert shown(lora=None)[key] == "none"
    rows = shown(lora=method)
    assert {name.rpartition(".")[2]: value for name, value in rows.items() if name.startswith(key)} == {
        "rank": "16", "alpha": "32.0", "dropout": "0.05", "targets": "q_proj, v_proj"
    }
