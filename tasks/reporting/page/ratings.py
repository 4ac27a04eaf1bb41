"""What people said: how far they have rated, whether they agree, how severe each is, and where they disagree most."""

from collections.abc import Iterator
from typing import Any

import pandas as pd

from tasks.formats.ratings import METRIC
from tasks.reporting.data.study import Study
from tasks.reporting.figures import spread
from tasks.reporting.page.section import Results, Section
from tasks.reporting.tables.columns import Column, columns
from tasks.reporting.tables.tables import Table, shown
from tasks.reporting.words.sentences import say
from tasks.reporting.words.terms import metric_of
from tasks.settings.ratings import Ratings
from tasks.text.shown import excerpt, safe

AGREEMENT = "arm coefficient value ci_lo ci_hi n_texts n_prompts raters reason"
RATERS = (
    "rater given cannot_judge severity severity_lo severity_hi shared_texts repeats repeats_same "
    "attention attention_failed passed seconds"
)
DISAGREEMENTS = "each prompt completion notes model arm"
ORDINAL = "model contrast odds_ratio log_odds ci_lo ci_hi p p_corr p_corr_means n_ratings reason"
LONGEST = 400  # characters of a completion in the table


def section(results: Results) -> Section:
    """The ratings; before they are closed, how many there are and what to do next."""
    study = results.study
    row: dict[Any, Any] = study.ratings["progress"].to_dict("records")[0]
    closed = isinstance(row["closed_at"], str)
    content = {"progress": say("ratings.closed" if closed else "ratings.open", row), "remarks": []}
    tables: list[Table] = []
    figures = []
    if closed and row["given"]:
        content["remarks"] = list(_remarks(results, row))
        tables = list(_tables(study))
        if METRIC in study.rated:
            figures.append(spread.ratings(study, metric_of(METRIC, results.metric.name), study.rated[METRIC]))
    return Section("ratings", "Human ratings", "What people said of the completions", content, figures, tables)


def _remarks(results: Results, row: dict[Any, Any]) -> Iterator[str]:
    study = results.study
    if row["split"] != "test":
        yield say("ratings.validation", row)
    else:
        yield say("ratings.main" if study.config.primary == METRIC else "ratings.incomplete", row)
    raters = study.ratings["raters"]
    if names := [str(name) for name in raters.loc[raters["failed"].astype(bool), "rater"]]:
        yield say("ratings.failed", names, results.job.section("ratings", Ratings).most_failed_attention)
    tests = _ordinal(study)["same_decision"].dropna().astype(bool)
    if len(tests):
        yield say("ratings.ordinal", int(tests.sum()), len(tests))


def _ordinal(study: Study) -> pd.DataFrame:
    table = study.tables.get("ordinal", pd.DataFrame(columns=["metric", "same_decision"]))
    return table[table["metric"] == METRIC]


def _tables(study: Study) -> Iterator[Table]:
    ratings = study.ratings
    headings = columns(AGREEMENT, reason="why not")
    yield shown("ratings-agreement", "Do raters agree?", ratings["agreement"], headings)
    raters = ratings["raters"]
    passed = raters["failed"].astype(bool).map({True: "no", False: "yes"})
    yield shown("ratings-raters", "Raters", raters.assign(passed=passed), columns(RATERS), raters)
    apart = ratings["disagreements"]
    if len(apart):
        read = apart.assign(
            prompt=apart["prompt"].map(safe),
            completion=[_short(text) for text in apart["completion"]],
            notes=apart["notes"].map(safe, na_action="ignore"),
        )
        caption = "Texts that raters disagreed on most"
        yield shown("ratings-disagreements", caption, read, columns(DISAGREEMENTS, prompt="prompt"), apart)
    if len(tests := _ordinal(study)):
        read = tests.assign(contrast=tests["contrast"].str.replace(" - ", " − ", regex=False))
        headings = (*columns(ORDINAL), Column("same_decision", "decides as the means"))
        yield shown("ratings-ordinal", "The main contrasts by an ordinal model", read, headings, tests)


def _short(text: object) -> str:
    if not isinstance(text, str) or not text:
        return "(empty)"
    words, left = excerpt(text, LONGEST)
    return words + "…" * bool(left)
