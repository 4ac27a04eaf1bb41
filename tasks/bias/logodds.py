"""Which words does a group favour, within template? Log-odds with an informative Dirichlet prior.

Counts are of completions *containing* a word: token counts inflate z when a completion repeats itself. Templates
call for different words, and groups differ in how often they answer one with a word at all: counts added up over
templates would call innocent words skewed (Simpson), so each template is its own comparison and these are combined.
Reference: Monroe, Colaresi and Quinn (2008), Political Analysis 16, 372-403.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import sparse

from tasks.bias import Floats, Labels

COLUMNS = ("group", "word", "n_group", "n_rest", "count_group", "count_rest", "log_odds", "z", "p", "ratio")
COUNTS_AT_ONCE = 150_000
NO_PRIOR = 1e-12  # of a word that a template lacks: it keeps logarithms finite and weighs nothing


def moments(y: Floats, other: Floats, prior: Floats) -> tuple[Floats, Floats]:
    """Log-odds ratio and its precision (..., words) of counts y against `other`, with prior counts a_w > 0 (words,).

    delta_w = log((y_w + a_w) / (n + a0 - y_w - a_w)) less the same of `other`, with n the sum of y and a0 that
    of the prior; the precision is 1 / (1 / (y_w + a_w) + 1 / (other_w + a_w)), and z = delta sqrt(precision).
    """
    mine, theirs = y + prior, other + prior
    precision = mine * theirs / (mine + theirs)
    rest_of_mine, rest_of_theirs = (counts.sum(axis=-1, keepdims=True) - counts for counts in (mine, theirs))
    return np.log(mine * rest_of_theirs / (rest_of_mine * theirs)), precision  # one logarithm: there are millions


@dataclass(frozen=True)
class Stratum:
    """One template: which completions, the words in them, and in how many of them each word is."""

    at: Labels
    words: sparse.csr_matrix  # completions of the template x all tested words, 0 or 1
    pooled: Floats
    compared: Labels  # (groups, words): the word is here, and both the group and the rest have completions

    def prior(self, total: float) -> Floats:
        """Prior counts: `total` x each word's frequency in the template."""
        return np.asarray(np.maximum(total * self.pooled / self.pooled.sum(), NO_PRIOR))


def strata_of(words: sparse.csr_matrix, codes: Labels, templates: Labels, groups: int) -> list[Stratum]:
    """The templates in which two words or more can be compared."""
    strata = []
    for template in np.unique(templates):
        at = np.flatnonzero(templates == template)
        pooled = np.asarray(words[at].sum(axis=0), dtype=np.float64).ravel()
        sizes = np.bincount(codes[at], minlength=groups)
        if np.count_nonzero(pooled) > 1:
            compared = ((sizes > 0) & (sizes < len(at)))[:, None] & (pooled > 0)
            strata.append(Stratum(at, words[at], pooled, compared))
    return strata


def combined(strata: Sequence[Stratum], codes: Labels, size: tuple[int, int], prior: float) -> tuple[Floats, Floats]:
    """Log-odds ratio and z (..., groups, words) over templates, weighed by inverse variance; 0 where none compares.

    delta = sum_t delta_t / v_t / sum_t 1 / v_t and z = sum_t delta_t / v_t / sqrt(sum_t 1 / v_t); `codes`
    (..., completions) are group numbers, `size` the numbers of groups and words, `prior` the sum of prior counts.
    """
    shape = (*np.shape(codes)[:-1], *size)
    weighted, precision = np.zeros(shape), np.zeros(shape)
    for stratum in strata:
        counts = group_counts(stratum.words, codes[..., stratum.at], size[0])
        delta, weight = moments(counts, stratum.pooled - counts, stratum.prior(prior))
        weight *= stratum.compared
        precision += weight
        weighted += np.multiply(delta, weight, out=delta)
    precision[precision == 0] = 1.0
    return weighted / precision, weighted / np.sqrt(precision)


def frequency_ratio(strata: Sequence[Stratum], codes: Labels, size: tuple[int, int]) -> Floats:
    """(groups, words): share of a group's completions with a word over that of the rest, within template.

    sum_t y_t m_t / N_t / sum_t x_t n_t / N_t, with y_t of the group's n_t completions and x_t of the rest's m_t
    holding the word; NaN where the rest never does. With one template, or prompts of one size, the plain ratio.
    Reference: Mantel and Haenszel (1959), JNCI 22, 719-748; Rothman's form for risk ratios.
    """
    mine, theirs = np.zeros(size), np.zeros(size)
    for stratum in strata:
        counts = group_counts(stratum.words, codes[stratum.at], size[0])
        share = np.bincount(codes[stratum.at], minlength=size[0])[:, None] / len(stratum.at)
        mine += counts * (1 - share)
        theirs += (stratum.pooled - counts) * share
    return np.divide(mine, theirs, out=np.full_like(mine, np.nan), where=theirs > 0)


def group_counts(words: sparse.csr_matrix, labels: Labels, groups: int) -> Floats:
    """Counts (..., groups, words) from completions x words and group numbers (..., completions)."""
    flat = np.atleast_2d(labels)
    n = flat.shape[1]
    rows = (np.arange(len(flat))[:, None] * groups + flat).ravel()
    columns = np.tile(np.arange(n), len(flat))
    indicator = sparse.csr_matrix((np.ones(rows.size), (rows, columns)), shape=(len(flat) * groups, n))
    counts = np.asarray((indicator @ words).todense(), dtype=np.float64)
    return counts.reshape(*np.shape(labels)[:-1], groups, words.shape[1])


def shuffled(labels: Labels, blocks: Labels, draws: int, rng: np.random.Generator) -> Labels:
    """`draws` permutations (draws, n) of labels (n,) within blocks (n,): completions change places whole."""
    out = np.empty((draws, len(labels)), dtype=np.intp)
    for block in np.unique(blocks):
        at = np.flatnonzero(blocks == block)
        order = rng.random((draws, len(at))).argsort(axis=1)
        out[:, at] = labels[at][order]
    return out


def favoured(words: sparse.csr_matrix, vocabulary: Sequence[str], groups: Labels, templates: Labels, *,
             prior_total: float = 500.0, other_priors: Sequence[float] = (), minimum: int = 5,
             permutations: int = 1000, seed: int = 0) -> tuple[pd.DataFrame, str | None]:
    """Each word's skew towards each group against the rest, with exactly `COLUMNS`; and why the table is empty.

    `words`: completions x vocabulary, anything above zero counts once. `groups`, `templates`: a label per
    completion. The prior is prior_total x the template's pooled frequency; words in fewer than `minimum`
    completions, and rows that no template compares, are left out. `p` is the share of permutations (whole
    completions, between groups, within template) whose largest |z| over all words and groups reaches this |z|: it
    holds for all words together. Counts are over all templates, `log_odds`, `z` and `ratio` within template.
    A column `z_prior_<total>` for each of `other_priors` comes last.
    """
    names, codes = np.unique(groups, return_inverse=True)
    binary = sparse.csr_matrix(words > 0, dtype=np.float64)
    frequent = np.flatnonzero(np.asarray(binary.sum(axis=0)).ravel() >= minimum)
    binary, size = binary[:, frequent], (len(names), len(frequent))
    strata = strata_of(binary, codes, templates, len(names)) if len(frequent) else []
    if reason := _refusal(size, strata, minimum):
        return pd.DataFrame(columns=[*COLUMNS, *map(_under, other_priors)]), reason
    delta, z = combined(strata, codes, size, prior_total)
    largest = _largest_z(strata, codes, templates, size, prior_total, permutations, seed)
    counts, n = group_counts(binary, codes, len(names)), np.bincount(codes)
    g, w = np.nonzero(np.any([stratum.compared for stratum in strata], axis=0))
    p = (1 + (largest[:, None] >= np.abs(z[g, w]) - 1e-12).sum(axis=0)) / (1 + permutations)
    held = (part[g, w].astype(np.int64) for part in (counts, counts.sum(axis=0) - counts))
    columns = (names[g], [vocabulary[i] for i in frequent[w]], n[g], n.sum() - n[g], *held, delta[g, w], z[g, w], p,
               frequency_ratio(strata, codes, size)[g, w])
    table = pd.DataFrame(dict(zip(COLUMNS, columns, strict=True)))
    for prior in other_priors:
        table[_under(prior)] = combined(strata, codes, size, prior)[1][g, w]
    return table.sort_values(["group", "z", "word"], ascending=[True, False, True], ignore_index=True), None


def _under(prior: float) -> str:
    return f"z_prior_{prior:g}"


def _refusal(size: tuple[int, int], strata: Sequence[Stratum], minimum: int) -> str | None:
    if size[0] < 2:
        return "fewer than two groups"
    if size[1] < 2:
        return f"fewer than two words are in {minimum} completions"
    compares = any(stratum.compared.any() for stratum in strata)
    return None if compares else "no template has two groups and two words to compare"


def _largest_z(strata: Sequence[Stratum], codes: Labels, templates: Labels, size: tuple[int, int], prior: float,
               permutations: int, seed: int) -> Floats:
    """(permutations,) the largest |z| over groups and words when completions change groups within template."""
    rng, largest = np.random.default_rng(seed), np.empty(permutations)
    step = max(1, COUNTS_AT_ONCE // (size[0] * size[1]))
    for start in range(0, permutations, step):
        draws = min(step, permutations - start)
        z = combined(strata, shuffled(codes, templates, draws, rng), size, prior)[1]
        largest[start : start + draws] = np.abs(z).max(axis=(1, 2))
    return largest
