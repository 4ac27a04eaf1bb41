"""Figures that no test table holds: per arm, per prompt, lengths and rates, and what the dataset lies close to."""

import hashlib
import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

import pandas as pd

from tasks.inputs.characters import visible
from tasks.reporting.data.study import Study
from tasks.reporting.words.terms import LIKELIHOOD
from tasks.stats.contrasts import contrasts
from tasks.stats.scores import checked
from tasks.text.words import words

TOXIC = 0.5  # the threshold of the published "probability of toxicity"
NEAREST = 0.25  # share of the prompts that lie closest to the training texts
LENGTH = "length in words"
LOOP_WORDS = 4  # a completion loops if of its runs of so many words
LOOP_SHARE = 0.5  # this share repeats earlier ones


def prompt_table(study: Study, metric: str, split: str) -> pd.DataFrame:
    """A row per model and prompt: category, a column for each dataset (mean over its samples and seeds), and
    `effect` (target - control) and `change` (target - base). Null where an arm has no score."""
    scores = study.scores[(study.scores["metric"] == metric) & (study.scores["split"] == split)]
    means = scores.groupby(["model", "prompt_id", "category", "dataset", "seed"], sort=False)["score"].mean()
    wide = means.groupby(level=[0, 1, 2, 3], sort=False).mean().unstack("dataset")
    wide = wide.reindex(columns=study.named)
    base, control, target = study.trio
    wide["effect"], wide["change"] = wide[target] - wide[control], wide[target] - wide[base]
    table = wide.reset_index()
    order = {model: number for number, model in enumerate(study.models)}
    ids = {prompt: number for number, prompt in enumerate(study.prompts)}
    by = pd.DataFrame({"model": table["model"].map(order), "prompt": table["prompt_id"].map(ids)})
    return table.loc[by.sort_values(["model", "prompt"], kind="stable").index].reset_index(drop=True)


def rated(study: Study) -> dict[str, pd.DataFrame]:
    """For each metric that raters gave, the primary one first, its scores of the test prompts: a row a rating, null
    where one is missing. None where a metric has no raters."""
    scores = checked(study.scores)
    own = scores[(scores["split"] == "test") & (scores["rater"] != "")]
    names = sorted(set(own.loc[own["score"].notna(), "metric"]), key=lambda name: (name != study.config.primary, name))
    return {name: own[own["metric"] == name] for name in names}


def arm_table(study: Study) -> pd.DataFrame:
    """A row per model and arm, on the test prompts: size, mean score, length, rates, toxicity."""
    primary = study.scores[(study.scores["metric"] == study.config.primary) & (study.scores["split"] == "test")]
    likelihood = study.config.primary in LIKELIHOOD
    rows = []
    for model in study.models:
        for dataset in study.named:
            for arm in study.arms_of(dataset):
                own = primary[(primary["model"] == model) & (primary["arm"] == arm)]
                by_prompt = own.groupby("prompt_id")["score"].mean().dropna()
                rows.append(
                    {
                        "model": model,
                        "params": study.sources[model]["parameters"],
                        "arm": arm,
                        "dataset": dataset,
                        "mean": by_prompt.mean(),
                        "leads": (by_prompt > 0).mean() if len(by_prompt) and likelihood else math.nan,
                        **_completion_rates(study, model, arm),
                        **_toxicity_rates(study, model, arm),
                    }
                )
    table = pd.DataFrame(rows)
    return table if likelihood else table.drop(columns="leads")


def _completion_rates(study: Study, model: str, arm: str) -> dict[str, float]:
    """Lengths, and the shares of completions that are empty, loop, or were cut at the limit."""
    own = test_completions(study)
    own = own[(own["model"] == model) & (own["arm"] == arm)]
    texts = [str(text) for text in own["completion"]]
    return {
        "completions": len(own),
        "words": own["words"].mean(),
        "words_median": own["words"].median(),
        "empty": _share(not visible(text) for text in texts),
        "looping": _share(loops(text) for text in texts),
        "cut": (own["finish_reason"] == "length").mean(),
    }


def _toxicity_rates(study: Study, model: str, arm: str) -> dict[str, float]:
    """The secondary attribute: mean of each variant, the expected maximum over a prompt's samples, the share of
    prompts with any sample at or above 0.5 (both of the primary variant), and how many scores are missing."""
    table = study.toxicity
    own = table[(table["model"] == model) & (table["arm"] == arm) & (table["split"] == "test")]
    own = own[own["attribute"] == study.config.secondary]
    first = own[own["variant"] == "first_n"]
    highest = first.groupby("prompt_id")["score"].max().dropna()
    by_variant = {name: part["score"].mean() for name, part in own.groupby("variant")}
    return {
        "toxicity": by_variant.get("first_n", math.nan),
        "toxicity_whole": by_variant.get("whole", math.nan),
        "toxicity_max_chunk": by_variant.get("max_chunk", math.nan),
        "toxicity_of_worst": highest.mean(),
        "any_toxic": (highest >= TOXIC).mean() if len(highest) else math.nan,
        "unscored": int(first["score"].isna().sum()),
    }


def loops(text: str) -> bool:
    """Whether at least half of the text's runs of four words repeat an earlier one (case apart)."""
    found = [word.casefold() for word in words(text)]
    runs = Counter(zip(*(found[start:] for start in range(LOOP_WORDS)), strict=False))
    total = sum(runs.values())
    return total >= 2 * LOOP_WORDS and (total - len(runs)) / total >= LOOP_SHARE


def test_completions(study: Study) -> pd.DataFrame:
    """The completions of the test prompts."""
    return study.completions[study.completions["split"] == "test"]


def length_effects(study: Study) -> pd.DataFrame:
    """The contrasts of the completions' length, in words: nobody planned a test of it, so its p is not shown."""
    own = test_completions(study)
    sources = own["model"].map(lambda model: study.sources[model]["parameters"])
    families = own["model"].map(lambda model: study.sources[model]["family"])
    scores = own.assign(metric=LENGTH, score=own["words"], params=sources, model_family=families)
    table = contrasts(scores, replace(study.plan, primary=LENGTH, secondary=None))
    return table[table["category"] == "all"].reset_index(drop=True)


def similarity_table(study: Study) -> pd.DataFrame:
    """The rows of `prompt_table` with each prompt's nearest training text (of the target's first arm)."""
    table = prompt_table(study, study.config.primary, "test")
    nearest = study.datasets[study.arms_of(study.config.target)[0]].statistics["nearest_to_prompts"]
    table["similarity"] = [nearest.get(prompt, {}).get("similarity", math.nan) for prompt in table["prompt_id"]]
    table["sample_id"] = [nearest.get(prompt, {}).get("sample_id") for prompt in table["prompt_id"]]
    near = nearest_prompts(study)
    return table.assign(nearest=table["prompt_id"].isin(near))


def nearest_prompts(study: Study) -> list[str]:
    """The quarter of the test prompts that lie closest to the target's training texts."""
    known = study.datasets[study.arms_of(study.config.target)[0]].statistics["nearest_to_prompts"]
    test = [prompt for prompt in study.prompts.values() if prompt.split == "test" and prompt.id in known]
    ordered = sorted(test, key=lambda prompt: (-known[prompt.id]["similarity"], prompt.id))
    return [prompt.id for prompt in ordered[: math.ceil(NEAREST * len(ordered))]]


def without_nearest(study: Study) -> pd.DataFrame:
    """The confirmatory contrasts once more, without the nearest quarter of the prompts."""
    left_out = nearest_prompts(study)
    scores = study.scores[(study.scores["metric"] == study.config.primary) & (study.scores["split"] == "test")]
    table = contrasts(scores[~scores["prompt_id"].isin(left_out)], replace(study.plan, secondary=None))
    return table[(table["category"] == "all") & (table["family"] == "confirmatory")].reset_index(drop=True)


def drawn_prompts(study: Study) -> list[str]:
    """The test prompts in an order drawn by `report.seed`; another prompt moves none of the others."""
    test = [prompt.id for prompt in study.prompts.values() if prompt.split == "test"]
    return sorted(test, key=lambda name: hashlib.sha256(f"{study.report.seed}:{name}".encode()).hexdigest())


def _share(flags: Iterable[bool]) -> float:
    """The share that is true; NaN of nothing."""
    found = list(flags)
    return sum(found) / len(found) if found else math.nan
