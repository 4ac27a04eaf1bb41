"""The table of contrasts: a row a test, from the long table of scores (`cells.SCORE_COLUMNS`, and rater)."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from tasks.formats.verdicts import CLAIM_SEEDS
from tasks.stats import effects, families
from tasks.stats.crossed import crossed_t
from tasks.stats.outcome import NAN, Floats, Labels, Outcome, nan_mean, undefined
from tasks.stats.paired import bayes_factor, design, sign_flip, stratified_t
from tasks.stats.plan import Plan
from tasks.stats.scores import ArmScores, Pair, Prompts, arm_scores, checked, pair, prompts_of

COLUMNS = ("metric", "role", "model", "params", "contrast", "category", "estimand", "n_prompts", "n_missing",
           "k", "raters", "seeds", "mean_a", "mean_b", "diff", "se", "test", "stat", "df", "p", "family", "m",
           "p_corr", "ci_lo", "ci_hi", "ci_method", "ps", "d_z", "g_z", "d_lo", "d_hi", "d_seed_style",
           "p_signflip", "bf10", "reason", "note")
TYPES = {"family": "str", "reason": "str", "note": "str", "df": "float64"}
ALL = "all"  # the category of a row over all prompts


@dataclass(frozen=True)
class Question:
    """One row to fill: which metric, where, which two datasets, in which role and family."""

    metric: str
    role: str
    model: str
    a: str
    b: str
    family: str | None

    @property
    def contrast(self) -> str:
        """As the table names it."""
        return f"{self.a} - {self.b}"


def contrasts(scores: pd.DataFrame, plan: Plan) -> pd.DataFrame:
    """Every test of the plan, unrounded, with exactly `COLUMNS`; deterministic for a given plan.

    Families: "confirmatory" (primary metric, {target - control, target - base} x models) and "secondary" by
    Holm; "exploratory" (other metrics, other datasets) and "categories: <metric>" (primary and secondary) by
    Benjamini-Hochberg; negative controls in none. A test without p has a `reason`, counts as p = 1 and stays
    in its family. `estimand` says what a row is a claim about; with several seeds (or random raters) the
    prompt-only figures d_lo, d_hi, p_signflip and bf10 are null. `note` names categories without a complete prompt:
    the mean is then of the others.
    """
    table = checked(scores)
    rows: list[dict[str, Any]] = []
    prompts = {str(metric): prompts_of(part) for metric, part in table.groupby("metric")}
    nobody = Prompts(np.empty(0, object), np.empty(0, object))
    groups = dict(iter(table.groupby(["metric", "model"])))
    for question in questions(table, plan):
        part = groups.get((question.metric, question.model), table.iloc[:0])
        whose = prompts.get(question.metric, nobody)
        params = part["params"].iloc[0] if len(part) else _params(table, question.model)
        found = _arms(part, question, whose)
        rows.append(_row(question, plan, params, found, whose, None))
        if question.metric in (plan.primary, plan.secondary) and question.family != "exploratory":
            rows += [_row(question, plan, params, found, whose, c) for c in pd.unique(whose.categories)]
    return corrected(pd.DataFrame(rows, columns=list(COLUMNS)).astype(TYPES))


def questions(table: pd.DataFrame, plan: Plan) -> Iterator[Question]:
    """The planned tests, by metric (primary and secondary first), model (by size) and contrast."""
    models = ladder(table, plan)
    metrics = [plan.primary] + ([plan.secondary] if plan.secondary else [])
    others = sorted(set(table["metric"]) - set(metrics))
    extra = sorted(set(table["dataset"]) - {plan.target, plan.control, plan.base})
    for metric in metrics + others:
        role, family = _role(metric, plan)
        for model in models:
            for a, b in plan.confirmatory:
                yield Question(metric, role, model, a, b, family)
            yield Question(metric, "negative-control", model, *plan.negative_control, None)
            for dataset in extra:
                for b in (plan.control, plan.base):
                    yield Question(metric, "exploratory", model, dataset, b, "exploratory")


def ladder(table: pd.DataFrame, plan: Plan) -> list[str]:
    """The planned models, or those with scores, smallest model first."""
    found = table.drop_duplicates("model").sort_values(["params", "model"])["model"].tolist()
    return list(plan.models) if plan.models else [str(model) for model in found]


def corrected(table: pd.DataFrame) -> pd.DataFrame:
    """Fill m (tests in the family) and p_corr: Holm for confirmatory and secondary, else BH."""
    for family, rows in table.groupby("family"):
        method: families.Method = "holm" if family in ("confirmatory", "secondary") else "bh"
        table.loc[rows.index, "m"] = len(rows)
        table.loc[rows.index, "p_corr"] = families.adjust(rows["p"].to_numpy(np.float64), method)
    return table


def _role(metric: str, plan: Plan) -> tuple[str, str]:
    if metric == plan.primary:
        return "primary", "confirmatory"
    return ("secondary", "secondary") if metric == plan.secondary else ("exploratory", "exploratory")


def _params(table: pd.DataFrame, model: str) -> float:
    sizes = table.loc[table["model"] == model, "params"]
    return float(sizes.iloc[0]) if len(sizes) else NAN


def _arms(part: pd.DataFrame, question: Question, prompts: Prompts) -> tuple[ArmScores, ArmScores] | str:
    """The two arms' cells, or the reason why there is no contrast."""
    a, b = arm_scores(part, question.a, prompts), arm_scores(part, question.b, prompts)
    if a is None or b is None:
        absent = [name for name, cells in ((question.a, a), (question.b, b)) if cells is None]
        return f"no scores of {' and '.join(absent)} at this model"
    return a, b


def _row(question: Question, plan: Plan, params: float, arms: tuple[ArmScores, ArmScores] | str, prompts: Prompts,
         category: str | None) -> dict[str, Any]:
    """One row of the table: over all prompts, or within one category."""
    chosen = np.ones(len(prompts.ids), bool) if category is None else prompts.categories == category
    row: dict[str, Any] = dict.fromkeys(COLUMNS, NAN)
    role, family = question.role, question.family
    if category is not None:
        role, family = "category", (f"categories: {question.metric}" if family else None)
    row |= {"metric": question.metric, "role": role, "model": question.model, "params": params,
            "contrast": question.contrast, "category": category or ALL, "family": family}
    if isinstance(arms, str):
        outcome = undefined(arms, test="", n_missing=int(chosen.sum()))
        nothing = {"k": 0, "raters": 0, "seeds": 0}
        return row | _tested(outcome) | nothing | {"estimand": estimand(0, raters_at_large=False)}
    a, b = (replace(arm, values=arm.values[chosen]) for arm in arms)
    return row | _figures(a, b, plan, prompts.categories[chosen], fixed_b=question.b == plan.base)


def _figures(a: ArmScores, b: ArmScores, plan: Plan, strata: Labels, *, fixed_b: bool) -> dict[str, Any]:
    """The test, the means and the effects of one contrast."""
    both = pair(a, b, fixed_b=fixed_b)
    replicates = both.diffs.shape[1]
    at_large = plan.raters == "random" and a.rated
    outcome = _test(a, b, both, plan, strata, at_large=at_large)
    per_prompt = both.diffs.mean(axis=1)
    sizes = _sizes(both, per_prompt, strata)
    if sizes:  # as the seed pooled: every sample once, base's too where several seeds are compared with it
        sizes["d_seed_style"] = effects.pooled_d(a.samples, b.samples)
    if replicates == 1 and not at_large:
        sizes |= _prompt_only(per_prompt, strata, plan)
    return {**_tested(outcome), **sizes,
            "estimand": estimand(replicates, raters_at_large=at_large),
            "k": max(a.k, b.k), "raters": max(a.raters, b.raters), "seeds": replicates}


def _test(a: ArmScores, b: ArmScores, both: Pair, plan: Plan, strata: Labels, *, at_large: bool) -> Outcome:
    replicates = both.diffs.shape[1]
    if at_large and replicates > 1:
        return undefined("several seeds and raters at large together are not provided for", test="quasi-t",
                         n_missing=len(strata))
    if at_large:
        return crossed_t(_by_rater(a, b), strata, confidence=plan.confidence)
    if replicates > 1:
        return crossed_t(both.diffs, strata, confidence=plan.confidence)
    return stratified_t(both.diffs[:, 0], strata, confidence=plan.confidence)


def estimand(seeds: int, *, raters_at_large: bool) -> str:
    """What a row is a claim about: one pair of checkpoints, or (three seeds or more) the dataset."""
    subject = "the dataset" if seeds >= CLAIM_SEEDS else "these checkpoints"
    return f"{subject}, {'raters at large' if raters_at_large else 'prompts like these'}"


def _by_rater(a: ArmScores, b: ArmScores) -> Floats:
    """(prompts, raters): a rater's mean difference; NaN where a rater did not rate both arms of a prompt."""
    return nan_mean(a.values, axis=(1, 2)) - nan_mean(b.values, axis=(1, 2))


def _tested(outcome: Outcome) -> dict[str, Any]:
    return {"n_prompts": outcome.n, "n_missing": outcome.n_missing, "diff": outcome.estimate,
            "se": outcome.se, "test": outcome.test, "stat": outcome.stat, "df": outcome.df, "p": outcome.p,
            "ci_lo": outcome.ci_lo, "ci_hi": outcome.ci_hi, "ci_method": outcome.ci_method,
            "reason": outcome.reason, "note": outcome.note}


def _sizes(both: Pair, per_prompt: Floats, strata: Labels) -> dict[str, float]:
    """Means (over the complete prompts, categories equally weighted) and effects that carry no test."""
    whole = ~np.isnan(per_prompt)
    a, b, kept = both.a[whole], both.b[whole], strata[whole]
    if not whole.any():
        return {}
    weights = design(kept, len(kept))[1]
    by_seed = [effects.superiority(a[:, s], b[:, s], kept) for s in range(a.shape[1])]
    return {"mean_a": float(both.mean_a[whole].mean(axis=1) @ weights),
            "mean_b": float(both.mean_b[whole].mean(axis=1) @ weights), "ps": float(np.mean(by_seed)),
            "d_z": effects.d_z(per_prompt), "g_z": effects.g_z(per_prompt)}


def _prompt_only(per_prompt: Floats, strata: Labels, plan: Plan) -> dict[str, float]:
    """Figures whose only noise is between prompts: right for these checkpoints, too sure about a dataset."""
    lo, hi = effects.d_z_interval(per_prompt, confidence=plan.confidence)
    n = int((~np.isnan(per_prompt)).sum())
    return {"d_lo": lo, "d_hi": hi, "bf10": bayes_factor(effects.plain_t(per_prompt), n, plan.bayes_r),
            "p_signflip": sign_flip(per_prompt, strata, permutations=plan.permutations, seed=plan.seed)}

