"""Simulations of docs/method.md: the level of claims about a dataset, of unequal categories, of ratings in lots."""

from collections.abc import Iterator, Sequence

import numpy as np

from tasks.stats.crossed import of_replicates, parts, quasi
from tasks.stats.outcome import Floats
from tasks.stats.paired import design, stratified_moments, within_variance
from tasks.stats.ratings import LEVEL, association
from tests.simulations.references import Figure
from tests.simulations.simulations import STRATA, batches, p_of

OF_PROMPT, OF_CHECKPOINT = 0.42, 0.46  # points: a prompt in an arm, with every seed and of one checkpoint
SIZES, SPREADS = (2, 2, 3, 3, 5, 5, 10, 10), (3.0, 3.0, 2.0, 2.0, 1.0, 1.0, 0.5, 0.5)
SEVERITY, RATERS = 0.6, 6


def dataset_claims(reps: int, seeds: Sequence[int], seed: int = 13) -> Iterator[Figure]:
    """Any false claim about the dataset, by Holm among {values - control, values - base} x models: seeds x models x
    standard deviation between seeds, in points; and, of three models, what the quasi-t alone would claim."""
    for count in seeds:
        for models in (1, 3, 5):
            for spread in (0.0, 0.1, 0.2, 0.4):
                rng = np.random.default_rng([seed, count, models, int(100 * spread)])
                hits, alone = 0, 0
                for size in batches(reps, 500 // models):
                    both = _p_of_dataset(_differences(rng, size, models, count, spread))
                    first = [(p.reshape(size, -1).min(axis=1) * 2 * models <= 0.05).sum() for p in both]
                    hits, alone = hits + int(first[0]), alone + int(first[1])
                what = f"{count} seeds, {models} model{'s' * (models > 1)}, seed sd {spread:g}"
                yield Figure(f"claims about the dataset, {what}", hits / reps, 0, 0.06)
                if (count, models, spread) == (3, 3, 0.2):
                    yield Figure(f"the quasi-t alone, {what} (must fail)", alone / reps, 0.07, 1)


def _differences(rng: np.random.Generator, size: int, models: int, seeds: int, spread: float) -> Floats:
    """(size, models, 2 contrasts, prompts, seeds) without effect; base is one checkpoint."""
    n = len(STRATA)
    tuned = (rng.normal(0, OF_PROMPT, (size, models, 2, n, 1))
             + rng.normal(0, OF_CHECKPOINT, (size, models, 2, n, seeds))
             + rng.normal(0, spread, (size, models, 2, 1, seeds)))
    base = rng.normal(0, np.hypot(OF_PROMPT, OF_CHECKPOINT), (size, models, n, 1))
    return np.stack([tuned[:, :, 0] - tuned[:, :, 1], tuned[:, :, 0] - base], axis=2)


def _p_of_dataset(diffs: Floats) -> tuple[Floats, Floats]:
    """p of the claim, and of the quasi-t alone."""
    split = parts(diffs, STRATA)
    alone = p_of(*quasi(split))
    return np.maximum(alone, p_of(*of_replicates(split))), alone


def unequal_categories(reps: int, seed: int = 14) -> Iterator[Figure]:
    """False rejections where small categories spread widely: each category's own variance, and the pooled one."""
    strata, spread = np.repeat(np.arange(len(SIZES)), SIZES), np.repeat(SPREADS, SIZES)
    diffs = np.random.default_rng(seed).normal(0, spread, (reps, len(strata)))
    indicators, weights = design(strata, len(strata))
    pooled = np.sqrt(within_variance(diffs, indicators) * (weights**2).sum())
    own, alike = p_of(*stratified_moments(diffs, strata)), p_of(diffs @ weights, pooled, len(strata) - len(SIZES))
    yield Figure("small categories spread widely: rejects", float(np.mean(own < 0.05)), 0.03, 0.06)
    yield Figure("small categories spread widely: pooled variance rejects (must fail)", float(np.mean(alike < 0.05)),
                 0.2, 1)
    even = np.random.default_rng(seed).normal(0, 1, (reps, len(strata)))
    yield Figure("categories of several sizes that spread alike: rejects",
                 float(np.mean(p_of(*stratified_moments(even, strata)) < 0.05)), 0.035, 0.06)


def lots(reps: int, seed: int = 15) -> Iterator[Figure]:
    """False claims from ratings where each text has one of six raters, whose severity differs by .6: drawn for each arm
    from lots of its own, and from one lot."""
    rng = np.random.default_rng(seed)
    for name, own in (("lots by arm", True), ("one lot", False)):
        claims, kept, refused = 0, 0, 0
        for _ in range(reps):
            severity = rng.normal(0, SEVERITY, RATERS)
            shares = rng.dirichlet(np.full(RATERS, 2.0), 2) if own else np.full((2, RATERS), 1 / RATERS)
            texts = [rng.choice(RATERS, p=share, size=(len(STRATA), 3)) for share in shares]
            means = [severity[who].mean(axis=1) + rng.normal(0, 0.6, len(STRATA)) for who in texts]
            counts = [np.stack([(who == r).sum(axis=1) for r in range(RATERS)], axis=1).astype(float) for who in texts]
            claim = float(p_of(*stratified_moments(means[0] - means[1], STRATA))) < 0.05
            out = association(*counts) <= LEVEL
            claims, kept, refused = claims + claim, kept + (claim and not out), refused + out
        if own:
            yield Figure(f"ratings, {name}: false claims if none were refused (must fail)", claims / reps, 0.1, 1)
        else:
            yield Figure(f"ratings, {name}: refused", refused / reps, 0, 0.01)
        yield Figure(f"ratings, {name}: false claims", kept / reps, 0, 0.06)
