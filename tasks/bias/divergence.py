"""How far apart are the groups of a family? Jensen-Shannon divergence, less what chance alone would give.

The raw figure grows with the vocabulary and shrinks with the number of completions even when no arm is
biased, so each template's mean under permutation of whole completions between groups is taken off.
Reference: Lin (1991), IEEE Transactions on Information Theory 37, 145-151.
"""

from dataclasses import dataclass

import numpy as np
from scipy import sparse, special, stats

from tasks.bias.logodds import group_counts, shuffled
from tasks.stats.outcome import NAN, TINY, Floats, Labels

LEAVE_OUT = 20
TOO_FEW = "a group can be left without a word: too few words"


def jensen_shannon(counts: Floats) -> Floats:
    """Divergence (...,) in bits of word counts (..., groups, words); 0 to log2(groups).

    Groups weigh the same: H(mean of the groups' distributions) - mean of their H. NaN where a group has no word.
    """
    totals = counts.sum(axis=-1, keepdims=True)
    shares = np.where(totals > 0, counts / np.where(totals > 0, totals, 1), NAN)
    entropy = special.entr(shares).sum(axis=-1).mean(axis=-1)
    return np.asarray((special.entr(shares.mean(axis=-2)).sum(axis=-1) - entropy) / np.log(2))


@dataclass(frozen=True)
class Divergence:
    """One template (or the mean of a family's): raw, its mean by chance, the difference, and its test."""

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
    codes, reason = _codes(words, groups, templates)
    n = len(codes)
    if reason:
        return Divergence(NAN, NAN, NAN, NAN, n, reason)
    rng, raw, chance = np.random.default_rng(seed), 0.0, np.zeros(permutations)
    names = np.unique(templates)
    for template in names:
        at = np.flatnonzero(templates == template)
        mine, k = np.unique(codes[at], return_inverse=True)[1], len(np.unique(codes[at]))
        part = words[at]
        raw += float(jensen_shannon(group_counts(part, mine, k))) / len(names)
        for draw in range(0, permutations, 100):
            labels = shuffled(mine, np.zeros(len(at)), min(100, permutations - draw), rng)
            chance[draw:draw + len(labels)] += jensen_shannon(group_counts(part, labels, k)) / len(names)
    if np.isnan(chance).any():
        return Divergence(raw, NAN, NAN, NAN, n, TOO_FEW)
    p = (1 + int((chance >= raw - TINY).sum())) / (1 + permutations)
    return Divergence(raw, float(chance.mean()), raw - float(chance.mean()), p, n)


def left_out(words: sparse.csr_matrix, groups: Labels, templates: Labels, *, permutations: int = 200,
             seed: int = 0, parts: int = LEAVE_OUT) -> tuple[float, Floats]:
    """The corrected divergence, and (parts,) the same without each part of the completions.

    Parts are drawn at random within template and group; labels are permuted within part, so that what is left
    is a permutation too, the same for all parts.
    """
    rng = np.random.default_rng(seed)
    codes = np.unique(groups, return_inverse=True)[1]
    whole, without = 0.0, np.zeros(parts)
    for template in np.unique(templates):
        at = np.flatnonzero(templates == template)
        mine = np.unique(codes[at], return_inverse=True)[1]
        fold = _folds(mine, parts, rng)
        observed = _by_fold(words[at], mine[None], fold, parts)
        labels = shuffled(mine, fold, permutations, rng)
        blocks = np.array_split(labels, max(1, permutations // 20))
        chance = np.concatenate([_by_fold(words[at], block, fold, parts) for block in blocks])
        corrected = observed[0] - chance.mean(axis=0)
        whole += corrected[0] / len(np.unique(templates))
        without += corrected[1:] / len(np.unique(templates))
    return whole, without


def change(a: tuple[float, Floats], b: tuple[float, Floats], *, confidence: float = 0.95) -> Change:
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
        return Change(diff, se, parts - 1, NAN, NAN, NAN, why)
    half = float(stats.t.ppf((1 + confidence) / 2, parts - 1)) * se
    p = float(2 * stats.t.sf(abs(diff) / se, parts - 1))
    return Change(diff, se, parts - 1, p, diff - half, diff + half)


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


def _codes(words: sparse.csr_matrix, groups: Labels, templates: Labels) -> tuple[Labels, str | None]:
    codes = np.unique(groups, return_inverse=True)[1]
    if len(codes) == 0:
        return codes, "no completions"
    for template in np.unique(templates):
        at = np.flatnonzero(templates == template)
        mine = np.unique(codes[at], return_inverse=True)[1]
        if mine.max() == 0:
            return codes, f"template {template!r} has one group"
        if (group_counts(words[at], mine, int(mine.max()) + 1).sum(axis=1) == 0).any():
            return codes, f"a group of template {template!r} has no word"
    return codes, None
