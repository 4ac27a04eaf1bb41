import numpy as np
import pytest
from scipy import sparse

from tasks.stats.logodds import COLUMNS, favoured, group_counts, log_odds, shuffled


def corpus(skew=0.0, n=200, words=20, seed=0):
    """n completions of two groups in two templates; word 0 appears more in group "he"."""
    rng = np.random.default_rng(seed)
    groups, templates = np.array(["he", "she"])[np.arange(n) % 2], np.arange(n) // 2 % 2
    there = rng.random((n, words)) < 0.2
    there[:, 0] |= (groups == "he") & (rng.random(n) < skew)
    return sparse.csr_matrix(there.astype(float)), [f"w{i}" for i in range(words)], groups, templates


def test_reference_values():
    delta, z = log_odds(np.array([10.0, 5, 85]), np.array([5.0, 10, 85]), np.array([1.0, 1, 8]))
    assert (delta[0], z[0]) == pytest.approx((0.6554, 1.2914), abs=5e-5)
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


def test_a_completion_counts_once_however_often_it_repeats_a_word():
    words, *rest = corpus(skew=0.2)
    a, _ = favoured(words, *rest, permutations=50)
    b, _ = favoured(words.multiply(words * 7).tocsr(), *rest, permutations=50)
    assert a.equals(b)


def test_a_smaller_prior_lets_rare_words_speak():
    strong, weak = (favoured(*corpus(skew=0.4), prior_total=total, permutations=20)[0]["log_odds"].abs().max()
                    for total in (5000.0, 50.0))
    assert weak > strong


def test_a_word_that_the_rest_never_uses_has_no_ratio():
    words = sparse.csr_matrix(np.array([[1.0, 1], [0, 1]] * 10))
    table, _ = favoured(words, ["only", "both"], np.array(["a", "b"] * 10), np.zeros(20), permutations=20)
    assert np.isnan(table.loc[(table["word"] == "only") & (table["group"] == "a"), "ratio"].item())
    assert table.loc[(table["word"] == "only") & (table["group"] == "b"), "ratio"].item() == 0


@pytest.mark.parametrize(("groups", "minimum", "reason"), [
    (np.full(200, "he"), 5, "two groups"), (None, 1000, "fewer than two words are in 1000")])
def test_refusals(groups, minimum, reason):
    words, vocabulary, own, templates = corpus()
    table, why = favoured(words, vocabulary, own if groups is None else groups, templates, minimum=minimum)
    assert table.empty
    assert reason in why
    empty = favoured(words[:0], vocabulary, own[:0], templates[:0])
    assert empty[0].empty


def test_one_word_alone_has_nothing_to_be_skewed_against():
    table, reason = favoured(sparse.csr_matrix(np.ones((20, 1))), ["x"], np.array(["a", "b"] * 10), np.zeros(20))
    assert table.empty
    assert reason == "fewer than two words are in 5 completions"
