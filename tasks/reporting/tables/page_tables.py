"""The tables of the page: of the tests, of what this stage measured, and of what to revise."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from tasks.reporting.data.measures import length_effects, prompt_table, similarity_table, without_nearest
from tasks.reporting.data.study import Study
from tasks.reporting.findings.verdicts import MODELS_OF_A_TREND
from tasks.reporting.tables import columns
from tasks.reporting.tables.columns import Column
from tasks.reporting.tables.tables import Table, guessed, shown
from tasks.reporting.words.terms import MINUS, metric_of
from tasks.reporting.words.text import safe

TWO_SIZES = "Difference of the effect between two model sizes (no trend)"
REVISED = 8  # validation prompts listed


@dataclass(frozen=True)
class Revision:
    """Where the dataset fell short on the validation prompts: categories and prompts, the worst first."""

    categories: Table
    prompts: Table
    none: str  # why there is nothing to list


def tables_of(study: Study, arms: pd.DataFrame) -> dict[str, Table]:
    """Every table the page has words for, by name."""
    contrasts, trend = study.tables["contrasts"], study.tables["trend"]
    told = spoken(contrasts, study)
    overall, parts = told[told["category"] == "all"], told[told["category"] != "all"]
    far, secondary = without_nearest(study), metric_of(study.config.secondary, study.config.primary).label
    found = [
        shown("arms", "Mean score of each arm", arms, columns.ARMS),
        shown("toxicity", f"{secondary.capitalize()} and length of each arm", arms, columns.lengths(secondary)),
        shown("rates", "Empty, looping and cut completions", arms, columns.RATES),
        shown("contrasts", "Every test over all prompts", overall, columns.CONTRASTS, contrasts.loc[overall.index]),
        shown("categories", "Categories (descriptive)", parts, columns.CATEGORIES, contrasts.loc[parts.index]),
        _shown("lengths", "Differences in length, in words", length_effects(study), columns.DIFFERENCES),
        _shown("without-nearest", "The main effects without the nearest quarter", far, columns.BRIEF),
        shown("prompts", "Every test prompt", similarity_table(study), _prompt_columns(study)),
    ]
    if len(variance := study.tables.get("variance", pd.DataFrame())):
        caption = "Where the noise comes from, and what could be found"
        found.append(_shown("variance", caption, variance, columns.VARIANCE))
    if len(trend) and len(study.models) > 1:
        caption = "Trend with model size" if trend["n_models"].max() >= MODELS_OF_A_TREND else TWO_SIZES
        found.append(shown("trend", caption, spoken(trend, study), columns.TREND, trend))
    return {table.name: table for table in found}


def spoken(table: pd.DataFrame, study: Study) -> pd.DataFrame:
    """A table of tests with its metrics and contrasts written as on the rest of the page."""
    labels = {name: metric_of(name, study.config.primary).label for name in table["metric"].unique()}
    return _signs(table.assign(metric=table["metric"].map(labels)))


def _signs(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(contrast=table["contrast"].str.replace(" - ", f" {MINUS} ", regex=False))


def _shown(name: str, caption: str, table: pd.DataFrame, columns_: Sequence[Column]) -> Table:
    """A table of contrasts with true minus signs between their arms, but in its CSV."""
    return shown(name, caption, _signs(table), columns_, table)


def _prompt_columns(study: Study) -> list[Column]:
    return [
        Column("model", "model"),
        Column("prompt_id", "prompt"),
        Column("category", "category"),
        *[Column(name, name, "signed") for name in study.named],
        Column("effect", f"{study.config.target} − {study.config.control}", "signed"),
        Column("similarity", "similarity to training", "number", 1),
        Column("sample_id", "nearest sample"),
    ]


_ELSEWHERE = ("contrasts", "trend", "variance", "capability", "documents_tests")  # tables that the page has a place for
_NAMED = {
    "seedstyle": "The published kind of analysis: every sample as independent, for comparison only",
    "missing": "Scores that are missing, and why",
    "anova": "Arm × size: repeated-measures analysis of variance over prompts (secondary, about these checkpoints)",
    "sensitivity": "The main contrasts by other means (secondary): bootstrap interval, Bayes factors with other priors",
    "validation": "The same tests on the validation prompts",
    "documents": "Held-out texts, one by one: log-likelihood in nats per byte",
}


def others(study: Study) -> list[Table]:
    """Every other table of significance, also those this page has no words for."""
    rest = [name for name in study.tables if name not in _ELSEWHERE]
    return [
        guessed(name, _NAMED.get(name, name.replace("_", " ").capitalize()), study.tables[name])
        for name in rest
        if len(study.tables[name])
    ]


def revision(study: Study) -> Revision:
    """The validation prompts and categories with the smallest gain over control, the first the worst."""
    base, control, target = study.trio
    scores = [*study.named, "effect", "change"]
    table = prompt_table(study, study.config.primary, "validation")
    means = table.groupby(["prompt_id", "category"], sort=False)[scores].mean().reset_index()
    means = means.dropna(subset="effect")  # without a gain there is no order to list them in
    worst = means.sort_values("effect", kind="stable").head(REVISED)
    worst = worst.assign(prompt=[safe(study.prompts[name].prompt) for name in worst["prompt_id"]])
    by_category = means.groupby("category")[scores].mean().reset_index().sort_values("effect", kind="stable")
    by_category["title"] = [study.title_of(name) for name in by_category["category"]]
    gains = [Column("effect", f"{target} − {control}", "signed"), Column("change", f"{target} − {base}", "signed")]
    of_category = [Column("title", "category"), *gains, *[Column(name, name, "signed") for name in study.named]]
    of_prompt = [Column("prompt_id", "prompt"), Column("prompt", "text"), *of_category[1:]]
    label = metric_of(study.config.primary, study.config.primary).label
    none = f"No validation prompt has scores of {target} and {control} in {label}, so there is nothing to list here."
    return Revision(
        none="" if len(means) else none,
        categories=shown("revision-categories", "Categories, smallest gain first", by_category, of_category),
        prompts=shown("revision-prompts", "Prompts, smallest gain first", worst, of_prompt, means),
    )
