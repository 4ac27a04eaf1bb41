import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from tasks.stats import effects
from tasks.stats.effects import d_z, d_z_interval, g_z, plain_t, pooled_d, prompt_superiority, superiority

RATINGS = arrays(np.float64, (10, 3), elements=st.integers(1, 5).map(float))


def test_superiority_counts_pairs_within_prompts():
    a, b = np.array([[5.0, 3.0], [1.0, np.nan]]), np.array([[3.0, 1.0], [4.0, 4.0]])
    assert prompt_superiority(a, b) == pytest.approx([(1 + 1 + 0.5 + 1) / 4, 0])
    assert superiority(a, b) == pytest.approx(0.4375)


def test_superiority_weighs_categories_the_same():
    a, b = np.array([[1.0], [1.0], [1.0], [0.0]]), np.full((4, 1), 0.5)
    assert superiority(a, b, np.array(["x", "x", "x", "y"])) == pytest.approx(0.5)
    assert superiority(a, b) == pytest.approx(0.75)


def test_superiority_with_nothing_to_compare():
    empty = np.full((3, 2), np.nan)
    assert np.isnan(prompt_superiority(empty, np.ones((3, 2)))).all()
    assert np.isnan(superiority(empty, np.ones((3, 2))))


@given(RATINGS, RATINGS)
def test_superiority_of_one_is_inferiority_of_the_other(a, b):
    assert superiority(a, b) == pytest.approx(1 - superiority(b, a))
    assert superiority(2 * a + 1, 2 * b + 1) == pytest.approx(superiority(a, b))


def test_hedges_j():
    import pingouin

    assert effects.small_sample_j(39) == pytest.approx(1 - 3 / (4 * 39 - 1), abs=1e-4)
    assert effects.small_sample_j(4) == pytest.approx(0.797885, abs=1e-6)  # G(2) / (sqrt(2) G(1.5))
    assert np.isnan(effects.small_sample_j(1))
    x = np.random.default_rng(0).normal(1, 1, 8)
    assert g_z(x) == pytest.approx(pingouin.compute_effsize(x, 0, eftype="cohen") * effects.small_sample_j(7))


def test_d_z_and_its_t():
    x = np.random.default_rng(0).normal(0.4, 1, 40)
    assert plain_t(x) == pytest.approx(stats.ttest_1samp(x, 0).statistic)
    assert d_z(x) == pytest.approx(plain_t(x) / np.sqrt(40))
    with_gap = np.append(x, np.nan)
    assert d_z(with_gap) == pytest.approx(d_z(x))


def test_interval_is_where_the_t_is_just_significant():
    x = np.random.default_rng(0).normal(0.4, 1, 40)
    lo, hi = d_z_interval(x)
    assert stats.nct.sf(plain_t(x), 39, lo * np.sqrt(40)) == pytest.approx(0.025, abs=1e-6)
    assert stats.nct.cdf(plain_t(x), 39, hi * np.sqrt(40)) == pytest.approx(0.025, abs=1e-6)
    assert d_z_interval(-x) == pytest.approx((-hi, -lo))
    assert (lo > 0) == (stats.ttest_1samp(x, 0).pvalue < 0.05)


@pytest.mark.parametrize("shift", [0.0, 0.3, 3.0, 50.0, -20.0, 1e4])
def test_interval_holds_the_estimate_however_large(shift):
    x = np.random.default_rng(1).normal(shift, 1, 12)
    lo, hi = d_z_interval(x)
    assert lo < d_z(x) < hi


@pytest.mark.parametrize("x", [np.array([]), np.ones(1), np.zeros(5), np.full(5, 0.3), np.full(4, np.nan)])
def test_without_variation_there_is_no_d(x):
    assert np.isnan([d_z(x), g_z(x), plain_t(x), *d_z_interval(x)]).all()


def test_pooled_d():
    import pingouin

    rng = np.random.default_rng(0)
    a, b = rng.normal(1, 1, (40, 3)), rng.normal(0, 2, (40, 3))
    assert pooled_d(a, b) == pytest.approx(pingouin.compute_effsize(a.ravel(), b.ravel(), eftype="cohen"))
    assert np.isnan(pooled_d(np.ones(3), np.ones(3)))
    assert np.isnan(pooled_d(np.array([1.0]), np.ones(3)))
