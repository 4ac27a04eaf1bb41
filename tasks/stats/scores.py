"""From the long table of scores to arrays by prompt, seed, sample and rater."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from tasks.runtime.errors import InputError
from tasks.stats.outcome import Floats, Labels, nan_mean

SCORE_COLUMNS = ("metric", "model", "params", "model_family", "arm", "dataset", "seed", "category",
                 "prompt_id", "sample", "score")


@dataclass(frozen=True)
class ArmScores:
    """One metric's scores of a dataset at a model: (prompts, seeds, samples, raters), NaN where missing."""

    seeds: tuple[int, ...]
    values: Floats
    rated: bool = False
    panel: tuple[str, ...] = ()  # the raters, in order

    @property
    def samples(self) -> Floats:
        """(prompts, seeds, samples): the mean over raters."""
        return nan_mean(self.values, axis=3)

    @property
    def means(self) -> Floats:
        """(prompts, seeds): the mean over samples of the mean over raters."""
        return nan_mean(self.samples, axis=2)

    @property
    def k(self) -> int:
        """The most samples a prompt has."""
        return int((~np.isnan(self.samples)).sum(axis=2).max(initial=0))

    @property
    def raters(self) -> int:
        """The most ratings a sample has; 0 where the metric has no raters."""
        return int((~np.isnan(self.values)).sum(axis=3).max(initial=0)) if self.rated else 0


@dataclass(frozen=True)
class Prompts:
    """The prompts of a metric, in order, with their categories; both (n,)."""

    ids: Labels
    categories: Labels


def checked(scores: pd.DataFrame) -> pd.DataFrame:
    """A copy with plain types: scores as float (NaN where null), seed -1 and rater "" where there is none.

    Raises InputError for a missing column, a score that is not a number or not finite, a prompt in two
    categories, a model with two sizes, or rows that would count twice.
    """
    absent = [name for name in SCORE_COLUMNS if name not in scores.columns]
    if absent:
        raise InputError(f"scores: no column {', '.join(absent)}; expected "
                         f"{', '.join(SCORE_COLUMNS)} (and rater, reason)")
    table = scores.copy().reset_index(drop=True)
    try:
        for name in ("score", "params"):
            table[name] = pd.to_numeric(table[name]).astype("Float64").to_numpy(np.float64, na_value=np.nan)
        table["seed"] = pd.to_numeric(table["seed"]).astype("Int64").fillna(-1).astype(int)
    except (ValueError, TypeError) as error:
        raise InputError(f"scores: score, params and seed must be numbers: {error}") from error
    if np.isinf(table["score"]).any():
        raise InputError("scores: a score is infinite; a score that could not be had is null")
    for name in ("metric", "model", "model_family", "arm", "dataset", "category", "prompt_id"):
        table[name] = table[name].fillna("").astype(str)
    table["sample"] = table["sample"].fillna(0)
    table["rater"] = table["rater"].fillna("").astype(str) if "rater" in table else ""
    _check_meaning(table)
    return table


def _check_meaning(table: pd.DataFrame) -> None:
    for key, name in (("prompt_id", "category"), ("model", "params"), ("model", "model_family"),
                      ("arm", "dataset"), ("arm", "seed")):
        several = table.groupby(key)[name].nunique(dropna=False)
        if (several > 1).any():
            raise InputError(f"scores: {key} {several.idxmax()!r} has more than one {name}")
    arms = table.groupby(["dataset", "seed"])["arm"].unique()
    for where, names in arms.items():
        if len(names) > 1:
            raise InputError(f"scores: arms {', '.join(names)} are all (dataset, seed) {where}; replicates "
                             "need different seeds, other data another dataset name")
    keys = ["metric", "model", "arm", "prompt_id", "sample", "rater"]
    twice = table.duplicated(keys)
    if twice.any():
        row = table.loc[twice, keys].iloc[0]
        raise InputError("scores: two rows for " + ", ".join(f"{k} {v!r}" for k, v in row.items()))


def prompts_of(scores: pd.DataFrame) -> Prompts:
    """Every prompt of these (checked) scores, whichever arm or model it has rows in, in order of first row."""
    first = scores.drop_duplicates("prompt_id")
    return Prompts(first["prompt_id"].to_numpy(object), first["category"].to_numpy(object))


def arm_scores(scores: pd.DataFrame, dataset: str, prompts: Prompts) -> ArmScores | None:
    """The scores of one dataset from the (checked) scores of one metric and model; None without a score.

    The rater axis is the same for every dataset of these scores, seed and sample axes are the dataset's own.
    """
    scored = scores[scores["score"].notna()]
    rows = scored[scored["dataset"] == dataset]
    if rows.empty:
        return None
    raters = pd.Index(np.sort(scored["rater"].unique()))
    seeds, samples = (pd.Index(np.sort(rows[name].unique())) for name in ("seed", "sample"))
    values = np.full((len(prompts.ids), len(seeds), len(samples), len(raters)), np.nan)
    values[pd.Index(prompts.ids).get_indexer(pd.Index(rows["prompt_id"])),
           seeds.get_indexer(pd.Index(rows["seed"])), samples.get_indexer(pd.Index(rows["sample"])),
           raters.get_indexer(pd.Index(rows["rater"]))] = rows["score"].to_numpy(np.float64)
    return ArmScores(tuple(int(seed) for seed in seeds), values, rated=bool((raters != "").any()),
                     panel=tuple(map(str, raters)))


@dataclass(frozen=True)
class Pair:
    """Two arms made comparable: means (prompts, replicates), seeds matched, and the samples behind them.

    `by_rater` (prompts, raters): each rater's mean difference; NaN where one did not rate both arms of a prompt.
    `unpaired`: the seeds of each arm that found no partner and are left out.
    """

    mean_a: Floats
    mean_b: Floats
    a: Floats
    b: Floats
    by_rater: Floats
    unpaired: tuple[tuple[int, ...], tuple[int, ...]] = ((), ())

    @property
    def diffs(self) -> Floats:
        """(prompts, replicates) of a - b; what only rounding tells apart is zero."""
        diffs = self.mean_a - self.mean_b
        close = np.isclose(self.mean_a, self.mean_b, rtol=1e-12, atol=0)
        return np.asarray(np.where(close, 0.0, diffs), dtype=np.float64)


def matched_seeds(a: Sequence[int], b: Sequence[int], *, fixed_b: bool) -> list[tuple[int, int]] | None:
    """Positions of the seeds to compare; None where each side is averaged over its seeds instead.

    The same seed on both sides is one replicate (same order of data, same stream). `fixed_b`: b is one
    checkpoint without training, compared with each seed of a. Two sets without a common seed are independent:
    they are paired in order. A single trained seed against several has no replicate and is averaged.
    """
    if fixed_b and len(b) == 1:
        return [(i, 0) for i in range(len(a))]
    common = [seed for seed in a if seed in b]
    if len(common) >= 2 or len(a) == len(b) == len(common) == 1:
        return [(list(a).index(seed), list(b).index(seed)) for seed in common]
    if len(a) >= 2 and len(b) >= 2:
        return [(i, i) for i in range(min(len(a), len(b)))]
    return None


def pair(a: ArmScores, b: ArmScores, *, fixed_b: bool) -> Pair:
    """Match the seeds of two datasets' scores (same prompts) and average within prompt."""
    seeds = matched_seeds(a.seeds, b.seeds, fixed_b=fixed_b)
    if seeds is None:  # averaged: a prompt must have a mean in every seed
        pooled_a, pooled_b = (arm.samples.reshape(len(arm.values), 1, -1) for arm in (a, b))
        mean_a, mean_b = (arm.means.mean(axis=1, keepdims=True) for arm in (a, b))
        return Pair(mean_a, mean_b, pooled_a, pooled_b, _by_rater(a) - _by_rater(b))
    at_a, at_b = [i for i, _ in seeds], [j for _, j in seeds]
    unpaired = _without(a.seeds, at_a), _without(b.seeds, at_b)
    a, b = (replace(arm, values=arm.values[:, at]) for arm, at in ((a, at_a), (b, at_b)))
    return Pair(a.means, b.means, a.samples, b.samples, _by_rater(a) - _by_rater(b), unpaired)


def _without(seeds: Sequence[int], places: Sequence[int]) -> tuple[int, ...]:
    return tuple(seed for i, seed in enumerate(seeds) if i not in places)


def _by_rater(arm: ArmScores) -> Floats:
    return nan_mean(arm.values, axis=(1, 2))
