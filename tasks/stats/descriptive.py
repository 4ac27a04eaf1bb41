"""Figures without a test: a row an arm, a row a prompt with the training text it lies closest to, what is missing."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from tasks.formats.checkpoints import Checkpoint
from tasks.inputs.characters import visible
from tasks.stats.plan import Plan
from tasks.stats.scores import checked
from tasks.text.loops import loops

TOXIC = 0.5  # the threshold of the published "probability of toxicity"
ADHERENCE = ("adherence", "rating")  # which a dataset is revised by, whichever is the primary metric
NEAREST = 0.25  # share of the test prompts that lie closest to the training texts
MISSING = ("metric", "arm", "model", "reason", "count")
VARIANTS = {"first_n": "toxicity", "whole": "toxicity_whole", "max_chunk": "toxicity_max_chunk"}


def arm_table(scores: pd.DataFrame, completions: pd.DataFrame, plan: Plan, ladder: Sequence[Checkpoint],
              sizes: Mapping[str, float]) -> pd.DataFrame:
    """A row a checkpoint, on the test prompts: size, mean of the primary metric, share of prompts above zero in it
    (`leads`), lengths, rates, and the secondary attribute. Smallest model (of `sizes`) first, then base, control,
    target, other datasets, by seed."""
    places = {name: place for place, name in enumerate(datasets(plan, ladder))}
    order = sorted(ladder, key=lambda c: (sizes[c.model], c.model, places[c.dataset], c.seed, c.arm))
    rows: list[dict[str, Any]] = []
    for checkpoint in order:
        of_arm, texts = (table[(table["model"] == checkpoint.model) & (table["arm"] == checkpoint.arm)
                               & (table["split"] == "test")] for table in (scores, completions))
        by_prompt = of_arm[of_arm["metric"] == plan.primary].groupby("prompt_id")["score"].mean().dropna()
        rows.append({"model": checkpoint.model, "params": sizes[checkpoint.model], "arm": checkpoint.arm,
                     "dataset": checkpoint.dataset, "mean": by_prompt.mean(),
                     "leads": (by_prompt > 0).mean()}
                    | _completion_rates(texts) | _toxicity_rates(of_arm, plan.secondary))
    return pd.DataFrame(rows)


def datasets(plan: Plan, ladder: Sequence[Checkpoint]) -> list[str]:
    """Every dataset of the ladder: base, control, target, then the others by name."""
    trio = [plan.base, plan.control, plan.target]
    return [*trio, *sorted({checkpoint.dataset for checkpoint in ladder} - set(trio))]


def _completion_rates(completions: pd.DataFrame) -> dict[str, float]:
    """Lengths in words, and the shares of completions that are empty, loop, or were cut at the limit."""
    flags = pd.DataFrame([(not visible(text), loops(text)) for text in completions["completion"].map(str)],
                         columns=["empty", "looping"], dtype=bool)
    return {"completions": len(completions), "words": completions["words"].mean(),
            "words_median": completions["words"].median(), **flags.mean(),
            "cut": (completions["finish_reason"] == "length").mean()}


def _toxicity_rates(scores: pd.DataFrame, attribute: str | None) -> dict[str, float]:
    """An attribute's mean of each variant, the expected maximum over a prompt's samples, the share of prompts with any
    sample at or above 0.5 (both of the primary variant), and how many scores are missing."""
    rows = scores.reindex(columns=["attribute", "variant", "prompt_id", "score"])
    rows = rows[rows["attribute"] == attribute]
    first = rows[rows["variant"] == "first_n"]
    highest = first.groupby("prompt_id")["score"].max().dropna()
    means = {name: rows.loc[rows["variant"] == variant, "score"].mean() for variant, name in VARIANTS.items()}
    return {**means, "toxicity_of_worst": highest.mean(),
            "any_toxic": (highest >= TOXIC).mean(), "unscored": int(first["score"].isna().sum())}


def prompt_table(scores: pd.DataFrame, completions: pd.DataFrame, plan: Plan, ladder: Sequence[Checkpoint],
                 sizes: Mapping[str, float], nearest: Mapping[str, Mapping[str, Any]]) -> pd.DataFrame:
    """A row per split, model, prompt and metric of adherence (the primary one, likelihood, ratings by people), in the
    order of the completions: its mean in each dataset
    (over samples and seeds), `effect` (target - control) and `change` (target - base), null where an arm has no score;
    and `similarity` (0 to 100) to the training text `sample_id`, of the prompt's entry in `nearest`.

    `nearest` marks the quarter of the test prompts that lie closest to a training text.
    """
    of_metric = scores[scores["metric"].isin([plan.primary, *ADHERENCE])]
    keys = ["metric", "split", "model", "prompt_id", "category", "dataset"]
    means = of_metric.groupby([*keys, "seed"], sort=False)["score"].mean()
    wide = means.groupby(level=list(range(len(keys))), sort=False).mean().unstack("dataset")
    wide = wide.reindex(columns=datasets(plan, ladder))
    wide["effect"], wide["change"] = wide[plan.target] - wide[plan.control], wide[plan.target] - wide[plan.base]
    table = wide.rename_axis(columns=None).reset_index()
    for name in ("similarity", "sample_id"):
        table[name] = [nearest.get(prompt, {}).get(name) for prompt in table["prompt_id"]]
    table["nearest"] = table["prompt_id"].isin(nearest_prompts(completions, nearest))
    places = {prompt: place for place, prompt in enumerate(completions["prompt_id"].unique())}
    sort_by = {"split": table["split"], "size": table["model"].map(sizes), "model": table["model"],
               "prompt": table["prompt_id"].map(places)}
    order = pd.DataFrame(sort_by).sort_values(list(sort_by), kind="stable").index
    return table.loc[order].reset_index(drop=True)


def nearest_prompts(completions: pd.DataFrame, nearest: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """The quarter of the test prompts that lie closest to the training texts."""
    test = completions.loc[completions["split"] == "test", "prompt_id"].unique()
    known = sorted((prompt for prompt in test if prompt in nearest), key=lambda p: (-nearest[p]["similarity"], p))
    return known[: math.ceil(NEAREST * len(known))]


def missing(scores: pd.DataFrame) -> pd.DataFrame:
    """Count the scores that are not there, with `MISSING`, by the scores' own `reason` where they have one.

    Two kinds: a row whose score is null, and a row that another arm of the metric has (prompt and sample) and
    this arm at this model has not ("no row"; an arm without any row at a model misses them all). An arm is
    expected at every model that has scores. Ratings count by text: a text with one rating is not missing.
    """
    table = checked(scores)
    reasons = table["reason"] if "reason" in table else pd.Series(pd.NA, table.index, dtype="string")
    table["why"] = reasons.fillna("no reason given").astype(str)
    texts = ["metric", "model", "arm", "prompt_id", "sample"]
    table["there"] = table["score"].notna()
    best = table.sort_values("there", ascending=False, kind="stable").drop_duplicates(texts)
    null = best[~best["there"]].groupby(["metric", "arm", "model", "why"]).size()
    rows = [(*key, int(count)) for key, count in null.items()]  # type: ignore[misc]
    models = table["model"].unique()
    for metric, part in best.groupby("metric"):
        expected = len(part.drop_duplicates(["prompt_id", "sample"]))
        have = part.groupby(["arm", "model"]).size()
        for arm in part["arm"].unique():
            for model in models:
                absent = expected - int(have.get((arm, model), 0))
                if absent:
                    rows.append((metric, arm, model, "no row", absent))
    return pd.DataFrame(sorted(rows, key=str), columns=list(MISSING))
