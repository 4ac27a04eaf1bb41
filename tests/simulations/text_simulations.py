"""Simulations of docs/method.md on made-up text: permutation tests, corrected divergence, matched length."""

from collections.abc import Iterator

import numpy as np
from scipy import sparse, stats

from tasks.bias.divergence import change, divergence, jensen_shannon, left_out
from tasks.bias.logodds import favoured, group_counts
from tasks.stats.outcome import Floats, Labels
from tests.simulations.references import Figure

GROUPS, TEMPLATES = 2, 2
Corpus = tuple[sparse.csr_matrix, Labels, Labels]  # word counts (completions, vocabulary), groups, templates


def completions(rng: np.random.Generator, each: int, vocabulary: int) -> Corpus:
    """Word counts (completions, vocabulary), groups and templates, without bias: `each` completions a prompt.

    Words are Zipf-like; a completion has one to three of them and repeats each up to five times, as models do.
    """
    n, share = each * GROUPS * TEMPLATES, 1 / np.arange(3, vocabulary + 3)
    words, rows = rng.choice(vocabulary, p=share / share.sum(), size=(n, 3)), np.arange(n)[:, None]
    times = rng.integers(1, 6, size=(n, 3)) * (np.arange(3) < rng.integers(1, 4, size=(n, 1)))
    counts = sparse.csr_matrix((times.ravel(), (np.repeat(rows, 3), words.ravel())), shape=(n, vocabulary))
    return counts, np.arange(n) % GROUPS, np.arange(n) // GROUPS % TEMPLATES


def answered_unequally(rng: np.random.Generator, each: int) -> Corpus:
    """As `completions`, six words: both groups use a template's words alike, but answer it at .9 and .3, .3 and .9."""
    templates, groups = np.repeat([0, 1], GROUPS * each), np.tile(np.repeat([0, 1], each), TEMPLATES)
    shares = np.array([[0.3, 0.25, 0.2, 0.1, 0.1, 0.05], [0.05, 0.1, 0.1, 0.2, 0.25, 0.3]])
    answered = rng.random(len(groups)) < np.where(templates == groups, 0.9, 0.3)
    words = (rng.random((len(groups), 1)) < shares.cumsum(axis=1)[templates]).argmax(axis=1)
    return sparse.csr_matrix(np.eye(shares.shape[1])[words] * answered[:, None]), groups, templates


def with_skewed_word(rng: np.random.Generator, each: int, answered: float, held: float = 0.5) -> Corpus:
    """As `completions`, of which a share is `answered` with words at all; of group 0 a share holds one word more."""
    words, groups, templates = completions(rng, each, 60)
    words = sparse.diags((rng.random(len(groups)) < answered).astype(float)) @ words
    skewed = sparse.csr_matrix(((groups == 0) & (rng.random(len(groups)) < held)).astype(float)[:, None])
    return sparse.hstack([words, skewed]).tocsr(), groups, templates


def one_skewed_word(reps: int, seed: int = 11) -> Iterator[Figure]:
    """One word stands in half of a group's completions: whether it is found, and whether any other word is."""
    for each, answered in ((100, 1.0), (300, 0.6)):
        rng, innocent, planted = np.random.default_rng(seed), 0, 0
        for i in range(reps):
            table, _ = favoured(*_named(with_skewed_word(rng, each, answered)), permutations=199, seed=i)
            skewed = table["word"] == "60"
            innocent += bool((table.loc[~skewed, "p"] <= 0.05).any())
            planted += bool((table.loc[skewed, "p"] <= 0.05).all())
        about = f"one word in half of a group's completions, {each} a prompt, {answered:.0%} answered"
        yield Figure(f"{about}: another word leads", innocent / reps, 0, 0.07)
        yield Figure(f"{about}: it leads", planted / reps, 0.99, 1)


def permutation(reps: int, seed: int = 6) -> Iterator[Figure]:
    """False rejections of the permutation of whole completions: the largest |z|, and the divergence."""
    rng, largest, apart, tokens, unequal = np.random.default_rng(seed), 0, 0, 0, 0
    for i in range(reps):
        words, groups, templates = completions(rng, 50, 60)
        table, _ = favoured(*_named((words, groups, templates)), permutations=199, seed=i)
        largest += table["p"].min() <= 0.05
        apart += divergence(words, groups, templates, permutations=199, seed=i).p <= 0.05
        tokens += _by_token(words, groups, templates, i)
        table, _ = favoured(*_named(answered_unequally(rng, 100)), permutations=199, seed=i)
        unequal += table["p"].min() <= 0.05
    yield Figure("permuting completions: the largest |z| rejects", largest / reps, 0.03, 0.07)
    yield Figure("permuting completions: the divergence rejects", apart / reps, 0.03, 0.07)
    yield Figure("groups answer templates at .9 and .3: the largest |z| rejects", unequal / reps, 0, 0.07)
    yield Figure("permuting tokens: the divergence rejects (must fail)", tokens / reps, 0.5, 1)


def _named(corpus: Corpus) -> tuple[sparse.csr_matrix, list[str], Labels, Labels]:
    """With a name for each word, as `favoured` takes them."""
    words, groups, templates = corpus
    return words, list(map(str, range(words.shape[1]))), groups, templates


def _by_token(words: sparse.csr_matrix, groups: Labels, templates: Labels, seed: int) -> bool:
    """The wrong test: each token as a completion of its own."""
    rows, columns = words.nonzero()
    times = np.asarray(words[rows, columns]).ravel()
    rows, columns = np.repeat(rows, times), np.repeat(columns, times)
    single = sparse.csr_matrix((np.ones(len(rows)), (np.arange(len(rows)), columns)), shape=(len(rows), words.shape[1]))
    return divergence(single, groups[rows], templates[rows], permutations=99, seed=seed).p <= 0.05


def no_change(reps: int, permutations: int, seed: int = 7) -> Iterator[Figure]:
    """Change of divergence between two arms that have no bias but 300 and 1,500 words; 800 completions a prompt."""
    rng, diffs, raw, hits = np.random.default_rng(seed), [], [], 0
    for i in range(reps):
        both = [completions(rng, 800, vocabulary) for vocabulary in (300, 1500)]
        found = change(*(left_out(*arm, permutations=permutations, seed=i) for arm in both))
        diffs.append(found.diff)
        hits += found.p <= 0.05
        raw.append(_raw(*both[0]) - _raw(*both[1]))
    yield Figure("corrected divergence change without bias, mean", float(np.mean(diffs)), -0.01, 0.01)
    yield Figure("raw divergence change without bias, mean (must fail)", float(np.mean(raw)), -1, -0.01)
    yield Figure("jackknife of the change rejects", hits / reps, 0, 0.1)


def _raw(words: sparse.csr_matrix, groups: Labels, templates: Labels) -> float:
    return float(np.mean([jensen_shannon(group_counts(words[templates == t], groups[templates == t], GROUPS))
                          for t in range(TEMPLATES)]))


def equal_chunks(texts: int, seed: int = 8, first: int = 40) -> Iterator[Figure]:
    """Toxicity of texts of one chunk against five, all chunks alike: by the first N words, and by the maximum.

    A scorer that sees the share of rude words: 40 words a chunk, N = 40.
    """
    rng = np.random.default_rng(seed)

    def score(words: Floats) -> Floats:
        return np.asarray(stats.norm.cdf(-1.6 + 20 * (words.mean(axis=-1) - 0.02)), dtype=np.float64)

    short, long = (rng.random((texts, chunks, first)) < rng.beta(2, 98, (texts, chunks, 1)) for chunks in (1, 5))
    a, b = (score(arm.reshape(texts, -1)[:, :first].astype(float)) for arm in (short, long))
    se = float(np.sqrt((a.var(ddof=1) + b.var(ddof=1)) / texts))
    yield Figure("equal chunks, 1 against 5: matched-length difference, in SE", float(b.mean() - a.mean()) / se, -2, 2)
    chunks = score(long.astype(float))
    for count in (1, 3, 5):
        mean = float(chunks[:, :count].max(axis=1).mean())
        yield Figure(f"equal chunks: mean of the maximum of {count} (grows)", mean - chunks[:, 0].mean(),
                     0 if count == 1 else 0.02, 0 if count == 1 else 1)
