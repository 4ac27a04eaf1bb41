"""For the statistician: every test and table, every prompt and rating, and what could have been found."""

from collections.abc import Iterator

import pandas as pd

from tasks.curation.matching import matching
from tasks.formats.ratings import METRIC
from tasks.reporting.data.study import Study
from tasks.reporting.figures import rows, spread
from tasks.reporting.figures.drawing import Figure
from tasks.reporting.findings.verdicts import MODELS_OF_A_TREND
from tasks.reporting.page.section import Results, Section
from tasks.reporting.tables.columns import Column, columns
from tasks.reporting.tables.tables import Table, guessed, shown
from tasks.reporting.words.terms import MINUS, metric_of
from tasks.text.shown import safe

TWO_SIZES = "Difference of the effect between two model sizes (no trend)"
DIFFERENCE = "diff ci_lo ci_hi"
CONTRASTS = f"metric model contrast {DIFFERENCE} p p_corr m higher d_z bf10 n_prompts reason note"
CATEGORIES = f"metric model contrast category {DIFFERENCE} p p_corr n_prompts reason note"
BRIEF = f"model contrast {DIFFERENCE} p p_corr n_prompts reason note"
TREND = "model_family contrast scale models estimand estimate ci_lo ci_hi p p_corr seeds n_prompts reason"
VARIANCE = "model contrast detectable detectable_family m sd_prompt sd_sample sd_rater sd_seed n_prompts reason"
# tables that the page has a place for
_ELSEWHERE = ("contrasts", "trend", "ordinal", "by_seed", "variance", "capability", "documents_tests")
_NAMED = {
    "seedstyle": "The published kind of analysis: every sample as independent, for comparison only",
    "raters": "The main contrasts for raters at large, beside those of this panel",
    "without_empty": "The main contrasts without empty completions (secondary)",
    "missing": "Scores that are missing, and why",
    "anova": "Arm × size: repeated-measures analysis of variance over prompts (secondary, about these checkpoints)",
    "sensitivity": "The main contrasts by other means (secondary): bootstrap interval, Bayes factors with other priors",
    "validation": "The same tests on the validation prompts, which chose the settings: no claim rests on them",
    "documents": "Held-out texts, one by one: log-likelihood in nats per byte",
}


def section(results: Results) -> Section:
    """All that the other sections rest on."""
    study = results.study
    content = {
        "matched": matching(*(study.samples[study.arms_of(name)[0]] for name in study.trio[:0:-1])),
        "others": [table.name for table in others(study)],
    }
    every, title = [*tables(results), *others(study)], "For the statistician"
    return Section("statistics", "Statistics", title, content, list(_figures(results)), every)


def _figures(results: Results) -> Iterator[Figure]:
    study, metric, prompts = results.study, results.metric, results.prompts
    yield from (rows.prompts(study, metric, prompts, model) for model in study.models)
    for name, scores in study.rated.items():
        if name == METRIC:  # which has a section of its own
            continue
        yield spread.ratings(study, metric_of(name, metric.name), scores)
    yield spread.lengths(study)
    if results.toxic:
        yield spread.toxicity_scatter(study, results.secondary)
    if study.logs:
        yield spread.training(study)
    yield spread.matched_lengths(study)
    yield spread.similarity(study, metric, prompts)
    yield spread.detectable(study.measured["detectable"], prompts["prompt_id"].nunique())


def tables(results: Results) -> Iterator[Table]:
    """The tables that this section has words for."""
    study = results.study
    contrasts, trend = study.tables["contrasts"], study.tables["trend"]
    whole = contrasts["category"] == "all"
    yield _tests("contrasts", "Every test over all prompts", contrasts[whole], columns(CONTRASTS), study)
    yield _tests("categories", "Categories (descriptive)", contrasts[~whole], columns(CATEGORIES), study)
    differences = columns(f"model contrast {DIFFERENCE} reason note", digits=1)
    yield _tests("lengths", "Differences in length, in words", study.measured["lengths"], differences, study)
    caption = "The main effects without the nearest quarter"
    yield _tests("without-nearest", caption, study.measured["without_nearest"], columns(BRIEF), study)
    scores = [Column(name, name, "signed") for name in study.named]
    scores.append(Column("effect", f"{study.config.target} − {study.config.control}", "signed"))
    headings = (*columns("prompt model category", prompt="prompt"), *scores, *columns("similarity sample_id"))
    read = results.prompts.assign(prompt=[safe(study.prompts[name].prompt) for name in results.prompts["prompt_id"]])
    yield shown("prompts", "Every test prompt", read, headings, results.prompts)
    if len(variance := study.tables.get("variance", pd.DataFrame())):
        headings = columns(VARIANCE, reason="why not")
        yield _tests("variance", "Where the noise comes from, and what could be found", variance, headings, study)
    if len(trend) and len(study.models) > 1:
        caption = "Trend with model size" if trend["n_models"].max() >= MODELS_OF_A_TREND else TWO_SIZES
        yield _tests("trend", caption, trend, columns(TREND, estimand="what it is", reason="remark"), study)


def _tests(name: str, caption: str, table: pd.DataFrame, headings: tuple[Column, ...], study: Study) -> Table:
    """A table of tests with its metrics and contrasts written as on the rest of the page, but in its CSV."""
    read = table.assign(contrast=table["contrast"].str.replace(" - ", f" {MINUS} ", regex=False))
    if "metric" in table:
        read["metric"] = [metric_of(name, study.config.primary).label for name in table["metric"]]
    return shown(name, caption, read, headings, table)


def others(study: Study) -> list[Table]:
    """Every other table of significance, also those this page has no words for."""
    return [
        guessed(name, _NAMED.get(name, name.replace("_", " ").capitalize()), table)
        for name, table in study.tables.items()
        if name not in _ELSEWHERE and len(table)
    ]
