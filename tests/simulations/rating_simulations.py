"""Simulations of docs/method.md: claims from people's ratings, and whether `palms power` says what they find.

Ratings are cut latent normals, 1 to 5, of 40 prompts in 8 categories with 3 samples, by raters of different severity:
a panel who rate everything, or three of six drawn for each text. Trainings of a dataset differ by their seed.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy import stats

from tasks.raters.power import Design, Spread, detectable, power, without_severity
from tasks.stats.crossed import of_replicates, parts, quasi
from tasks.stats.families import holm
from tasks.stats.ordinal import cumulative_logit
from tasks.stats.outcome import Floats, Labels
from tasks.stats.paired import stratified_moments
from tasks.stats.scores import ArmScores
from tasks.stats.variance import components
from tests.simulations.references import Figure
from tests.simulations.simulations import CATEGORIES, POINTS, STRATA, batches, p_of

SEVERITY = 0.5  # latent: standard deviation between raters
PANEL, POOL = 3, 6
ALPHA = 0.05


@dataclass(frozen=True)
class Case:
    """How ratings come about; `seed_sd` in points. `pool`: raters of whom `raters` are drawn for each text, or none."""

    models: int = 1
    seeds: int = 1
    seed_sd: float = 0.0
    strata: tuple[int, ...] = tuple(int(code) for code in STRATA)
    samples: int = 3
    raters: int = PANEL
    pool: int = 0


def draw(rng: np.random.Generator, reps: int, case: Case, *, shift: float = 0.0, arms: int = 3) -> Floats:
    """Ratings (reps, models, arms, prompts, seeds, samples, raters); the arms are values, control and base, which is
    one checkpoint. `shift` (latent) is added to values, more in some categories than in others."""
    n, codes = len(case.strata), np.array(case.strata)
    shape = (reps, case.models, arms, n, case.seeds)
    cell = rng.normal(0, 0.5, (reps, 1, 1, n, 1)) + rng.normal(0, 0.4, (*shape[:-1], 1))
    cell = cell + rng.normal(0, case.seed_sd / POINTS, (reps, case.models, arms, 1, case.seeds))
    cell[:, :, 0] += (shift * np.linspace(0.5, 1.5, codes.max() + 1)[codes])[:, None]
    sample = cell[..., None] + rng.normal(0, 0.7, (*shape, case.samples))
    severity = rng.normal(0, SEVERITY, (reps, case.pool or case.raters))
    if case.pool:
        chosen = rng.random((*shape, case.samples, case.pool)).argsort(axis=-1)[..., : case.raters]
        severity = severity[np.arange(reps)[(slice(None), *[None] * 6)], chosen]
    else:
        severity = severity[(slice(None), *[None] * 5)]
    latent = sample[..., None] + severity + rng.normal(0, 0.5, (*shape, case.samples, case.raters))
    ratings = np.clip(np.round(3 + 1.1 * latent), 1, 5)
    if arms == 3:
        ratings[:, :, 2] = ratings[:, :, 2, :, :1]
    return np.asarray(ratings, dtype=np.float64)


def tested(diffs: Floats, strata: Labels) -> tuple[Floats, Floats, Floats]:
    """Estimate, p and the interval's half width (...,) of differences (..., prompts, seeds), as `contrasts.test_of`."""
    if diffs.shape[-1] == 1:
        tests = [stratified_moments(diffs[..., 0], strata)]
    else:
        split = parts(diffs, strata)
        tests = [quasi(split), of_replicates(split)]
    p = np.max([p_of(*test) for test in tests], axis=0)
    half = np.max([stats.t.isf(ALPHA / 2, df) * se for _, se, df in tests], axis=0)
    return tests[0][0], p, half


def claims(reps: int, seed: int = 21) -> Iterator[Figure]:
    """Any false claim by Holm among {values - control, values - base} x models, and coverage of a true difference."""
    cases = {
        "a panel, 1 model": Case(),
        "a panel, 3 models": Case(models=3),
        "three of six raters a text, 1 model": Case(pool=POOL),
        "a panel, 1 model, 3 seeds of sd .1": Case(seeds=3, seed_sd=0.1),
        "a panel, 3 models, 3 seeds of sd .2": Case(models=3, seeds=3, seed_sd=0.2),
        "a panel, 1 model, 5 seeds of sd .2": Case(seeds=5, seed_sd=0.2),
    }
    for place, (name, case) in enumerate(cases.items()):
        rng, hits = np.random.default_rng([seed, place]), 0
        for size in batches(reps, 100 // case.models // case.seeds):
            cells = draw(rng, size, case).mean(axis=(-1, -2))
            diffs = cells[:, :, :1] - cells[:, :, 1:]
            p = tested(diffs, STRATA)[1].reshape(size, -1)
            hits += sum(bool((holm(row) <= ALPHA).any()) for row in p)
        yield Figure(f"ratings, {name}: family-wise error", hits / reps, 0, 0.06)
    for name in ("a panel, 1 model", "three of six raters a text, 1 model", "a panel, 1 model, 5 seeds of sd .2"):
        case = cases[name]
        rng = np.random.default_rng([seed, 50 + len(name)])
        found = []
        for size in batches(reps, 100 // case.seeds):
            cells = draw(rng, size, case, shift=0.5, arms=2).mean(axis=(-1, -2))
            estimate, _, half = tested(cells[:, 0, 0] - cells[:, 0, 1], STRATA)
            found.append(np.stack([estimate, half]))
        estimates, halves = np.concatenate(found, axis=1)
        inside = np.abs(estimates - estimates.mean()) <= halves
        yield Figure(f"ratings, {name}: coverage", float(inside.mean()), 0.935, 0.965)


def planned(reps: int, seed: int = 22) -> Iterator[Figure]:
    """What `palms power` says of a plan, from the variance components of ratings, less what simulated ratings find."""
    small = tuple(int(code) for code in np.repeat(np.arange(CATEGORIES), 3))
    cases = {
        "40 prompts, 3 samples, 3 raters": Case(),
        "24 prompts, 1 sample, 2 raters": Case(strata=small, samples=1, raters=2),
        "40 prompts, 2 samples, 5 raters": Case(samples=2, raters=5),
        "40 prompts, 3 of 6 raters": Case(pool=POOL),
        "40 prompts, 3 seeds of sd .1": Case(seeds=3, seed_sd=0.1),
        "40 prompts, 5 seeds of sd .2": Case(seeds=5, seed_sd=0.2),
    }
    for place, (name, case) in enumerate(cases.items()):
        rng, strata = np.random.default_rng([seed, place]), np.array(case.strata)
        design = Design(len(strata), CATEGORIES, case.samples, case.raters, case.seeds)
        spread = measured(rng, case)
        wanted = detectable(design, spread)
        # the latent shift whose mean difference in points is about that: `difference` is what it came out as
        shift, estimates, passed = wanted / 1.04, [], 0
        for size in batches(reps, 100 // case.seeds):
            cells = draw(rng, size, case, shift=shift, arms=2).mean(axis=(-1, -2))
            estimate, p, _ = tested(cells[:, 0, 0] - cells[:, 0, 1], strata)
            estimates.append(estimate)
            passed += int((p <= ALPHA).sum())
        difference = float(np.concatenate(estimates).mean())
        gap = power(design, spread, difference) - passed / reps
        yield Figure(f"power of {name}, planned less simulated ({difference:.2f} points)", gap, -0.03, 0.03)


def measured(rng: np.random.Generator, case: Case, reps: int = 60) -> Spread:
    """The spread in points, from components of many studies' ratings without an effect, of two samples at least."""
    several = replace(case, samples=max(case.samples, 2), seeds=1, seed_sd=0.0)
    found = []
    for _ in range(reps):
        ratings = draw(rng, 1, several, arms=2)[0, 0]
        a, b = (ArmScores((1,), values, True, ()) for values in ratings)
        sds = components(*((a, b) if case.pool else without_severity(a, b)), np.array(case.strata))
        found.append([sds["prompt"], sds["sample"], sds["rater"]])
    prompt, sample, rater = np.sqrt(np.mean(np.square(found), axis=0))
    return Spread(float(prompt), float(sample), float(rater), float(case.seed_sd * np.sqrt(2)))


def ordinal(reps: int, seed: int = 23) -> Iterator[Figure]:
    """How often the ordinal model rejects where no arm differs, with a panel of three."""
    rng, hits = np.random.default_rng(seed), 0
    for _ in range(reps):
        ratings = draw(rng, 1, Case(), arms=2)[0, 0, :, :, 0]  # (arms, prompts, samples, raters)
        arm, prompt, _, rater = (index.ravel() for index in np.indices(ratings.shape))
        rows = pd.DataFrame({"prompt": prompt, "category": STRATA[prompt], "rater": rater, "of_a": 1.0 - arm,
                             "rating": ratings.ravel()})  # fmt: skip
        hits += cumulative_logit(rows).p <= ALPHA
    yield Figure("ratings, ordinal model: rejects", hits / reps, 0, 0.08)
