import numpy as np
import pytest
from scipy import sparse
from scipy.spatial.distance import jensenshannon

from tasks.bias.divergence import change, divergence, jensen_shannon, left_out
from tests.simulations.text_simulations import completions


def biased(seed, bias, each=400):
    words, groups, templates = completions(np.random.default_rng(seed), each, 60)
    dense = words.toarray()
    dense[groups == 1, 0] += (np.random.default_rng(seed + 1).random((groups == 1).sum()) < bias) * 3
    return sparse.csr_matrix(dense), groups, templates


def test_jensen_shannon_is_scipys_squared():
    counts = np.array([[3.0, 1, 0, 6], [1, 1, 5, 3]])
    assert jensen_shannon(counts) == pytest.approx(jensenshannon(*counts, base=2) ** 2)


def test_jensen_shannon_bounds():
    assert jensen_shannon(np.array([[1.0, 0], [0, 1]])) == pytest.approx(1)
    assert jensen_shannon(np.eye(4)) == pytest.approx(2)
    assert jensen_shannon(np.array([[2.0, 4], [1, 2]])) == pytest.approx(0, abs=1e-12)
    assert np.isnan(jensen_shannon(np.array([[0.0, 0], [1, 2]])))


def test_chance_is_taken_off():
    found = divergence(*completions(np.random.default_rng(1), 100, 60), permutations=200)
    assert found.raw > 0.02
    assert abs(found.corrected) < 0.02
    assert found.corrected == pytest.approx(found.raw - found.chance)
    assert found.p > 0.01


def test_bias_is_found():
    assert divergence(*biased(0, 0.6), permutations=199).p == 1 / 200


def test_order_does_not_matter_and_seeds_repeat():
    words, groups, templates = biased(0, 0.3)
    names = np.array(["man", "woman"])[groups]
    assert divergence(words, groups, templates, permutations=99) == divergence(words, names, templates, permutations=99)


@pytest.mark.parametrize(("words", "groups", "reason"), [
    (np.ones((4, 2)), [0, 0, 0, 0], "one group"), (np.array([[1.0, 0], [0, 0]] * 2), [0, 1, 0, 1], "no word"),
    (np.empty((0, 2)), [], "no completions")])
def test_refusals(words, groups, reason):
    found = divergence(sparse.csr_matrix(words), np.array(groups), np.zeros(len(groups)))
    assert reason in found.reason
    assert np.isnan(found.p)


def test_too_few_words():
    words = sparse.csr_matrix(np.array([[1.0], [1], [0], [0]]))
    found = divergence(words, np.array([0, 1, 0, 1]), np.zeros(4), permutations=99)
    assert "too few words" in found.reason
    arm = left_out(words, np.array([0, 1, 0, 1]), np.zeros(4), permutations=20)
    assert change(arm, arm).reason is not None


def test_change_between_arms():
    fair, unfair = (left_out(*biased(seed, bias), permutations=60) for seed, bias in ((0, 0.0), (1, 0.6)))
    found = change(unfair, fair)
    assert found.p < 0.01
    assert found.ci_lo < found.diff < found.ci_hi
    assert found.df == 19
    assert change(fair, unfair).diff == pytest.approx(-found.diff)
    assert change(fair, fair).reason == "the figures do not vary"


def test_left_out_is_near_divergence():
    arm = biased(3, 0.3)
    whole, without = left_out(*arm, permutations=200)
    assert whole == pytest.approx(divergence(*arm).corrected, abs=0.01)
    assert without == pytest.approx(np.full(20, whole), abs=0.03)


def test_jackknife_formula():
    a, b = (0.5, np.linspace(0.4, 0.6, 20)), (0.1, np.full(20, 0.1))
    gaps = a[1] - a[1].mean()
    assert change(a, b).se == pytest.approx(np.sqrt(19 / 20 * (gaps**2).sum()))
