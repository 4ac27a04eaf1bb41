"""Figures per arm, per prompt, of length and of likeness to training, as significance measured them."""

import hashlib

import pandas as pd

from tasks.reporting.data.study import Study
from tasks.reporting.words.terms import LIKELIHOOD
from tasks.text.loops import loops as loops

_OF_SIMILARITY = ["similarity", "sample_id", "nearest"]


def prompt_table(study: Study, metric: str, split: str) -> pd.DataFrame:
    """A row per model and prompt: category, a column for each dataset (mean over its samples and seeds), and
    `effect` (target - control) and `change` (target - base). Null where an arm has no score."""
    return _prompts(study, metric, split).drop(columns=_OF_SIMILARITY)


def similarity_table(study: Study) -> pd.DataFrame:
    """The rows of `prompt_table` with each prompt's nearest training text (of the target's first arm): `similarity`
    (0 to 100), `sample_id`, and whether it is `nearest`, among the closest quarter."""
    return _prompts(study, study.config.primary, "test")


def _prompts(study: Study, metric: str, split: str) -> pd.DataFrame:
    table = study.measured["prompts"]
    rows = table[(table["metric"] == metric) & (table["split"] == split)]
    return rows.drop(columns=["metric", "split"]).reset_index(drop=True)


def rated(study: Study) -> dict[str, pd.DataFrame]:
    """For each metric that raters gave, the primary one first, its scores of the test prompts: a row a rating, null
    where one is missing. None where a metric has no raters."""
    rows = study.scores[(study.scores["split"] == "test") & (study.scores["rater"] != "")]
    names = set(rows.loc[rows["score"].notna(), "metric"])
    order = sorted(names, key=lambda name: (name != study.config.primary, name))
    return {name: rows[rows["metric"] == name] for name in order}


def arm_table(study: Study) -> pd.DataFrame:
    """A row per model and arm, on the test prompts: size, mean score, length, rates, toxicity."""
    table = study.measured["arms"]
    return table if study.config.primary in LIKELIHOOD else table.drop(columns="leads")


def test_completions(study: Study) -> pd.DataFrame:
    """The completions of the test prompts."""
    return study.completions[study.completions["split"] == "test"]


def length_effects(study: Study) -> pd.DataFrame:
    """The contrasts of the completions' length, in words: nobody planned a test of it, so its p is not shown."""
    return study.measured["lengths"]


def without_nearest(study: Study) -> pd.DataFrame:
    """The confirmatory contrasts once more, without the nearest quarter of the prompts."""
    return study.measured["without_nearest"]


def detectable_effects(study: Study) -> pd.DataFrame:
    """The smallest effect found with 80% power, `d_z`, by `n_prompts` and size of the family, `tests`."""
    return study.measured["detectable"]


def drawn_prompts(study: Study) -> list[str]:
    """The test prompts in an order drawn by `report.seed`; another prompt moves none of the others."""
    test = [prompt.id for prompt in study.prompts.values() if prompt.split == "test"]
    return sorted(test, key=lambda name: hashlib.sha256(f"{study.report.seed}:{name}".encode()).hexdigest())
