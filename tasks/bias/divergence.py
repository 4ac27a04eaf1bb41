"""How far apart are the groups of a family? Jensen-Shannon divergence, less what chance alone would give.

The raw figure grows with the vocabulary and shrinks with the number of completions even when no arm is
biased, so each template's mean under permutation of whole completions between groups is taken off.
Reference: Lin (1991), IEEE Transactions on Information Theory 37, 145-151.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import nan
from typing import Any

import numpy as np
from scipy import sparse, special, stats

from tasks.bias import Floats, Labels
from tasks.bias.logodds import group_counts, shuffled

LEAVE_OUT = 20
TINY = 1e-10  # a smaller difference is rounding
TOO_FEW = "a group can be left without a word: too few words"

LeftOut = tuple[float, Floats]  # the corrected divergence, and (parts,) without each part of the completions
Stratum = tuple[Any, sparse.csr_matrix, Labels]  # a template, its completions' words, and their groups from 0 on


def jensen_shannon(counts: Floats) -> Floats:
    """Divergence (...,) in bits of word counts (..., groups, words); 0 to log2(groups).

    Groups weigh the same: H(mean of the groups' distributions) - mean of their H. NaN where a group has no word.
    """
    totals = counts.sum(axis=-1, keepdims=True)
    shares = np.where(totals > 0, counts / np.where(totals > 0, totals, 1), nan)
    entropy = special.entr(shares).sum(axis=-1).mean(axis=-1)
    return np.asarray((special.entr(shares.mean(axis=-2)).sum(axis=-1) - entropy) / np.log(2))


@dataclass(frozen=True)
class Divergence:
    """The mean over a family's templates: raw, its mean by chance, the difference, and its test."""

    raw: float
    chance: float
    corrected: float
    p: float
    n: int
    reason: str | None = None


@dataclass(frozen=True)
class Change:
    """Corrected divergence of arm a less that of arm b, with the jackknife's standard error and t test."""

    diff: float
    se: float
    df: int
    p: float
    ci_lo: float
    ci_hi: float
    reason: str | None = None


def divergence(words: sparse.csr_matrix, groups: Labels, templates: Labels, *, permutations: int = 1000,
               seed: int = 0) -> Divergence:
    """Mean over templates of the corrected divergence; words is completions x vocabulary (counts).

    p: share of permutations, whole completions between groups within template, that reach the raw figure.
    Refuses (NaN, with a reason) fewer than two groups in a template, or a group without a word.
    """
    strata, n = list(_by_template(words, groups, templates)), len(groups)
    if reason := _refusal(strata):
        return Divergence(nan, nan, nan, nan, n, reason)
    rng, raw, chance = np.random.default_rng(seed), 0.0, np.zeros(permutations)
    for _, part, codes in strata:
        k = int(codes.max()) + 1
        raw += float(jensen_shannon(group_counts(part, codes, k))) / len(strata)
        for draw in range(0, permutations, 100):
            labels = shuffled(codes, np.zeros(len(codes)), min(100, permutations - draw), rng)
            chance[draw : draw + len(labels)] += jensen_shannon(group_counts(part, labels, k)) / len(strata)
    if np.isnan(chance).any():
        return Divergence(raw, nan, nan, nan, n, TOO_FEW)
    p = (1 + int((chance >= raw - TINY).sum())) / (1 + permutations)
    return Divergence(raw, float(chance.mean()), raw - float(chance.mean()), p, n)


def left_out(words: sparse.csr_matrix, groups: Labels, templates: Labels, *, permutations: int = 200,
             seed: int = 0, parts: int = LEAVE_OUT) -> LeftOut:
    """The corrected divergence, and (parts,) the same without each part of the completions.

    Parts are drawn at random within template and group; labels are permuted within part, so that what is left
    is a permutation too, the same for all parts.
    """
    whole, without = 0.0, np.zeros(parts)
    strata = list(_by_template(words, groups, templates))
    for _, part, codes in strata:
        rng = np.random.default_rng(seed)
        part = part[:, np.flatnonzero(part.getnnz(axis=0))]  # a template's words are far fewer than the family's
        fold = _folds(codes, parts, rng)
        observed = _by_fold(part, codes[None], fold, parts)
        labels = shuffled(codes, fold, permutations, rng)
        blocks = np.array_split(labels, max(1, permutations // 20))
        chance = np.concatenate([_by_fold(part, block, fold, parts) for block in blocks])
        corrected = observed[0] - chance.mean(axis=0)
        whole += corrected[0] / len(strata)
        without += corrected[1:] / len(strata)
    return whole, without


def change(a: LeftOut, b: LeftOut, *, confidence: float = 0.95) -> Change:
    """Difference of two arms' `left_out` figures: delete-a-group jackknife, t on parts - 1.

    se^2 = (g - 1) / g sum (theta_(-i) - mean)^2. It errs on the safe side: a divergence is quadratic near no
    bias, where the jackknife's se is about 1.5 times the true one.
    Reference: Kott (2001), Journal of Official Statistics 17.
    """
    parts, diff = len(a[1]), a[0] - b[0]
    without = a[1] - b[1]
    se = float(np.sqrt((parts - 1) / parts * ((without - without.mean()) ** 2).sum()))
    if not np.isfinite(se) or se <= TINY:
        why = TOO_FEW if np.isnan(se) else "the figures do not vary"
        return Change(diff, se, parts - 1, nan, nan, nan, why)
    half = float(stats.t.ppf((1 + confidence) / 2, parts - 1)) * se
    p = float(2 * stats.t.sf(abs(diff) / se, parts - 1))
    return Change(diff, se, parts - 1, p, diff - half, diff + half)


def _by_template(words: sparse.csr_matrix, groups: Labels, templates: Labels) -> Iterator[Stratum]:
    for template in np.unique(templates):
        at = np.flatnonzero(templates == template)
        yield template, words[at], np.unique(groups[at], return_inverse=True)[1]


def _refusal(strata: list[Stratum]) -> str | None:
    if not strata:
        return "no completions"
    for template, words, codes in strata:
        if codes.max() == 0:
            return f"template {template!r} has one group"
        if (group_counts(words, codes, int(codes.max()) + 1).sum(axis=1) == 0).any():
            return f"a group of template {template!r} has no word"
    return None


def _by_fold(words: sparse.csr_matrix, labels: Labels, fold: Labels, parts: int) -> Floats:
    """(draws, 1 + parts): divergence of all completions, then without each part."""
    k = int(labels.max()) + 1
    counts = group_counts(words, fold * k + labels, parts * k).reshape(len(labels), parts, k, words.shape[1])
    whole = counts.sum(axis=1, keepdims=True)
    return jensen_shannon(np.concatenate([whole, whole - counts], axis=1))


def _folds(codes: Labels, parts: int, rng: np.random.Generator) -> Labels:
    fold = np.empty(len(codes), dtype=np.intp)
    for code in np.unique(codes):
        at = np.flatnonzero(codes == code)
        fold[rng.permutation(at)] = np.arange(len(at)) % parts
    return fold
