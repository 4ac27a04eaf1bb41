"""The table of contrasts: a row a test, from the long table of scores (`scores.SCORE_COLUMNS`, and rater)."""

from collections.abc import Iterable
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pandas as pd

from tasks.formats.verdicts import CLAIM_SEEDS
from tasks.stats import effects, families
from tasks.stats.comparisons import Comparison, comparisons
from tasks.stats.crossed import crossed_t
from tasks.stats.outcome import NAN, Floats, Labels, Outcome, undefined, worse
from tasks.stats.paired import bayes_factor, design, sign_flip, stratified_t, too_few
from tasks.stats.plan import Plan
from tasks.stats.ratings import mixing_fault, require_mixed
from tasks.stats.scores import ArmScores, Pair, checked, pair

COLUMNS = ("metric", "role", "model", "params", "contrast", "category", "estimand", "n_prompts", "n_missing",
           "k", "raters", "seeds", "mean_a", "mean_b", "diff", "se", "test", "stat", "df", "p", "family", "m",
           "p_corr", "ci_lo", "ci_hi", "ci_method", "ps", "higher", "lower", "higher_lo", "higher_hi", "p_sign",
           "d_z", "d_lo", "d_hi", "g_z", "g_lo", "g_hi", "d_seed_style", "p_signflip", "bf10", "reason", "note")
TYPES = {"family": "str", "reason": "str", "note": "str", "df": "float64"}
TESTED = ("stat", "df", "p", "ci_lo", "ci_hi")  # what a row without a test lacks
ALL = "all"  # the category of a row over all prompts
NEGATIVE = "negative control"


def contrasts(scores: pd.DataFrame, plan: Plan) -> pd.DataFrame:
    """Every test of the plan, unrounded, with exactly `COLUMNS`; deterministic for a given plan.

    Families (docs/method.md, "Families"): "confirmatory", "secondary", "parts" (of the primary metric), "variants" (of
    the secondary) and "negative control" by Holm; "exploratory" (other metrics, other datasets) and "categories:
    <metric>" (primary and secondary) by Benjamini-Hochberg. A test without p has a `reason`, counts as p = 1 and stays
    in its family. `estimand` says what a row is a claim about; with several seeds (or raters at large) the prompt-only
    figures d_lo, d_hi, g_lo, g_hi, higher_lo, higher_hi, p_sign, p_signflip and bf10 are null. `note` names what the
    mean goes without: categories without a complete prompt, and seeds without a partner.
    Raises InputError where raters and arms are associated (`ratings.require_mixed`) in a metric that the plan names.
    """
    table = checked(scores)
    metrics = dict.fromkeys([*plan.metrics, *sorted(set(table["metric"]))])
    extra = sorted(set(table["dataset"]) - {plan.target, plan.control, plan.base})
    wanted = [*plan.confirmatory, plan.negative_control, *((name, b) for name in extra for b in plan.negative_control),
              *plan.shares(extra)]
    return table_of(comparisons(table, plan, metrics, wanted), plan)


def table_of(compared: Iterable[Comparison], plan: Plan, *, by_category: bool = True) -> pd.DataFrame:
    """The table of these comparisons; the simulations, which no category is read of, leave these out."""
    rows: list[dict[str, Any]] = []
    for comparison in compared:
        role, family = _role(comparison, plan)
        place: dict[str, Any] = {"role": role, "family": family, "category": ALL}
        if comparison.metric in plan.metrics:
            require_mixed(comparison)
        elif fault := mixing_fault(comparison):  # as of ratings that were closed before all were there
            rows.append(_empty(comparison, place, fault))
            continue
        rows.append(_row(comparison, plan, place))
        if by_category and comparison.metric in plan.metrics and family != "exploratory":
            place = {"role": "category", "family": None if family == NEGATIVE else f"categories: {comparison.metric}"}
            rows += [_row(comparison, plan, place | {"category": category})
                     for category in pd.unique(comparison.prompts.categories)]
    return corrected(pd.DataFrame(rows, columns=list(COLUMNS)).astype(TYPES))


def at_large(scores: pd.DataFrame, plan: Plan) -> pd.DataFrame:
    """The contrasts of the metrics that have raters, with raters at large in place of the panel; exactly `COLUMNS`."""
    table = checked(scores)
    rated = set(table.loc[table["rater"] != "", "metric"])
    found = contrasts(table[table["metric"].isin(rated)], replace(plan, raters="random")) if rated else pd.DataFrame()
    found = found.reindex(columns=list(COLUMNS))
    return found[(found["category"] == ALL) & found["metric"].isin(rated)].reset_index(drop=True)


def corrected(table: pd.DataFrame) -> pd.DataFrame:
    """Fill m (tests in the family) and p_corr: Benjamini-Hochberg where one explores, else Holm.

    Variants are corrected together with the planned reading of the same texts, which keeps its own family.
    """
    for family, rows in table.groupby("family"):
        if family == "variants":
            both = table[table["family"].isin(["secondary", "variants"])]
            p = pd.Series(families.holm(both["p"].to_numpy(np.float64)), both.index)
            table.loc[rows.index, "m"], table.loc[rows.index, "p_corr"] = len(both), p[rows.index]
            continue
        explores = str(family).startswith(("exploratory", "categories: "))
        adjust = families.benjamini_hochberg if explores else families.holm
        table.loc[rows.index, "m"] = len(rows)
        table.loc[rows.index, "p_corr"] = adjust(rows["p"].to_numpy(np.float64))
    return table


def _role(comparison: Comparison, plan: Plan) -> tuple[str, str]:
    """The part that a test plays in the plan, and its family."""
    contrast = comparison.a, comparison.b
    if contrast == plan.negative_control:
        return "negative-control", NEGATIVE
    if contrast not in plan.confirmatory:
        return "exploratory", "exploratory"
    if comparison.metric == plan.primary:
        return "primary", "confirmatory"
    if comparison.metric == plan.secondary:
        return "secondary", "secondary"
    if comparison.metric in plan.parts:
        return "part", "parts"
    return ("variant", "variants") if plan.is_variant(comparison.metric) else ("exploratory", "exploratory")


def _row(comparison: Comparison, plan: Plan, place: dict[str, Any]) -> dict[str, Any]:
    """One row of the table: over all prompts, or within the category of its `place`."""
    categories = comparison.prompts.categories
    chosen = np.full(len(categories), True) if place["category"] == ALL else categories == place["category"]
    if not comparison.arms:
        scores = {comparison.a: comparison.scores_a, comparison.b: comparison.scores_b}
        reason = f"no scores of {' and '.join(name for name in scores if scores[name] is None)} at this model"
        reason += f" ({comparison.reason})" if comparison.reason else ""
        return _empty(comparison, place, reason, int(chosen.sum()))
    row: dict[str, Any] = dict.fromkeys(COLUMNS, NAN) | comparison.about | place
    a, b = (replace(arm, values=arm.values[chosen]) for arm in comparison.arms)
    figures = _figures(a, b, plan, categories[chosen], fixed_b=comparison.fixed_b)
    if place["category"] == ALL and (few := too_few(figures["n_prompts"], plan.confidence)):
        figures |= dict.fromkeys(TESTED, NAN) | {"reason": figures["reason"] or few}
    notes = filter(None, (figures["note"], comparison.left_out))
    return row | figures | {"note": "; ".join(notes) or None}


def _empty(comparison: Comparison, place: dict[str, Any], reason: str, missing: int | None = None) -> dict[str, Any]:
    """A row without a test, of which so many prompts (None: all) are missing."""
    missing = len(comparison.prompts.ids) if missing is None else missing
    nothing = {"k": 0, "raters": 0, "seeds": 0, "higher": 0, "lower": 0, "estimand": estimand(0)}
    row: dict[str, Any] = dict.fromkeys(COLUMNS, NAN) | comparison.about | place
    return row | _tested(undefined(reason, test="", n_missing=missing)) | nothing


def _figures(a: ArmScores, b: ArmScores, plan: Plan, strata: Labels, *, fixed_b: bool) -> dict[str, Any]:
    """The test, the means and the effects of one contrast."""
    matched = pair(a, b, fixed_b=fixed_b)
    replicates = matched.diffs.shape[1]
    random_raters = a.rated and plan.raters == "random"
    per_prompt = matched.diffs.mean(axis=1)
    sizes = _sizes(matched, per_prompt, strata)
    if len(sizes) > 2:  # as the seed pooled: every sample once, base's too where several seeds are compared with it
        sizes["d_seed_style"] = effects.pooled_d(a.samples, b.samples)
    outcome = test_of(matched.diffs, strata, confidence=plan.confidence)
    if random_raters:
        outcome = _of_raters(matched, outcome, strata, plan)
    elif replicates == 1:
        sizes |= _prompt_only(per_prompt, strata, plan)
    raters = ("raters at large" if random_raters else "these raters") if a.rated else None
    return {**_tested(outcome), **sizes, "estimand": estimand(replicates, raters), "k": max(a.k, b.k),
            "raters": max(a.raters, b.raters), "seeds": replicates}


def test_of(diffs: Floats, strata: Labels, *, confidence: float) -> Outcome:
    """The test of differences (prompts, replicates) that goes with so many replicates, which are seeds."""
    replicates = diffs.shape[1]
    if replicates == 1:
        return stratified_t(diffs[:, 0], strata, confidence=confidence)
    return crossed_t(diffs, strata, of="dataset" if replicates >= CLAIM_SEEDS else "checkpoints", confidence=confidence)


def _of_raters(matched: Pair, of_seeds: Outcome, strata: Labels, plan: Plan) -> Outcome:
    """The test of raters at large, which must hold for the seeds too where there are several."""
    outcome = crossed_t(matched.by_rater, strata, of="raters", confidence=plan.confidence)
    one_seed = matched.diffs.shape[1] == 1
    return outcome if one_seed or np.isnan(outcome.p) else worse(outcome, of_seeds)


def estimand(seeds: int, raters: str | None = None) -> str:
    """What a row is a claim about: one pair of checkpoints, or (three seeds or more) the dataset; and which raters."""
    subject = "the dataset" if seeds >= CLAIM_SEEDS else "these checkpoints"
    return ", ".join(filter(None, (subject, raters, "prompts like these")))


def _tested(outcome: Outcome) -> dict[str, Any]:
    return asdict(outcome) | {"n_prompts": outcome.n, "diff": outcome.estimate}


def _sizes(matched: Pair, per_prompt: Floats, strata: Labels) -> dict[str, float]:
    """Means (over the complete prompts, categories equally weighted) and effects that carry no test."""
    whole = ~np.isnan(per_prompt)
    counts = {"higher": float((per_prompt > 0).sum()), "lower": float((per_prompt < 0).sum())}
    if not whole.any():
        return counts
    a, b, kept = matched.a[whole], matched.b[whole], strata[whole]
    weights, size = design(kept, len(kept))[1], effects.standardised(per_prompt, strata)
    by_seed = [effects.superiority(a[:, s], b[:, s], kept) for s in range(a.shape[1])]
    return counts | {"mean_a": float(matched.mean_a[whole].mean(axis=1) @ weights),
                     "mean_b": float(matched.mean_b[whole].mean(axis=1) @ weights), "ps": float(np.mean(by_seed)),
                     "d_z": size.d, "g_z": size.d * size.j}


def _prompt_only(per_prompt: Floats, strata: Labels, plan: Plan) -> dict[str, float]:
    """Figures whose only noise is between prompts: right for these checkpoints, too sure about a dataset."""
    size, sign = effects.standardised(per_prompt, strata), effects.signs(per_prompt, confidence=plan.confidence)
    lo, hi = size.interval(plan.confidence)
    return {"d_lo": lo, "d_hi": hi, "g_lo": lo * size.j, "g_hi": hi * size.j, "bf10": bayes_factor(size.t, size.n),
            "higher_lo": sign.lo, "higher_hi": sign.hi, "p_sign": sign.p,
            "p_signflip": sign_flip(per_prompt, strata, permutations=plan.permutations, seed=plan.seed)}
