"""Contrasts that ask whether something else explains the effect: length, or likeness to the training texts."""

from collections.abc import Collection
from dataclasses import replace

import pandas as pd

from tasks.stats.contrasts import ALL, contrasts
from tasks.stats.plan import Plan

LENGTH = "length in words"


def length_contrasts(completions: pd.DataFrame, plan: Plan) -> pd.DataFrame:
    """The contrasts of the test completions' length, `words`. Nobody planned a test of it."""
    test = completions[completions["split"] == "test"]
    table = contrasts(test.assign(metric=LENGTH, score=test["words"]), replace(plan, primary=LENGTH, secondary=None))
    return table[table["category"] == ALL].reset_index(drop=True)


def contrasts_without(scores: pd.DataFrame, prompts: Collection[str], plan: Plan) -> pd.DataFrame:
    """The confirmatory contrasts once more, on the test prompts that are not among these."""
    rows = scores[(scores["metric"] == plan.primary) & (scores["split"] == "test")]
    table = contrasts(rows[~rows["prompt_id"].isin(prompts)], replace(plan, secondary=None))
    return table[(table["category"] == ALL) & (table["family"] == "confirmatory")].reset_index(drop=True)
