"""The power of a plan of ratings: prompts, samples, raters and seeds against a difference in points."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy import optimize

from tasks.formats.verdicts import CLAIM_SEEDS
from tasks.stats.comparisons import comparisons
from tasks.stats.crossed import Parts
from tasks.stats.outcome import NAN
from tasks.stats.plan import Plan
from tasks.stats.power import crossed_power, power_t
from tasks.stats.scores import ArmScores, checked
from tasks.stats.variance import components, seed_spread

MOST_PROMPTS = 1_000


@dataclass(frozen=True)
class Spread:
    """Standard deviations in points: of the true difference between prompts of a category, of a sample of a prompt, of
    a rating of a sample, and of the difference between training seeds."""

    prompt: float
    sample: float
    rater: float
    seed: float = 0.0


@dataclass(frozen=True)
class Design:
    """What is rated: `samples` of each of `prompts`, evenly in `categories`, by `raters` each, of `seeds` trainings on
    either side; `tests` in the family, of which Holm's first step must be passed."""

    prompts: int
    categories: int
    samples: int
    raters: int
    seeds: int = 1
    tests: int = 1


def power(design: Design, spread: Spread, difference: float, *, alpha: float = 0.05) -> float:
    """The probability that a true `difference` in points between two tuned arms is found, by the test that
    `contrasts.test_of` makes of so many seeds; NaN where no category has two prompts.

    One seed: of these checkpoints, so the spread of seeds is no noise. Several: prompts are taken to differ alike in
    every seed.
    """
    n, df = design.prompts, design.prompts - design.categories
    if df <= 0:
        return NAN
    noise = 2 * (spread.sample**2 + spread.rater**2 / design.raters) / design.samples  # of a prompt's difference
    if design.seeds == 1:
        sd = float(np.hypot(spread.prompt, np.sqrt(noise)))
        return power_t(difference / sd, n, df=df, alpha=alpha / design.tests) if sd else 1.0
    count = design.seeds
    shared = noise / count / n
    split = Parts(*(np.asarray(value, dtype=np.float64) for value in (
        difference, spread.prompt**2 / n + shared, spread.seed**2 / count + shared, shared, df, count - 1,
        df * (count - 1))))  # fmt: skip
    of_dataset = count >= CLAIM_SEEDS
    return float(crossed_power(np.asarray(difference), split, dataset=of_dataset, alpha=alpha / design.tests))


def detectable(design: Design, spread: Spread, wanted: float = 0.8, *, alpha: float = 0.05) -> float:
    """The smallest true difference in points found with the `wanted` power; NaN where nothing can be tested."""
    if np.isnan(power(design, spread, 0.0, alpha=alpha)):
        return NAN
    return float(optimize.brentq(lambda d: power(design, spread, d, alpha=alpha) - wanted, 1e-6, 1e3))


def prompts_for(design: Design, spread: Spread, difference: float, wanted: float, *, alpha: float = 0.05) -> int | None:
    """The fewest prompts, as many in each category, that find the `difference` with the `wanted` power; None where a
    thousand do not (with several seeds more prompts cannot make up for few trainings)."""
    low, high = 2, MOST_PROMPTS // design.categories

    def enough(each: int) -> bool:
        return power(replace(design, prompts=each * design.categories), spread, difference, alpha=alpha) >= wanted

    if not enough(high):
        return None
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle + 1, high)
    return low * design.categories


def spread_of(scores: pd.DataFrame, plan: Plan, metric: str) -> Spread | None:
    """The spread of ratings that are there, target against control, the mean over models of each variance; None where
    they do not say (fewer than two samples, raters or prompts a category).

    Where every rater rated every text, a rater's severity is the same in both arms and no noise: it is taken out.
    """
    found = []
    for comparison in comparisons(checked(scores), plan, [metric], [(plan.target, plan.control)]):
        if not comparison.arms or comparison.pair is None:
            continue
        a, b = without_severity(*comparison.arms)
        sds = components(a, b, comparison.prompts.categories)
        diffs = comparison.pair.diffs
        seed = seed_spread(diffs[~np.isnan(diffs).any(axis=1)])
        found.append([sds["prompt"], sds["sample"], sds["rater"], 0.0 if np.isnan(seed) else seed])
    if not found or np.isnan(found).any():
        return None
    return Spread(*(float(sd) for sd in np.sqrt(np.mean(np.square(found), axis=0))))


def without_severity(a: ArmScores, b: ArmScores) -> tuple[ArmScores, ArmScores]:
    """The scores less each rater's mean over both arms, where every rater gave every rating; else as they are."""
    if np.isnan(a.values).any() or np.isnan(b.values).any():
        return a, b
    of_raters = (a.values.mean(axis=(0, 1, 2)) + b.values.mean(axis=(0, 1, 2))) / 2
    return replace(a, values=a.values - of_raters), replace(b, values=b.values - of_raters)
