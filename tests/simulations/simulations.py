"""Simulations of docs/method.md: do the tests keep their level and the intervals their coverage?

Ratings are cut latent normals: 40 prompts in 8 categories, 3 samples, 3 raters, points 1 to 5.
"""

from collections.abc import Iterator

import numpy as np
from scipy import stats

from tasks.stats.crossed import parts, quasi
from tasks.stats.families import holm
from tasks.stats.noninferiority import loss_p, noninferiority_p, noninferiority_power
from tasks.stats.outcome import Floats
from tasks.stats.paired import bootstrap_interval, stratified_moments
from tasks.stats.secondary import welch
from tasks.stats.trend import slope_parts, slope_weights
from tests.simulations.references import Figure

PROMPTS, CATEGORIES, SAMPLES, RATERS = 40, 8, 3, 3
STRATA = np.repeat(np.arange(CATEGORIES), PROMPTS // CATEGORIES)
POINTS = 1.06  # points of the rating scale to one unit of the latent scale, near its middle
AT_ONCE = 250


def ratings(rng: np.random.Generator, reps: int, *, arms: int = 2, models: int = 1, seeds: int = 1,
            seed_sd: float = 0.0, shift: Floats | None = None) -> Floats:
    """Ratings (reps, models, arms, prompts, seeds, samples, raters); `seed_sd` in points, `shift` (prompts,) latent.

    Latent standard deviations: prompt .5 (shared by all), prompt x model x arm .4, sample .7, rating .5. The
    shift is added to the first arm.
    """
    shape = (reps, models, arms, PROMPTS, seeds)
    cell = (rng.normal(0, 0.5, (reps, 1, 1, PROMPTS, 1)) + rng.normal(0, 0.4, (*shape[:-1], 1))
            + rng.normal(0, seed_sd / POINTS, (reps, models, arms, 1, seeds)))
    if shift is not None:
        cell[:, :, 0] += shift[:, None]
    sample = cell[..., None] + rng.normal(0, 0.7, (*shape, SAMPLES))
    latent = sample[..., None] + rng.normal(0, 0.5, (*shape, SAMPLES, RATERS))
    return np.asarray(np.clip(np.round(3 + 1.1 * latent), 1, 5), dtype=np.float64)


def p_of(estimate: Floats, se: Floats, df: Floats | float) -> Floats:
    """Two-sided p of many t statistics."""
    return np.asarray(2 * stats.t.sf(np.abs(estimate / se), df), dtype=np.float64)


def batches(reps: int, size: int = AT_ONCE) -> Iterator[int]:
    """Sizes that add up to reps, so that memory stays small."""
    for start in range(0, reps, size):
        yield min(size, reps - start)


def family_wise(reps: int, seed: int = 1) -> Iterator[Figure]:
    """Any false rejection by Holm among {values - control, values - base} x models, no arm differing."""
    for models in (1, 3, 5):
        rng, hits = np.random.default_rng([seed, models]), 0
        for size in batches(reps, AT_ONCE // models):
            cells = ratings(rng, size, arms=3, models=models).mean(axis=(-1, -2, -3))
            diffs = cells[:, :, :1] - cells[:, :, 1:]
            p = p_of(*stratified_moments(diffs, STRATA)).reshape(size, -1)
            hits += sum(bool((holm(row) < 0.05).any()) for row in p)
        yield Figure(f"family-wise error, {models} model{'s' * (models > 1)}", hits / reps, 0, 0.06)


def coverage(reps: int, bootstraps: int, seed: int = 2) -> Iterator[Figure]:
    """Coverage of the mean difference where categories differ in their effect (fixed), and of two bootstraps."""
    rng, shift = np.random.default_rng(seed), np.linspace(-0.2, 1.0, CATEGORIES)[STRATA]
    diffs = np.concatenate([np.subtract(*np.moveaxis(
        ratings(rng, size, shift=shift).mean(axis=(-1, -2, -3))[:, 0], 1, 0)) for size in batches(reps)])
    truth = float(diffs.mean())  # over all repetitions: its own error is a hundredth of an interval
    estimate, se, df = stratified_moments(diffs, STRATA)
    inside = np.abs(estimate - truth) <= stats.t.ppf(0.975, df) * se
    yield Figure("coverage of the stratified t, n = 40", float(inside.mean()), 0.935, 0.965)
    found = {kind: np.mean([_holds(bootstrap_interval(d, STRATA, draws=1000, seed=i, kind=kind), truth)
                            for i, d in enumerate(diffs[:bootstraps])]) for kind in ("naive", "rescaled")}
    yield Figure("coverage of a within-category bootstrap (must fail)", float(found["naive"]), 0.88, 0.92)
    yield Figure("coverage of the rescaled bootstrap", float(found["rescaled"]), 0.92, 0.96)


def _holds(interval: tuple[float, float], truth: float) -> bool:
    return interval[0] <= truth <= interval[1]


def seed_spread(reps: int, seed: int = 3) -> Iterator[Figure]:
    """False rejections where the seeds of each arm spread by .1 points: prompts alone, and the quasi-t."""
    rng = np.random.default_rng(seed)
    p: dict[str, list[Floats]] = {"one": [], "five": [], "quasi": []}
    for size in batches(reps, AT_ONCE // 5):
        cells = ratings(rng, size, seeds=5, seed_sd=0.1).mean(axis=(-1, -2))[:, 0]
        diffs = cells[:, 0] - cells[:, 1]
        p["one"].append(p_of(*stratified_moments(diffs[..., 0], STRATA)))
        p["five"].append(p_of(*stratified_moments(diffs.mean(axis=-1), STRATA)))
        p["quasi"].append(p_of(*quasi(parts(diffs, STRATA))))
    rate = {name: float(np.mean(np.concatenate(values) < 0.05)) for name, values in p.items()}
    yield Figure("seed spread .1: prompt-only test, one seed, rejects", rate["one"], 0.10, 1)
    yield Figure("seed spread .1: quasi-t, five seeds, rejects", rate["quasi"], 0.04, 0.06)
    yield Figure("seed spread .1: prompt-only test on the mean of five seeds, rejects", rate["five"], 0.06, 1)


def model_shocks(reps: int, seed: int = 4) -> Iterator[Figure]:
    """False trends over three models where each model's effect is off by .1 points a seed, three seeds."""
    rng, weights = np.random.default_rng(seed), slope_weights(np.array([8.0, 9.0, 10.0]))
    plain: list[Floats] = []
    aware: list[Floats] = []
    for size in batches(reps, AT_ONCE // 9):
        cells = ratings(rng, size, models=3, seeds=3).mean(axis=(-1, -2))
        diffs = cells[:, :, 0] - cells[:, :, 1] + rng.normal(0, 0.1, (size, 3, 1, 3))
        slopes = np.einsum("r,irps->ip", weights, diffs) / 3
        plain.append(p_of(*stratified_moments(slopes, STRATA)))
        aware.append(p_of(*quasi(slope_parts([diffs[:, r] for r in range(3)], weights, STRATA))))
    yield Figure("model shocks .1, three seeds: plain trend rejects", float(np.mean(np.concatenate(plain) < 0.05)),
                 0.08, 0.12)
    yield Figure("model shocks .1, three seeds: seed-aware trend rejects",
                 float(np.mean(np.concatenate(aware) < 0.05)), 0.03, 0.05)


def losses(reps: int, seed: int = 10, tasks: int = 6, items: int = 60, discordant: float = 0.1) -> Iterator[Figure]:
    """Any loss found among six tasks of 60 items and their set, 10% of them discordant, of which none lost anything;
    how often all tasks, and the set, rule out their margins, beside the power that the tables state."""
    rng, plain, corrected, all_tasks, whole = np.random.default_rng(seed), 0, 0, 0, 0
    for _ in range(reps):
        changed = rng.binomial(items, discordant, tasks)
        worse = rng.binomial(changed, 0.5)
        counts = [(float(m - c), float(c), items) for m, c in zip(changed, worse, strict=True)]
        pooled = (float((changed - worse).sum()), float(worse.sum()), items * tasks)
        p = [loss_p(*count) for count in (*counts, pooled)]
        plain += min(p) <= 0.05
        corrected += bool((holm(p) <= 0.05).any())
        all_tasks += all(noninferiority_p(*count, 0.1) <= 0.05 for count in counts)
        whole += noninferiority_p(*pooled, 0.05) <= 0.05
    yield Figure("six unchanged tasks and their set: a loss is found", corrected / reps, 0, 0.06)
    yield Figure("six unchanged tasks and their set: a loss is found without correction (must fail)", plain / reps,
                 0.06, 1)
    of_tasks = noninferiority_power(items, discordant, 0.1) ** tasks
    of_set = noninferiority_power(items * tasks, discordant, 0.05)
    error = 3 * np.sqrt(0.25 / reps)
    yield Figure(f"all six tasks rule out a loss of .1 (stated: {of_tasks:.2f})", all_tasks / reps, of_tasks - error,
                 of_tasks + error)
    yield Figure(f"the set of 360 rules out a loss of .05 (stated: {of_set:.2f})", whole / reps, of_set - error,
                 of_set + error)


def independent_ratings(reps: int, seed: int = 5) -> Iterator[Figure]:
    """False rejections of the seed-style test where every rating counts as independent (why it is no test)."""
    rng, hits = np.random.default_rng(seed), 0
    for size in batches(reps):
        for a, b in ratings(rng, size)[:, 0].reshape(size, 2, -1):
            hits += welch(a, b)["p"] < 0.05
    yield Figure("360 ratings taken as independent reject (must fail)", hits / reps, 0.10, 1)
