"""Does the effect grow with the size of the model? Each prompt's slope on log10(parameters), in one family.

"Grows with size" depends on the scale, and a ceiling fakes it: the slope is given on the raw scale and on the
probability of superiority. A slope is per tenfold of parameters. Models are fixed; prompts are random within
categories; with several seeds each model's own seeds are random too.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd

from tasks.formats.verdicts import CLAIM_SEEDS
from tasks.stats import effects
from tasks.stats.comparisons import Comparison, comparisons
from tasks.stats.contrasts import corrected, estimand
from tasks.stats.crossed import NAMES, Parts, of_replicates, parts, quasi
from tasks.stats.outcome import NAN, TINY, Floats, Labels, Outcome, from_t, no_spread, undefined, unit, worse
from tasks.stats.paired import design, lost_categories, squares_within, stratified_t, too_few, variance_of_mean
from tasks.stats.plan import Plan
from tasks.stats.scores import Pair, Prompts, checked

COLUMNS = ("metric", "role", "model_family", "contrast", "scale", "estimand", "models", "n_models",
           "n_prompts", "n_missing", "seeds", "estimate", "se", "test", "stat", "df", "p", "family", "m",
           "p_corr", "ci_lo", "ci_hi", "ci_method", "descriptive", "reason")
SCALES = ("raw", "ps")


def slope_weights(log_params: Floats) -> Floats:
    """(models,) weights whose sum with the effects is the least-squares slope: (x - mean x) / Sxx."""
    centred = log_params - log_params.mean()
    return np.asarray(centred / (centred**2).sum(), dtype=np.float64)


def slope_parts(models: Sequence[Floats], weights: Floats, strata: Labels | None = None) -> Parts:
    """Split the variance of sum_r weight_r x effect_r, effects (..., prompts, seeds of the model); vectorised.

    A prompt is the same at every model, a seed is not (it is another fine-tuning of another model): prompts
    vary in their own slope, seeds within each model (Satterthwaite over models).
    """
    indicators, w = design(strata, models[0].shape[-2])
    slopes = sum(c * model.mean(axis=-1) for c, model in zip(weights, models, strict=True))
    each = [parts(model, strata) for model in models]
    by_seed = np.stack([c**2 * part.replicates for c, part in zip(weights, each, strict=True)])
    shared = np.stack([c**2 * part.shared for c, part in zip(weights, each, strict=True)])
    seed_df = np.array([part.df_replicates for part in each]).reshape(-1, *[1] * (by_seed.ndim - 1))
    below = (by_seed**2 / seed_df).sum(axis=0)
    df_seeds = by_seed.sum(axis=0) ** 2 / np.where(below > 0, below, 1.0)
    prompts, df_prompts = variance_of_mean(squares_within(np.asarray(slopes), indicators), indicators.sum(axis=0))
    return Parts(
        estimate=np.asarray(slopes @ w), replicates=by_seed.sum(axis=0), shared=shared.sum(axis=0),
        prompts=prompts, df_prompts=df_prompts, df_replicates=np.maximum(df_seeds, 1e-9),
        df_shared=np.asarray(sum(part.df_shared for part in each)))


def slope(models: Sequence[Floats], weights: Floats, strata: Labels | None = None, *,
          confidence: float = 0.95) -> Outcome:
    """Weighted sum over models of effects (prompts, seeds of the model): a slope, or a difference of two.

    With two seeds or more at every model the variance carries the seeds (quasi-t), and with three or more the seeds'
    own t must hold too, as in `crossed_t`. Otherwise the prompts alone: right for these checkpoints, which is no claim
    about size, so `trend` shows it without p.
    """
    whole = ~np.any([np.isnan(model).any(axis=1) for model in models], axis=0)
    kept, missing, n = [model[whole] for model in models], int((~whole).sum()), int(whole.sum())
    kept_strata = None if strata is None else np.asarray(strata)[whole]
    if n == 0 or min(model.shape[1] for model in kept) < 2:
        slopes = sum(c * model.mean(axis=1) for c, model in zip(weights, models, strict=True))
        return stratified_t(np.asarray(slopes), strata, confidence=confidence)
    seeds = min(model.shape[1] for model in kept)
    name = NAMES["dataset" if seeds >= CLAIM_SEEDS else "checkpoints"]
    about: dict[str, Any] = {"n": n, "n_missing": missing, "test": name, "note": lost_categories(strata, whole)}
    if n <= design(kept_strata, n)[0].shape[1]:
        return undefined("no category has two prompts", **about)
    scale = unit(np.concatenate(kept, axis=1))
    split = slope_parts([model / scale for model in kept], weights, kept_strata)
    estimate, se, df = map(float, quasi(split))
    if se <= TINY * float(np.abs(weights).sum()):  # of scaled effects: the largest is near 1
        why = no_spread(np.stack([model.mean(axis=1) for model in kept]))
        return undefined(why, estimate=estimate * scale, se=0.0, **about)
    outcome = from_t(estimate * scale, se * scale, df, confidence=confidence, **about)
    _, se_seeds, df_seeds = map(float, of_replicates(split))
    if seeds < CLAIM_SEEDS or se_seeds <= TINY * float(np.abs(weights).sum()):
        return outcome
    return worse(outcome, from_t(estimate * scale, se_seeds * scale, df_seeds, confidence=confidence, **about))


def trend(scores: pd.DataFrame, plan: Plan) -> pd.DataFrame:
    """A row per metric (primary, secondary), model family, contrast and scale, with exactly `COLUMNS`.

    `estimand` is a slope per tenfold of parameters with three models or more, a difference of effects with two,
    then what it is a claim about (`contrasts.estimand`, by the fewest seeds of a model); with one model there is
    none. `descriptive` rows (one seed at some model) have an interval over prompts but no p. `reason` also names
    planned models and whole categories that the figure goes without. Model families are never mixed.

    Holm within metric and scale. Both contrasts of a model family are in the family (p = 1 where there is no
    test) once one of them is tested; a model family in which nothing is tested plans no test.
    """
    table = checked(scores)
    known = {str(model): str(family) for model, family in zip(table["model"], table["model_family"], strict=True)}
    planned = {model: known.get(model, "") for model in plan.models or known}  # "": no score of any metric tells it
    metrics = [name for name in plan.metrics if name in set(table["metric"])]
    families = {name: sorted(set(table.loc[table["metric"] == name, "model_family"])) for name in metrics}
    return table_of(list(comparisons(table, plan, metrics, plan.confirmatory)), plan, planned, families)


def table_of(compared: Sequence[Comparison], plan: Plan, planned: Mapping[str, str],
             families: Mapping[str, Sequence[str]]) -> pd.DataFrame:
    """The table of these comparisons: `planned` has each model's family, `families` those with scores of a metric."""
    rows: list[dict[str, Any]] = []
    for metric, of_metric in families.items():
        own = [c for c in compared if c.metric == metric]
        for family in of_metric:
            models = [model for model in planned if planned[model] in (family, "")]
            for scale in SCALES:
                place = {"metric": metric, "role": "primary" if metric == plan.primary else "secondary",
                         "model_family": family, "scale": scale}
                rows += _rows([c for c in own if c.model in models], own[0].prompts, plan, models, place)
    types = {"reason": "str", "family": "str", "df": "float64"}
    return corrected(pd.DataFrame(rows, columns=list(COLUMNS)).astype(types))


def _rows(compared: Sequence[Comparison], prompts: Prompts, plan: Plan, models: Sequence[str],
          place: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A row for each contrast of a metric and model family, in one family of tests once one of them is tested."""
    rows = [{**place, "contrast": f"{a} - {b}"}
            | _row([c for c in compared if (c.a, c.b) == (a, b)], prompts, plan, place["scale"], models)
            for a, b in plan.confirmatory]
    tested = any(row["test"] not in ("", "none") for row in rows)
    return [row | {"family": f"trend: {place['metric']}, {place['scale']}" if tested else None} for row in rows]


def _row(compared: Sequence[Comparison], prompts: Prompts, plan: Plan, scale: str,
         planned: Sequence[str]) -> dict[str, Any]:
    """The slope of one contrast over the models where both arms have scores."""
    by_size = sorted(compared, key=lambda c: (c.params, c.model))
    pairs = [(c.model, c.params, c.pair) for c in by_size if c.pair]
    log_params = np.log10([max(params, 1e-300) for _, params, _ in pairs])
    seeds = min((matched.diffs.shape[1] for _, _, matched in pairs), default=0)
    refusal, about = _refusal(log_params), "none"
    if refusal:
        outcome = undefined(refusal, test="", n_missing=len(prompts.ids))
    else:
        figure, weights = "slope per tenfold of parameters", slope_weights(log_params)
        if len(pairs) == 2:
            figure, weights = "difference of effects, larger - smaller", np.array([-1.0, 1.0])
        rated = "these raters" if any(c.arms and c.arms[0].rated for c in by_size) else None
        about = f"{figure}: {estimand(seeds, rated)}"
        by_model = [matched.diffs if scale == "raw" else superiority_scores(matched) for _, _, matched in pairs]
        outcome = slope(by_model, weights, prompts.categories, confidence=plan.confidence)
        if few := too_few(outcome.n, plan.confidence):
            known = {name: getattr(outcome, name) for name in ("n", "n_missing", "estimate", "se", "note")}
            outcome = undefined(outcome.reason or few, test="", **known)
    descriptive = not refusal and seeds < 2
    models = [model for model, _, _ in pairs]
    lost = [model for model in planned if model not in models]
    unpaired = [f"at {c.model} {c.left_out}" for c in by_size if c.left_out]
    reasons = [outcome.reason or ("one seed: descriptive" if descriptive else None), outcome.note, *unpaired,
               f"planned but without scores in both arms: {', '.join(lost)}" if lost else None]
    return asdict(outcome) | ({"test": "none", "stat": NAN, "p": NAN} if descriptive else {}) | {
        "estimand": about, "models": ", ".join(models), "n_models": len(models), "n_prompts": outcome.n,
        "seeds": seeds, "descriptive": descriptive, "reason": "; ".join(filter(None, reasons)) or None}


def _refusal(log_params: Floats) -> str | None:
    if len(log_params) < 2:
        return "one model: no trend" if len(log_params) else "no model has scores in both arms"
    if not np.isfinite(log_params).all():
        return "the number of parameters of a model is unknown"
    return "two models have the same number of parameters" if len(set(log_params)) < len(log_params) else None


def superiority_scores(matched: Pair) -> Floats:
    """(prompts, replicates): the probability of superiority within each prompt and replicate."""
    replicates = range(matched.a.shape[1])
    return np.stack([effects.prompt_superiority(matched.a[:, s], matched.b[:, s]) for s in replicates], axis=1)
