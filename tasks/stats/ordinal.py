"""A check of ratings' means: a cumulative link model, which takes 1 to 5 as an order and not as distances."""

import warnings
from typing import Any

import numpy as np
import pandas as pd

from tasks.stats import families
from tasks.stats.comparisons import NO_ARM, Comparison, comparisons
from tasks.stats.contrasts import ALL
from tasks.stats.outcome import NAN, Floats, Labels, Outcome, from_t, undefined
from tasks.stats.plan import Plan
from tasks.stats.scores import ArmScores, checked

COLUMNS = ("metric", "model", "params", "contrast", "n_prompts", "n_ratings", "raters", "log_odds", "se", "test",
           "stat", "df", "p", "m", "p_corr", "ci_lo", "ci_hi", "odds_ratio", "p_corr_means", "same_decision", "reason")
TEST = "cumulative logit, clustered by prompt"
MOST_STEPS = 10  # of a scale


def ordinal(scores: pd.DataFrame, plan: Plan, contrasts: pd.DataFrame) -> pd.DataFrame:
    """A row per confirmatory contrast, model and metric with raters on a scale of few whole numbers, with exactly
    `COLUMNS`; none where no metric has raters.

    `log_odds` of a higher rating in a than in b, of these raters and categories; over all seeds, as of these
    checkpoints. `same_decision`: whether it comes to the decision (sign and significance in the family) that the
    means in `contrasts` come to.
    """
    table = checked(scores)
    rows = []
    for metric in sorted(set(table.loc[table["rater"] != "", "metric"])):
        for comparison in comparisons(table, plan, [metric], plan.confirmatory):
            rows.append(comparison.about | _figures(comparison, plan.confidence))
    found = pd.DataFrame(rows, columns=list(COLUMNS)).astype({"reason": "str", "same_decision": "object"})
    for _, part in found.groupby("metric"):
        found.loc[part.index, "m"] = len(part)
        found.loc[part.index, "p_corr"] = families.holm(part["p"].to_numpy(np.float64))
    return _beside_means(found, contrasts, 1 - plan.confidence)


def _beside_means(found: pd.DataFrame, contrasts: pd.DataFrame, alpha: float) -> pd.DataFrame:
    whole = contrasts[contrasts["category"] == ALL].set_index(["metric", "model", "contrast"])
    for at, row in found.iterrows():
        key: Any = (row["metric"], row["model"], row["contrast"])
        means = whole.loc[key]
        found.loc[at, "p_corr_means"] = means["p_corr"]
        decisions = {int(np.sign(estimate)) if p <= alpha else 0
                     for estimate, p in ((row["log_odds"], row["p_corr"]), (means["diff"], means["p_corr"]))}
        found.loc[at, "same_decision"] = None if np.isnan([row["p"], means["p"]]).any() else len(decisions) == 1
    return found


def _figures(comparison: Comparison, confidence: float) -> dict[str, Any]:
    if not comparison.arms:
        return {"n_prompts": 0, "n_ratings": 0, "raters": 0, "reason": NO_ARM}
    rows = pd.concat([_long(arm, comparison, of_a) for arm, of_a in zip(comparison.arms, (1.0, 0.0), strict=True)])
    both = rows.groupby("prompt")["of_a"].nunique()
    rows = rows[rows["prompt"].isin(both.index[both == 2])]
    outcome = cumulative_logit(rows, confidence=confidence)
    figures = {name: getattr(outcome, name) for name in ("se", "test", "stat", "df", "p", "ci_lo", "ci_hi", "reason")}
    return figures | {"n_prompts": outcome.n, "n_ratings": len(rows), "raters": rows["rater"].nunique(),
                      "log_odds": outcome.estimate, "odds_ratio": float(np.exp(outcome.estimate))}


def _long(arm: ArmScores, comparison: Comparison, of_a: float) -> pd.DataFrame:
    """A row a rating: prompt, category, rater, of_a and rating."""
    prompts, _, _, raters = np.nonzero(~np.isnan(arm.values))
    return pd.DataFrame({"prompt": prompts, "category": comparison.prompts.categories[prompts], "rater": raters,
                         "of_a": of_a, "rating": arm.values[~np.isnan(arm.values)]})


def cumulative_logit(rows: pd.DataFrame, *, confidence: float = 0.95) -> Outcome:
    """Proportional odds of a higher `rating`, by arm (`of_a` 1 or 0), with raters and categories as fixed effects.

    The covariance is the sandwich clustered by `prompt`, times G / (G - 1), and the test a t on prompts - categories
    degrees of freedom. By `statsmodels`. Refusals (p NaN, with a reason): ratings that do not vary or take more than
    `MOST_STEPS` values, arms rated by different people, no prompt more than there are categories, a fit that does not
    converge (as where one arm's ratings all lie above the other's).
    Reference: McCullagh (1980), JRSS B 42, 109-142; Liang and Zeger (1986), Biometrika 73, 13-22.
    """
    n, categories = rows["prompt"].nunique(), rows["category"].nunique()
    values = np.unique(rows["rating"])
    if refusal := _refusal(rows, values, n, categories):
        return undefined(refusal, test=TEST, n=n)
    from statsmodels.miscmodels.ordinal_model import OrderedModel

    codes = np.searchsorted(values, rows["rating"].to_numpy())
    design = np.column_stack([rows["of_a"], _dummies(rows["rater"]), _dummies(rows["category"])])
    if np.linalg.matrix_rank(np.column_stack([np.ones(len(design)), design])) <= design.shape[1]:
        return undefined("the arms cannot be told from who rated them", test=TEST, n=n)
    model = OrderedModel(codes, design, distr="logit")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = model.fit(method="bfgs", maxiter=500, disp=0)
        variance = _sandwich(model, fit.params, rows["prompt"].to_numpy())
    estimate = float(fit.params[0])
    if not fit.mle_retvals["converged"] or not variance > 0 or abs(estimate) > 15:
        return undefined("the model does not converge", test=TEST, n=n)
    return from_t(estimate, float(np.sqrt(variance)), n - categories, n=n, n_missing=0, test=TEST,
                  confidence=confidence)


def _refusal(rows: pd.DataFrame, values: Floats, prompts: int, categories: int) -> str | None:
    if len(values) > MOST_STEPS or (values % 1 != 0).any():
        return "not a scale of few whole numbers"
    if len(values) < 2 or rows["of_a"].nunique() < 2:
        return "the ratings do not vary"
    return "no category has two prompts" if prompts <= categories else None


def _dummies(labels: "pd.Series[Any]") -> Floats:
    """(n, levels - 1)"""
    return pd.get_dummies(labels, drop_first=True).to_numpy(np.float64)


def _sandwich(model: Any, params: Floats, clusters: Labels) -> float:
    """The variance of the first parameter."""
    indicators = pd.get_dummies(clusters).to_numpy(np.float64)
    of_cluster = indicators.T @ model.score_obs(params)
    try:
        bread = np.linalg.inv(model.hessian(params))
    except np.linalg.LinAlgError:
        return NAN
    count = indicators.shape[1]
    return float(bread[0] @ (of_cluster.T @ of_cluster) @ bread[:, 0]) * count / (count - 1)
