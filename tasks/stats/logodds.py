"""Which words does a group favour? Log-odds with an informative Dirichlet prior.

Counts are of completions *containing* a word: token counts inflate z when a completion repeats itself.
Reference: Monroe, Colaresi and Quinn (2008), Political Analysis 16, 372-403.
"""

from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

from tasks.stats.outcome import NAN, Floats, Labels

COLUMNS = ("group", "word", "n_group", "n_rest", "count_group", "count_rest", "log_odds", "z", "p", "ratio")
CELLS_AT_ONCE = 4_000_000


def log_odds(y: Floats, other: Floats, prior: Floats) -> tuple[Floats, Floats]:
    """Log-odds ratio and z (..., words) of counts y against `other`, with prior counts a_w > 0 (words,).

    delta_w = log((y_w + a_w) / (n + a0 - y_w - a_w)) less the same of `other`, with n the sum of y and a0
    that of the prior; z = delta / sqrt(1 / (y_w + a_w) + 1 / (other_w + a_w)).
    """
    def logit(counts: Floats) -> Floats:
        total = counts.sum(axis=-1, keepdims=True) + prior.sum()
        return np.asarray(np.log(counts + prior) - np.log(total - counts - prior), dtype=np.float64)

    delta = logit(y) - logit(other)
    return delta, delta / np.sqrt(1 / (y + prior) + 1 / (other + prior))


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


def favoured(words: sparse.csr_matrix, vocabulary: list[str], groups: Labels, templates: Labels, *,
             prior_total: float = 500.0, minimum: int = 5, permutations: int = 1000,
             seed: int = 0) -> tuple[pd.DataFrame, str | None]:
    """Each word's skew towards each group against the rest, with exactly `COLUMNS`; and why the table is empty.

    `words`: completions x vocabulary, anything above zero counts once. `groups`, `templates`: a label per
    completion. The prior is prior_total x pooled frequency; words in fewer than `minimum` completions are left
    out. `p` is the share of permutations (whole completions, between groups, within template) whose largest
    |z| over all words and groups reaches this |z|: it holds for all words together. `ratio`: the share of the
    group's completions with the word over that of the rest, NaN where the rest has none.
    """
    names, codes = np.unique(groups, return_inverse=True)
    binary = sparse.csr_matrix(words > 0, dtype=np.float64)
    kept = np.flatnonzero(np.asarray(binary.sum(axis=0)).ravel() >= minimum)
    if len(names) < 2 or len(kept) < 2:
        return (pd.DataFrame(columns=list(COLUMNS)), "fewer than two groups" if len(names) < 2 else
                f"fewer than two words are in {minimum} completions")
    binary = binary[:, kept]
    pooled = np.asarray(binary.sum(axis=0)).ravel()
    prior = prior_total * pooled / pooled.sum()
    counts = group_counts(binary, codes, len(names))
    delta, z = log_odds(counts, pooled - counts, prior)
    largest = _largest_z(binary, codes, templates, pooled, prior, len(names), permutations, seed)
    p = (1 + (largest[:, None, None] >= np.abs(z) - 1e-12).sum(axis=0)) / (1 + permutations)
    rows: list[tuple[Any, ...]] = []
    for g, name in enumerate(names):
        n, rest = int((codes == g).sum()), int((codes != g).sum())
        for w, at in enumerate(kept):
            mine, theirs = counts[g, w], pooled[w] - counts[g, w]
            rows.append((name, vocabulary[at], n, rest, int(mine), int(theirs), delta[g, w], z[g, w], p[g, w],
                         (mine / n) / (theirs / rest) if theirs else NAN))
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    return table.sort_values(["group", "z", "word"], ascending=[True, False, True], ignore_index=True), None


def _largest_z(words: sparse.csr_matrix, codes: Labels, templates: Labels, pooled: Floats, prior: Floats,
               groups: int, permutations: int, seed: int) -> Floats:
    """(permutations,) the largest |z| over groups and words when completions change groups."""
    rng, largest = np.random.default_rng(seed), np.empty(permutations)
    step = max(1, CELLS_AT_ONCE // (groups * words.shape[1]))
    for start in range(0, permutations, step):
        draws = min(step, permutations - start)
        counts = group_counts(words, shuffled(codes, templates, draws, rng), groups)
        largest[start:start + draws] = np.abs(log_odds(counts, pooled - counts, prior)[1]).max(axis=(1, 2))
    return largest
