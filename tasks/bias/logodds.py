"""Which words does a group favour, within template? Log-odds with an informative Dirichlet prior.

Counts are of completions that *contain* a word, and the odds are those of a completion: with the word against without
it. Counts of tokens inflate z when a completion repeats itself, and among counted words all shares add up to one, so
that one skewed word makes innocent words lead. Only completions that describe count, since groups differ in how often
they are described at all. Templates call for different words: counts added up over templates would call innocent words
skewed (Simpson), so each template is its own comparison and these are combined.
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


def moments(y: Floats, x: Floats, n: Floats, m: Floats, prior: Floats, total: float) -> tuple[Floats, Floats]:
    """Log-odds ratio and its precision (..., words) of y in n completions against x in m (..., 1 or words).

    delta_w = log((y_w + a_w) / (n + a0 - y_w - a_w)) less the same of x and m, with prior counts a_w > 0 (words,) and
    a0 = `total`; the precision is 1 / (1 / (y_w + a_w) + 1 / (x_w + a_w)), and z = delta sqrt(precision).
    """
    mine, theirs = y + prior, x + prior
    precision = mine * theirs / (mine + theirs)
    without, theirs_without = (np.maximum(sizes + total - held, NO_PRIOR) for sizes, held in ((n, mine), (m, theirs)))
    return np.log(mine * theirs_without / (without * theirs)), precision  # one logarithm: there are millions


@dataclass(frozen=True)
class Stratum:
    """One template: which completions, the words in them, which of them count, and in how many of these each word is.

    A completion counts for all words, or (`besides`) for the words that it holds.
    """

    at: Labels
    words: sparse.csr_matrix  # completions of the template x all tested words, 0 or 1
    counting: sparse.csr_matrix  # completions x 1, 0 or 1
    besides: sparse.csr_matrix | None  # completions x all tested words, 0 or 1; None where there are none
    pooled: Floats

    @property
    def sizes(self) -> Floats:
        """(1 or words,) completions that count."""
        besides = 0.0 if self.besides is None else np.asarray(self.besides.sum(axis=0), dtype=np.float64).ravel()
        return np.atleast_1d(self.counting.sum() + besides)

    def prior(self, total: float) -> Floats:
        """Prior counts: `total` x each word's share of the completions that count."""
        return np.asarray(np.maximum(total * self.pooled / np.maximum(self.sizes, 1), NO_PRIOR))

    def counts(self, codes: Labels, groups: int) -> tuple[Floats, Floats]:
        """(..., groups, words) completions with each word, and (..., groups, 1 or words) those that count."""
        own = codes[..., self.at]
        sizes = group_counts(self.counting, own, groups)
        sizes = sizes if self.besides is None else sizes + group_counts(self.besides, own, groups)
        return group_counts(self.words, own, groups), sizes

    def compared(self, codes: Labels, groups: int) -> Labels:
        """(groups, words): both the group and the rest have completions that count, and some hold the word, some not.
        """
        sizes = self.counts(codes, groups)[1]
        return (sizes > 0) & (sizes < self.sizes) & (self.pooled > 0) & (self.pooled < self.sizes)


def strata_of(words: sparse.csr_matrix, counting: Labels, templates: Labels) -> list[Stratum]:
    """A stratum a template; where `counting` (completions,) is False, a completion counts for its own words only."""
    strata = []
    for template in np.unique(templates):
        at = np.flatnonzero(templates == template)
        own, counts = words[at], sparse.csr_matrix(counting[at, None], dtype=np.float64)
        besides = own.multiply(~counting[at, None]).tocsr()
        besides.eliminate_zeros()
        pooled = np.asarray(own.sum(axis=0), dtype=np.float64).ravel()
        strata.append(Stratum(at, own, counts, besides if besides.nnz else None, pooled))
    return strata


def combined(strata: Sequence[Stratum], codes: Labels, compared: Labels, prior: float) -> tuple[Floats, Floats]:
    """Log-odds ratio and z (..., groups, words) over templates, weighed by inverse variance; 0 where none compares.

    delta = sum_t delta_t / v_t / sum_t 1 / v_t and z = sum_t delta_t / v_t / sqrt(sum_t 1 / v_t); `codes`
    (..., completions) are group numbers, `compared` (templates, groups, words) the comparisons that there are, and
    `prior` is the sum of prior counts.
    """
    shape = (*np.shape(codes)[:-1], *compared.shape[1:])
    weighted, precision = np.zeros(shape), np.zeros(shape)
    for stratum, there in zip(strata, compared, strict=True):
        held, sizes = stratum.counts(codes, shape[-2])
        rest = stratum.pooled - held, stratum.sizes - sizes
        delta, weight = moments(held, rest[0], sizes, rest[1], stratum.prior(prior), prior)
        weight *= there
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
             permutations: int = 1000, seed: int = 0, alpha: float = 0.05) -> tuple[pd.DataFrame, str | None]:
    """Each word's skew towards each group against the rest, with exactly `COLUMNS`; and why the table is empty.

    `words`: completions x vocabulary, anything above zero counts once. `groups`, `templates`: a label per
    completion. The prior is prior_total x the word's share of the template's completions; words in fewer than
    `minimum` completions, and rows that no template compares, are left out. `p` is the share of permutations (whole
    completions, between groups, within template) whose largest |z| over all words and groups reaches this |z|: it
    holds for all words together. Counts are over all templates, `log_odds`, `z` and `ratio` within template.
    A column `z_prior_<total>` for each of `other_priors` comes last.

    A completion counts if it holds a word of `vocabulary`. A strongly skewed word alone would thereby make more of
    one group's completions count, and others seem rarer there: where words have p <= `alpha`, all is tested again, and
    a completion that holds no other word counts for these words only.
    """
    names, codes = np.unique(groups, return_inverse=True)
    binary = sparse.csr_matrix(words > 0, dtype=np.float64)
    frequent = np.flatnonzero(np.asarray(binary.sum(axis=0)).ravel() >= minimum)
    held = binary[:, frequent]
    if reason := _refusal(names, frequent, minimum):
        return pd.DataFrame(columns=[*COLUMNS, *map(_under, other_priors)]), reason
    draws = Draws(codes, templates, permutations, seed)
    test = tested(held, np.asarray(binary.sum(axis=1)).ravel() > 0, draws, prior_total)
    skewed = np.unique(test.at[1][test.p <= alpha])
    if len(skewed):
        others = np.delete(np.arange(binary.shape[1]), frequent[skewed])
        again = tested(held, np.asarray(binary[:, others].sum(axis=1)).ravel() > 0, draws, prior_total)
        test = again if len(again.p) == len(test.p) else test  # a word with no other beside it keeps its test
    if not len(test.p):
        reason = "no template has two groups and two words to compare"
        return pd.DataFrame(columns=[*COLUMNS, *map(_under, other_priors)]), reason
    g, w = test.at
    counts, n = group_counts(held, codes, len(names)), np.bincount(codes)
    of_both = (part[g, w].astype(np.int64) for part in (counts, counts.sum(axis=0) - counts))
    delta, z = combined(test.strata, codes, test.compared, prior_total)
    columns = (names[g], [vocabulary[i] for i in frequent[w]], n[g], n.sum() - n[g], *of_both, delta[g, w], z[g, w],
               test.p, frequency_ratio(test.strata, codes, (len(names), len(frequent)))[g, w])
    table = pd.DataFrame(dict(zip(COLUMNS, columns, strict=True)))
    for prior in other_priors:
        table[_under(prior)] = combined(test.strata, codes, test.compared, prior)[1][g, w]
    return table.sort_values(["group", "z", "word"], ascending=[True, False, True], ignore_index=True), None


@dataclass(frozen=True)
class Draws:
    """What is permuted: group numbers within templates."""

    codes: Labels
    templates: Labels
    permutations: int
    seed: int


@dataclass(frozen=True)
class Tested:
    """The permutation test of all words and groups: `p` of each (group, word) of `at`."""

    strata: Sequence[Stratum]
    compared: Labels  # (templates, groups, words)
    at: tuple[Labels, ...]
    p: Floats


def tested(words: sparse.csr_matrix, counting: Labels, draws: Draws, prior: float) -> Tested:
    """Tests every word that a template compares; `counting` says which completions count for all words."""
    groups = int(draws.codes.max()) + 1
    strata = strata_of(words, counting, draws.templates)
    compared = np.array([stratum.compared(draws.codes, groups) for stratum in strata])
    at = np.nonzero(compared.any(axis=0))
    if not len(at[0]):
        return Tested(strata, compared, at, np.empty(0))
    z = combined(strata, draws.codes, compared, prior)[1]
    largest = _largest_z(strata, compared, draws, prior)
    p = (1 + (largest[:, None] >= np.abs(z[at]) - 1e-12).sum(axis=0)) / (1 + draws.permutations)
    return Tested(strata, compared, at, p)


def _under(prior: float) -> str:
    return f"z_prior_{prior:g}"


def _refusal(names: Labels, frequent: Labels, minimum: int) -> str | None:
    if len(names) < 2:
        return "fewer than two groups"
    return None if len(frequent) > 1 else f"fewer than two words are in {minimum} completions"


def _largest_z(strata: Sequence[Stratum], compared: Labels, draws: Draws, prior: float) -> Floats:
    """(permutations,) the largest |z| over groups and words when completions change groups within template."""
    rng, largest = np.random.default_rng(draws.seed), np.empty(draws.permutations)
    step = max(1, COUNTS_AT_ONCE // compared[0].size)
    for start in range(0, draws.permutations, step):
        labels = shuffled(draws.codes, draws.templates, min(step, draws.permutations - start), rng)
        z = combined(strata, labels, compared, prior)[1]
        largest[start : start + len(labels)] = np.abs(z).max(axis=(1, 2))
    return largest
