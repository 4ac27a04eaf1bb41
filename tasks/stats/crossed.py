"""Two crossed random factors: prompts, and the seeds as replicates.

A cell (prompt i, replicate j) holds a difference between arms. With MS the mean squares of prompts, of
replicates and of what is left, the variance of the grand mean of n prompts and S replicates is
(MSp + MSs - MSe) / (n S), and never taken below the larger of MSp and MSs over n S (a quasi-t).
Reference: Clark (1973), Journal of Verbal Learning and Verbal Behavior 12, 335-359; Satterthwaite (1946),
Biometrics Bulletin 2, 110-114.
"""

from dataclasses import dataclass

import numpy as np

from tasks.stats.outcome import Floats, Labels, Outcome
from tasks.stats.paired import design, t_of_mean, within_variance


@dataclass(frozen=True)
class Parts:
    """Variances of the grand mean (...,): by prompts, by replicates, what both contain, and their df."""

    estimate: Floats
    prompts: Floats
    replicates: Floats
    shared: Floats
    df_prompts: int
    df_replicates: Floats | float
    df_shared: int


def parts(diffs: Floats, strata: Labels | None = None) -> Parts:
    """Split the variance of the mean of complete differences (..., prompts, replicates); vectorised.

    Categories are fixed and equally weighted: prompts vary within them (n - C df), and what is left is the
    prompt x replicate residual within categories ((n - C)(S - 1) df).
    """
    n, replicates = diffs.shape[-2:]
    indicators, weights = design(strata, n)
    squared = float((weights**2).sum())
    prompt_means = diffs.mean(axis=-1)
    residual = diffs - prompt_means[..., None]
    by_category = np.swapaxes(residual, -1, -2) @ (indicators / indicators.sum(axis=0))  # (..., S, C)
    residual = residual - indicators @ np.swapaxes(by_category, -1, -2)
    df_prompts = n - indicators.shape[1]
    df_shared = df_prompts * (replicates - 1)
    ms_shared = (residual**2).sum(axis=(-1, -2)) / df_shared
    replicate_means = np.swapaxes(diffs, -1, -2) @ weights
    return Parts(
        estimate=prompt_means @ weights,
        prompts=within_variance(prompt_means, indicators) * squared,
        replicates=replicate_means.var(axis=-1, ddof=1) / replicates,
        shared=ms_shared * squared / replicates,
        df_prompts=df_prompts, df_replicates=replicates - 1, df_shared=df_shared)


def quasi(split: Parts) -> tuple[Floats, Floats, Floats]:
    """Estimate, standard error and Satterthwaite's df (...,) from the parts of a variance."""
    total = split.prompts + split.replicates - split.shared
    floor = np.maximum(split.prompts, split.replicates)
    df_floor = np.where(split.prompts >= split.replicates, split.df_prompts, split.df_replicates)
    below = (split.prompts**2 / split.df_prompts + split.replicates**2 / split.df_replicates
             + split.shared**2 / split.df_shared)
    df = np.where(total > floor, total**2 / np.where(below > 0, below, 1.0), df_floor)
    return split.estimate, np.sqrt(np.maximum(total, floor)), np.asarray(df, dtype=np.float64)


def crossed_t(diffs: Floats, strata: Labels | None = None, *, confidence: float = 0.95) -> Outcome:
    """Quasi-t of the grand mean of differences (prompts, replicates), both factors random; strata (prompts,).

    A prompt with a missing cell is left out. The claim is about the dataset, not about these checkpoints. Refusals
    (p NaN, with a reason): fewer than two replicates, no complete prompt, no category with two prompts, no
    variation. `note` as in `stratified_t`.
    """
    def moments(rows: Floats, categories: Labels | None) -> tuple[float, float]:
        _, se, df = quasi(parts(rows, categories))
        return float(se), float(df)

    refusal = "one replicate: its own variance is unknown" if diffs.shape[1] < 2 else None
    return t_of_mean(diffs, strata, moments, name="quasi-t", nothing="no prompt has a score in every cell",
                     refusal=refusal, confidence=confidence)
