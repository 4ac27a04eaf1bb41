"""Two crossed random factors: prompts, and replicates: several seeds, or raters as a sample of all raters.

A cell (prompt i, replicate j) holds a difference between arms. With MS the mean squares of prompts, of
replicates and of what is left, the variance of the grand mean of n prompts and S replicates is
(MSp + MSs - MSe) / (n S), and never taken below the larger of MSp and MSs over n S (a quasi-t).
Where few replicates happen to agree, that leaves the prompts' variance with their many degrees of freedom; so a claim
about where replicates come from (the dataset, raters at large) must also pass a t test of the replicates' means.
Reference: Clark (1973), Journal of Verbal Learning and Verbal Behavior 12, 335-359; Satterthwaite (1946),
Biometrics Bulletin 2, 110-114.
"""

from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np

from tasks.stats.outcome import Floats, Labels, Outcome, worse
from tasks.stats.paired import design, squares_within, t_of_mean, variance_of_mean

Of = Literal["checkpoints", "dataset", "raters"]
NAMES = {"checkpoints": "quasi-t", "dataset": "quasi-t and t of the seeds' means",
         "raters": "quasi-t and t of the raters' means"}


@dataclass(frozen=True)
class Parts:
    """Variances of the grand mean (...,): by prompts, by replicates, what both contain, and their df."""

    estimate: Floats
    prompts: Floats
    replicates: Floats
    shared: Floats
    df_prompts: Floats
    df_replicates: Floats | float
    df_shared: Floats


def parts(diffs: Floats, strata: Labels | None = None) -> Parts:
    """Split the variance of the mean of complete differences (..., prompts, replicates); vectorised.

    Categories are fixed and equally weighted: prompts vary within them (n - C df), and what is left is the
    prompt x replicate residual within categories ((n - C)(S - 1) df); of several sizes as in `variance_of_mean`.
    """
    n, replicates = diffs.shape[-2:]
    indicators, weights = design(strata, n)
    counts = indicators.sum(axis=0)
    prompt_means = diffs.mean(axis=-1)
    residual = np.swapaxes(diffs - prompt_means[..., None], -1, -2)  # (..., S, n)
    prompts, df_prompts = variance_of_mean(squares_within(prompt_means, indicators), counts)
    shared, df_shared = variance_of_mean(squares_within(residual, indicators).sum(axis=-2), counts, replicates - 1)
    replicate_means = np.swapaxes(diffs, -1, -2) @ weights
    return Parts(
        estimate=prompt_means @ weights, prompts=prompts,
        replicates=replicate_means.var(axis=-1, ddof=1) / replicates, shared=shared / replicates,
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


def of_replicates(split: Parts) -> tuple[Floats, Floats, Floats]:
    """Estimate, standard error and df (...,) of the t test of the replicates' means."""
    return split.estimate, np.sqrt(split.replicates), np.asarray(split.df_replicates, dtype=np.float64)


def crossed_t(diffs: Floats, strata: Labels | None = None, *, of: Of = "checkpoints",
              confidence: float = 0.95) -> Outcome:
    """Test of the grand mean of differences (prompts, replicates), both factors random; strata (prompts,).

    Of these checkpoints: the quasi-t. Of the dataset whose seeds the replicates are, or of raters at large: the
    larger p of the quasi-t and of the t of the replicates' means, under the wider interval. A prompt with a missing
    cell is left out. Refusals (p NaN, with a reason): fewer than two replicates, no complete prompt, no category with
    two prompts, no variation. `note` as in `stratified_t`.
    """
    test = partial(t_of_mean, diffs, strata, name=NAMES[of], nothing="no prompt has a score in every cell",
                   refusal="one replicate: its own variance is unknown" if diffs.shape[1] < 2 else None,
                   confidence=confidence)

    def quasi_moments(rows: Floats, categories: Labels | None) -> tuple[float, float]:
        _, se, df = quasi(parts(rows, categories))
        return float(se), float(df)

    def replicate_moments(rows: Floats, categories: Labels | None) -> tuple[float, float]:
        _, se, df = of_replicates(parts(rows, categories))
        return float(se), float(df)

    outcome = test(quasi_moments)
    return outcome if of == "checkpoints" else worse(outcome, test(replicate_moments))
