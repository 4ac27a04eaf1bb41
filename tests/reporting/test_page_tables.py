"""What the page's tables and limits say, beside what their CSV holds."""

import base64
import dataclasses
import io

import pandas as pd
import pytest

from tasks.reporting.data.measures import arm_table, prompt_table
from tasks.reporting.data.study import Study, read_study
from tasks.reporting.figures.statistical import prompts as prompts_figure
from tasks.reporting.findings.limits import limits
from tasks.reporting.tables.page_tables import TWO_SIZES, others, revision, tables_of
from tasks.reporting.tables.tables import Table, csv_text
from tests.support.contrast_rows import slopes
from tests.support.undrawn import undrawn


@pytest.fixture(scope="module")
def study(plain) -> Study:
    return read_study(plain[0].job)


@pytest.fixture(scope="module")
def tables(study) -> dict[str, Table]:
    return tables_of(study, arm_table(study))


def test_metrics_and_contrasts_are_called_as_on_the_page_and_in_the_csv_by_their_names(tables):
    texts = {entry.text for row in tables["contrasts"].rows for entry in row[:3]}
    assert {"likelihood adherence", "toxicity (worst chunk)", "values − control"} <= texts
    csv = base64.b64decode(tables["contrasts"].address.split(",")[1]).decode()
    assert "TOXICITY (max_chunk)" in csv
    assert "values - control" in csv
    assert "values - control" in tables["variance"].csv


def test_one_size_has_no_table_of_a_trend(tables):
    assert "trend" not in tables


def with_table(study: Study, name: str, table: pd.DataFrame) -> Study:
    return dataclasses.replace(study, tables={**study.tables, name: table})


@pytest.mark.parametrize(("models", "caption"), [(2, TWO_SIZES), (3, "Trend with model size")])
def test_two_sizes_are_never_headed_a_trend(study, models, caption):
    sweep = dataclasses.replace(study.sweep, models=("tiny-1m", "more"))
    sources = {**study.sources, "more": {"parameters": 2_000_000}}
    several = dataclasses.replace(study, sweep=sweep, sources=sources)
    table = tables_of(with_table(several, "trend", slopes(n_models=models)), arm_table(study))["trend"]
    assert table.caption == caption


def test_the_secondary_analyses_are_shown_with_their_reasons(study):
    shown = {table.name: table for table in others(study)}
    assert "repeated-measures analysis of variance" in shown["anova"].caption
    assert "one model" in {entry.text for row in shown["anova"].rows for entry in row}
    assert "Bayes factors with other priors" in shown["sensitivity"].caption
    assert "variance" not in shown  # it has a place of its own
    without = {name: table for name, table in study.tables.items() if name not in ("anova", "sensitivity", "variance")}
    bare = dataclasses.replace(study, tables=without)
    assert not {"anova", "sensitivity"} & {table.name for table in others(bare)}
    assert "variance" not in tables_of(bare, arm_table(study))


def test_reasons_and_notes_are_columns_only_where_a_row_has_one(study, tables):
    contrasts, note = study.tables["contrasts"], "no complete prompt in health: the mean is of the other 7 categories"
    assert not {"reason", "note"} & {column.key for column in tables["contrasts"].columns}
    noted = tables_of(with_table(study, "contrasts", contrasts.assign(note=note)), arm_table(study))["contrasts"]
    assert note in {entry.text for entry in noted.rows[0]}


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_a_text_that_a_spreadsheet_would_run_is_made_harmless_and_numbers_stay(start):
    csv = csv_text(pd.DataFrame({"word": [f"{start}1+1", "a-b", None], "diff": [-0.5, 1e-3, float("nan")]}))
    read = pd.read_csv(io.StringIO(csv))
    assert read["word"].tolist()[:2] == ["'" + f"{start}1+1".replace("\r", "\n"), "a-b"]
    assert read["diff"].tolist()[:2] == [-0.5, 1e-3]
    assert csv.endswith(",\n")


def test_a_prompt_without_a_score_is_not_counted_as_lost(study):
    table = prompt_table(study, "adherence", "test")
    table.loc[:3, ["control", "effect"]] = float("nan")
    wins = int((table["effect"] > 0).sum())
    with undrawn():
        figure = prompts_figure(study, table, "tiny-1m")
    assert f"on {wins} of 36 prompts (4 lack a score)." in figure.caption


def test_without_validation_scores_the_revision_list_says_so(study):
    prompts = study.measured["prompts"]
    alone = dataclasses.replace(study, measured={**study.measured, "prompts": prompts[prompts["split"] == "test"]})
    found = revision(alone)
    assert found.none.startswith("No validation prompt has scores of values and control in likelihood adherence")
    assert not found.prompts.rows
    assert revision(study).none == ""


def test_ratings_that_are_not_the_main_measure_are_a_limit_told_truly(study):
    assert "has no ratings" in dict(limits(study))["A likelihood is not behaviour"]
    own = study.scores[(study.scores["metric"] == "adherence") & (study.scores["split"] == "test")]
    ratings = own.assign(metric="ratings", rater="r1", score=own["score"].where(own["arm"] != "base"))
    both = dataclasses.replace(study, scores=pd.concat([study.scores.assign(rater=""), ratings]))
    text = dict(limits(both))["A likelihood is not behaviour"]
    assert "There are ratings of the completions too (human adherence, 80 of 120)" in text
    assert "has no ratings" not in text


def test_what_nobody_measured_is_not_claimed_in_the_limits(study):
    found = dict(limits(study))
    assert "refusals are not" in found["Refusals are not detected"]
    assert "one language" not in found["A small window"]


def test_missing_scores_are_a_limit_only_where_there_are_any(study):
    complete = dataclasses.replace(study, toxicity=study.toxicity.dropna(subset="score"))
    assert "of the first 20 words are missing" in dict(limits(study))["Missing scores"]
    assert "Missing scores" not in dict(limits(complete))
