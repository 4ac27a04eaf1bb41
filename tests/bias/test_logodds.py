import math

import numpy as np
import pytest
from scipy import sparse

from tasks.bias.logodds import COLUMNS, favoured, group_counts, moments, shuffled
from tests.simulations.text_simulations import answered_unequally, with_skewed_word


def corpus(skew=0.0, n=200, words=20, seed=0):
    """n completions of two groups in two templates; word 0 appears more in group "he"."""
    rng = np.random.default_rng(seed)
    groups, templates = np.array(["he", "she"])[np.arange(n) % 2], np.arange(n) // 2 % 2
    there = rng.random((n, words)) < 0.2
    there[:, 0] |= (groups == "he") & (rng.random(n) < skew)
    return sparse.csr_matrix(there.astype(float)), [f"w{i}" for i in range(words)], groups, templates


def log_odds(y, other, prior):
    n, m = (counts.sum(axis=-1, keepdims=True) for counts in (y, other))  # here each completion holds one word
    delta, precision = moments(y, other, n, m, prior, prior.sum())
    return delta, delta * np.sqrt(precision)


def test_log_odds_is_the_published_formula():
    """By hand: n = 100, a0 = 10; (10 + 1) / (110 - 11) against (5 + 1) / (110 - 6) is 1/9 against 3/52."""
    delta, z = log_odds(np.array([10.0, 5, 85]), np.array([5.0, 10, 85]), np.array([1.0, 1, 8]))
    assert delta[0] == pytest.approx(math.log(52 / 27), abs=1e-9)
    assert z[0] == pytest.approx(math.log(52 / 27) / math.sqrt(1 / 11 + 1 / 6), abs=1e-9)
    assert delta[1] == pytest.approx(-delta[0])


def test_swapping_the_groups_turns_the_sign():
    y, other = np.array([3.0, 7, 30]), np.array([9.0, 1, 11])
    prior = np.array([1.0, 2, 3])
    assert log_odds(y, other, prior)[1] == pytest.approx(-log_odds(other, y, prior)[1])


def test_group_counts():
    words = sparse.csr_matrix(np.array([[1.0, 0], [2, 1], [0, 5]]))
    assert group_counts(words, np.array([0, 1, 0]), 2).tolist() == [[1, 5], [2, 1]]
    many = group_counts(words, np.array([[0, 1, 0], [1, 1, 0]]), 2)
    assert many[1].tolist() == [[0, 5], [3, 1]]


def test_shuffled_stays_within_blocks():
    labels, blocks = np.arange(10) % 3, np.repeat([0, 1], 5)
    for draw in shuffled(labels, blocks, 20, np.random.default_rng(0)):
        for block in (0, 1):
            assert sorted(draw[blocks == block]) == sorted(labels[blocks == block])


def test_finds_the_skewed_word_and_no_other():
    table, reason = favoured(*corpus(skew=0.4))
    assert reason is None
    assert list(table.columns) == list(COLUMNS)
    he = table[table["group"] == "he"].iloc[0]
    assert (he["word"], he["n_group"], he["n_rest"]) == ("w0", 100, 100)
    assert he["p"] < 0.01
    assert he["ratio"] == pytest.approx(he["count_group"] / he["count_rest"])
    assert (table.loc[table["word"] != "w0", "p"] > 0.05).all()


def test_words_that_templates_call_for_are_innocent():
    """Groups that differ only in which template they answer: pooled counts blame the words, templates do not."""
    words, groups, templates = answered_unequally(np.random.default_rng(0), 400)
    table, _ = favoured(words, list("abcdef"), groups, templates, permutations=199)
    counts = group_counts(words, groups, 2)
    prior = 500 * counts.sum(axis=0) / counts.sum()
    assert np.abs(log_odds(counts[0], counts[1], prior)[1]).max() > 4
    assert table["z"].abs().max() < 2.5
    assert table["p"].min() > 0.05


@pytest.mark.parametrize(("each", "answered"), [(200, 1.0), (200, 0.6), (400, 0.6)])
def test_one_skewed_word_makes_no_innocent_word_lead(each, answered):
    """Among counted words all shares add up to one; and where few completions describe, it alone makes some count."""
    innocent = 0
    for seed in range(6):
        words, groups, templates = with_skewed_word(np.random.default_rng(seed), each, answered)
        vocabulary = [*map(str, range(60)), "skewed"]
        table, _ = favoured(words, vocabulary, groups, templates, permutations=99, seed=seed)
        skewed = table["word"] == "skewed"
        assert (table.loc[skewed, "p"] == 0.01).all()
        innocent += (table.loc[~skewed, "p"] <= 0.05).any()
    assert innocent <= 1


def test_a_word_in_every_completion_is_no_comparison_and_one_without_others_keeps_its_test():
    there = np.zeros((200, 3))
    groups = np.repeat(["a", "b"], 100)
    there[:, 0] = 1
    there[:80, 1] = there[100:120, 1] = 1
    table, _ = favoured(sparse.csr_matrix(there[:, :2]), ["all", "led"], groups, np.zeros(200), permutations=99)
    assert set(table["word"]) == {"led"}
    there[:, 0], there[:, 2] = 0, 1 - there[:, 1]
    table, _ = favoured(sparse.csr_matrix(there), ["none", "led", "other"], groups, np.zeros(200), permutations=99)
    assert set(table["word"]) == {"led", "other"}
    assert (table["p"] == 0.01).all()
    assert np.isfinite(table["z"]).all()


def test_the_ratio_is_within_template():
    def block(n, held):
        return np.c_[np.arange(n) < held, np.ones(n)]

    words = np.concatenate([block(90, 18), block(10, 1), block(10, 1), block(90, 4)])  # 18/90, 1/10; 1/10, 4/90
    groups, templates = np.repeat(["a", "b", "a", "b"], [90, 10, 10, 90]), np.repeat([0, 1], 100)
    table, _ = favoured(sparse.csr_matrix(words), ["rare", "all"], groups, templates, permutations=1)
    rare = table[(table["group"] == "a") & (table["word"] == "rare")].iloc[0]
    assert rare["ratio"] == pytest.approx((18 * 0.1 + 1 * 0.9) / (1 * 0.9 + 4 * 0.1))
    assert rare["ratio"] != pytest.approx((19 / 100) / (5 / 100))


def test_a_template_that_one_group_alone_answered_compares_nothing():
    words, vocabulary, groups, templates = corpus(skew=0.4)
    alone = (groups == "he") & (templates == 1)
    without, with_it = (favoured(words[at], vocabulary, groups[at], templates[at], permutations=1)[0]
                        for at in (templates == 0, (templates == 0) | alone))
    both = without.merge(with_it, on=["group", "word"], suffixes=("", "_other"))
    assert len(both) == len(without)
    assert both["z"].to_numpy() == pytest.approx(both["z_other"].to_numpy())
    table, reason = favoured(words, vocabulary, groups, groups)
    assert table.empty
    assert reason == "no template has two groups and two words to compare"


def test_a_completion_counts_once_however_often_it_repeats_a_word():
    words, *rest = corpus(skew=0.2)
    a, _ = favoured(words, *rest, permutations=50)
    b, _ = favoured(words.multiply(words * 7).tocsr(), *rest, permutations=50)
    assert a.equals(b)


def test_a_word_that_the_rest_never_uses_has_no_ratio():
    words = sparse.csr_matrix(np.array([[1.0, 1], [0, 1]] * 10))
    table, _ = favoured(words, ["only", "both"], np.array(["a", "b"] * 10), np.zeros(20), permutations=20)
    assert np.isnan(table.loc[(table["word"] == "only") & (table["group"] == "a"), "ratio"].item())
    assert table.loc[(table["word"] == "only") & (table["group"] == "b"), "ratio"].item() == 0


@pytest.mark.parametrize(("words", "groups", "minimum", "reason"), [
    (np.ones((20, 2)), ["he"] * 20, 5, "fewer than two groups"),
    (np.ones((20, 2)), ["he", "she"] * 10, 1000, "fewer than two words are in 1000 completions"),
    (np.ones((20, 1)), ["he", "she"] * 10, 5, "fewer than two words are in 5 completions"),
    (np.empty((0, 2)), [], 5, "fewer than two groups")])
def test_refusals(words, groups, minimum, reason):
    table, why = favoured(sparse.csr_matrix(words), ["x", "y"], np.array(groups), np.zeros(len(groups)),
                          minimum=minimum, other_priors=(50.0,))
    assert list(table.columns) == [*COLUMNS, "z_prior_50"]
    assert (table.empty, why) == (True, reason)
