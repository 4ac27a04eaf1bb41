"""Simulation of docs/method.md: what several pairs of answers a prompt buy.

The effect of an arm on a prompt's margin is the prompt's own and, on top of it, one for each pair of answers, since the
same point can be put in words that fine-tuning moves more or less. A prompt's score is the mean over its pairs.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from scipy import stats

from tasks.stats.outcome import Floats
from tasks.stats.paired import stratified_moments
from tests.simulations.references import Figure
from tests.simulations.simulations import PROMPTS, STRATA, batches, p_of

HALF = 0.5  # of the variance of a prompt's effect with one pair is between pairs, where nothing better is known
ONE_PAIR = 0.25  # nats per token: standard deviation over prompts of the effect, with one pair
STATED = {1: 1.0, 2: 0.866, 3: 0.816, 5: 0.775}  # in docs/method.md: the detectable effect, as a share of one pair's
LEVEL, POWER = 0.05 / 2, 0.8  # Holm's first step among two contrasts


def detectable(pairs: int, share: float = HALF, prompts: int = PROMPTS) -> float:
    """The effect in nats per token that is found in `POWER` of studies: categories are strata, `share` of the variance
    is between pairs."""
    spread = ONE_PAIR * np.sqrt(1 - share + share / pairs)
    df = prompts - len(np.unique(STRATA))
    return float((stats.t.isf(LEVEL / 2, df) + stats.t.isf(1 - POWER, df)) * spread / np.sqrt(prompts))


def several_pairs(reps: int, pairs: Sequence[int] = (1, 2, 3, 5), seed: int = 17) -> Iterator[Figure]:
    """Power at the detectable effect, the level without an effect, and how much smaller that effect is than with one
    pair a prompt."""
    for count in pairs:
        rng, found = np.random.default_rng([seed, count]), {0.0: 0, detectable(count): 0}
        for size in batches(reps):
            noise = _effects(rng, size, count)
            for effect in found:
                estimate, se, df = stratified_moments(noise + effect, STRATA)
                found[effect] += int((p_of(estimate, se, df) <= LEVEL).sum())
        error, power = (hits / reps for hits in found.values())
        slack = 3 * np.sqrt(POWER * (1 - POWER) / reps)
        name, ratio = f"pairs a prompt {count}", detectable(count) / detectable(1)
        yield Figure(f"{name}: level", error, 0, LEVEL + 3 * np.sqrt(LEVEL / reps))
        yield Figure(f"{name}: power at {detectable(count):.3f} nats per token", power, POWER - slack, 1)
        low, high = STATED[count] - 0.001, STATED[count] + 0.001
        yield Figure(f"{name}: detectable effect against that with one", ratio, low, high)


def _effects(rng: np.random.Generator, reps: int, pairs: int) -> Floats:
    """Effects (reps, prompts) of no mean: the prompts' own and the mean of their pairs'."""
    of_prompts = rng.normal(0, ONE_PAIR * np.sqrt(1 - HALF), (reps, PROMPTS))
    of_pairs = rng.normal(0, ONE_PAIR * np.sqrt(HALF), (reps, PROMPTS, pairs))
    return np.asarray(of_prompts + of_pairs.mean(axis=-1), dtype=np.float64)
