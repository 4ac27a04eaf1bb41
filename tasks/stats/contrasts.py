"""The table of contrasts: a row a test, from the long table of scores (`scores.SCORE_COLUMNS`, and rater)."""

from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pandas as pd

from tasks.formats.verdicts import CLAIM_SEEDS
from tasks.stats import effects, families
from tasks.stats.comparisons import Comparison, comparisons
from tasks.stats.crossed import crossed_t
from tasks.stats.outcome import NAN, Floats, Labels, Outcome, undefined
from tasks.stats.paired import bayes_factor, design, sign_flip, stratified_t
from tasks.stats.plan import Plan
from tasks.stats.scores import ArmScores, Pair, checked, pair

COLUMNS = ("metric", "role", "model", "params", "contrast", "category", "estimand", "n_prompts", "n_missing",
           "k", "raters", "seeds", "mean_a", "mean_b", "diff", "se", "test", "stat", "df", "p", "family", "m",
           "p_corr", "ci_lo", "ci_hi", "ci_method", "ps", "d_z", "g_z", "d_lo", "d_hi", "d_seed_style",
           "p_signflip", "bf10", "reason", "note")
TYPES = {"family": "str", "reason": "str", "note": "str", "df": "float64"}
ALL = "all"  # the category of a row over all prompts


def contrasts(scores: pd.DataFrame, plan: Plan) -> pd.DataFrame:
    """Every test of the plan, unrounded, with exactly `COLUMNS`; deterministic for a given plan.

    Families: "confirmatory" (primary metric, {target - control, target - base} x models) and "secondary" by
    Holm; "exploratory" (other metrics, other datasets) and "categories: <metric>" (primary and secondary) by
    Benjamini-Hochberg; negative controls in none. A test without p has a `reason`, counts as p = 1 and stays
    in its family. `estimand` says what a row is a claim about; with several seeds the prompt-only figures
    d_lo, d_hi, p_signflip and bf10 are null. `note` names categories without a complete prompt: the mean is then of
    the others.
    """
    table = checked(scores)
    metrics = dict.fromkeys([*plan.metrics, *sorted(set(table["metric"]))])
    extra = sorted(set(table["dataset"]) - {plan.target, plan.control, plan.base})
    wanted = [*plan.confirmatory, plan.negative_control, *((name, b) for name in extra for b in plan.negative_control)]
    rows: list[dict[str, Any]] = []
    for comparison in comparisons(table, plan, metrics, wanted):
        role, family = _role(comparison, plan)
        rows.append(_row(comparison, plan, {"role": role, "family": family, "category": ALL}))
        if comparison.metric in plan.metrics and family != "exploratory":
            family = f"categories: {comparison.metric}" if family else None
            rows += [_row(comparison, plan, {"role": "category", "family": family, "category": category})
                     for category in pd.unique(comparison.prompts.categories)]
    return corrected(pd.DataFrame(rows, columns=list(COLUMNS)).astype(TYPES))


def corrected(table: pd.DataFrame) -> pd.DataFrame:
    """Fill m (tests in the family) and p_corr: Benjamini-Hochberg where one explores, else Holm."""
    for family, rows in table.groupby("family"):
        explores = str(family).startswith(("exploratory", "categories: "))
        adjust = families.benjamini_hochberg if explores else families.holm
        table.loc[rows.index, "m"] = len(rows)
        table.loc[rows.index, "p_corr"] = adjust(rows["p"].to_numpy(np.float64))
    return table


def _role(comparison: Comparison, plan: Plan) -> tuple[str, str | None]:
    """The part that a test plays in the plan, and its family."""
    contrast = comparison.a, comparison.b
    if contrast == plan.negative_control:
        return "negative-control", None
    if contrast in plan.confirmatory and comparison.metric == plan.primary:
        return "primary", "confirmatory"
    if contrast in plan.confirmatory and comparison.metric == plan.secondary:
        return "secondary", "secondary"
    return "exploratory", "exploratory"


def _row(comparison: Comparison, plan: Plan, place: dict[str, Any]) -> dict[str, Any]:
    """One row of the table: over all prompts, or within the category of its `place`."""
    categories = comparison.prompts.categories
    chosen = np.full(len(categories), True) if place["category"] == ALL else categories == place["category"]
    row: dict[str, Any] = dict.fromkeys(COLUMNS, NAN) | comparison.about | place
    if not comparison.arms:
        scores = {comparison.a: comparison.scores_a, comparison.b: comparison.scores_b}
        reason = f"no scores of {' and '.join(name for name in scores if scores[name] is None)} at this model"
        nothing = {"k": 0, "raters": 0, "seeds": 0, "estimand": estimand(0)}
        return row | _tested(undefined(reason, test="", n_missing=int(chosen.sum()))) | nothing
    a, b = (replace(arm, values=arm.values[chosen]) for arm in comparison.arms)
    return row | _figures(a, b, plan, categories[chosen], fixed_b=comparison.fixed_b)


def _figures(a: ArmScores, b: ArmScores, plan: Plan, strata: Labels, *, fixed_b: bool) -> dict[str, Any]:
    """The test, the means and the effects of one contrast."""
    matched = pair(a, b, fixed_b=fixed_b)
    replicates = matched.diffs.shape[1]
    per_prompt = matched.diffs.mean(axis=1)
    sizes = _sizes(matched, per_prompt, strata)
    if sizes:  # as the seed pooled: every sample once, base's too where several seeds are compared with it
        sizes["d_seed_style"] = effects.pooled_d(a.samples, b.samples)
    if replicates == 1:
        outcome = stratified_t(per_prompt, strata, confidence=plan.confidence)
        sizes |= _prompt_only(per_prompt, strata, plan)
    else:
        outcome = crossed_t(matched.diffs, strata, confidence=plan.confidence)
    return {**_tested(outcome), **sizes, "estimand": estimand(replicates), "k": max(a.k, b.k),
            "raters": max(a.raters, b.raters), "seeds": replicates}


def estimand(seeds: int) -> str:
    """What a row is a claim about: one pair of checkpoints, or (three seeds or more) the dataset."""
    return f"{'the dataset' if seeds >= CLAIM_SEEDS else 'these checkpoints'}, prompts like these"


def _tested(outcome: Outcome) -> dict[str, Any]:
    return asdict(outcome) | {"n_prompts": outcome.n, "diff": outcome.estimate}


def _sizes(matched: Pair, per_prompt: Floats, strata: Labels) -> dict[str, float]:
    """Means (over the complete prompts, categories equally weighted) and effects that carry no test."""
    whole = ~np.isnan(per_prompt)
    a, b, kept = matched.a[whole], matched.b[whole], strata[whole]
    if not whole.any():
        return {}
    weights = design(kept, len(kept))[1]
    by_seed = [effects.superiority(a[:, s], b[:, s], kept) for s in range(a.shape[1])]
    return {"mean_a": float(matched.mean_a[whole].mean(axis=1) @ weights),
            "mean_b": float(matched.mean_b[whole].mean(axis=1) @ weights), "ps": float(np.mean(by_seed)),
            "d_z": effects.d_z(per_prompt), "g_z": effects.g_z(per_prompt)}


def _prompt_only(per_prompt: Floats, strata: Labels, plan: Plan) -> dict[str, float]:
    """Figures whose only noise is between prompts: right for these checkpoints, too sure about a dataset."""
    lo, hi = effects.d_z_interval(per_prompt, confidence=plan.confidence)
    n = int((~np.isnan(per_prompt)).sum())
    return {"d_lo": lo, "d_hi": hi, "bf10": bayes_factor(effects.plain_t(per_prompt), n),
            "p_signflip": sign_flip(per_prompt, strata, permutations=plan.permutations, seed=plan.seed)}

