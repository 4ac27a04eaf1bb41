import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from tasks.stats import effects
from tasks.stats.effects import pooled_d, prompt_superiority, signs, standardised, superiority

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
    found = standardised(x)
    cohen = pingouin.compute_effsize(x, 0, eftype="cohen")
    assert found.d * found.j == pytest.approx(cohen * effects.small_sample_j(7))


def test_d_z_and_its_t():
    x = np.random.default_rng(0).normal(0.4, 1, 40)
    found = standardised(x)
    assert found.t == pytest.approx(stats.ttest_1samp(x, 0).statistic)
    assert found.d == pytest.approx(found.t / np.sqrt(40)) == pytest.approx(x.mean() / x.std(ddof=1))
    assert standardised(np.append(x, np.nan)) == found
    assert standardised(x, np.repeat(np.arange(8), 5)).d == pytest.approx(found.d)  # categories of one size


def test_d_z_has_the_weights_of_the_difference():
    x = np.array([1.0, 2.0, 4.0, 8.0, 9.0])
    strata = np.array(["a", "a", "a", "b", "b"])
    weights = np.array([1 / 6, 1 / 6, 1 / 6, 1 / 4, 1 / 4])
    mean = (x[:3].mean() + x[3:].mean()) / 2
    variance = weights @ (x - mean) ** 2 / (1 - weights @ weights)
    found = standardised(x, strata)
    assert (found.d, found.n) == pytest.approx((mean / np.sqrt(variance), 1 / (weights @ weights)))
    assert found.interval()[0] < found.d < found.interval()[1]
    assert standardised(1e150 * x, strata).d == pytest.approx(found.d)


def test_interval_is_where_the_t_is_just_significant():
    x = np.random.default_rng(0).normal(0.4, 1, 40)
    found = standardised(x)
    lo, hi = found.interval()
    assert stats.nct.sf(found.t, 39, lo * np.sqrt(40)) == pytest.approx(0.025, abs=1e-6)
    assert stats.nct.cdf(found.t, 39, hi * np.sqrt(40)) == pytest.approx(0.025, abs=1e-6)
    assert standardised(-x).interval() == pytest.approx((-hi, -lo))
    assert (lo > 0) == (stats.ttest_1samp(x, 0).pvalue < 0.05)


@pytest.mark.parametrize("shift", [0.0, 0.3, 3.0, 50.0, -20.0, 1e4])
def test_interval_holds_the_estimate_however_large(shift):
    found = standardised(np.random.default_rng(1).normal(shift, 1, 12))
    lo, hi = found.interval()
    assert lo < found.d < hi


@pytest.mark.parametrize("x", [np.array([]), np.ones(1), np.zeros(5), np.full(5, 0.3), np.full(4, np.nan)])
def test_without_variation_there_is_no_d(x):
    found = standardised(x)
    assert np.isnan([found.d, found.t, *found.interval()]).all()


def test_signs_count_prompts_and_leave_out_ties():
    found = signs(np.array([0.2, 0.1, 3.0, -1.0, 0.0, np.nan]))
    reference = stats.binomtest(3, 4)
    assert (found.higher, found.lower, found.p) == (3, 1, reference.pvalue)
    assert (found.lo, found.hi) == pytest.approx(tuple(reference.proportion_ci(0.95)))
    nothing = signs(np.zeros(3))
    assert (nothing.higher, nothing.lower) == (0, 0)
    assert np.isnan([nothing.p, nothing.lo, nothing.hi]).all()


def test_pooled_d():
    import pingouin

    rng = np.random.default_rng(0)
    a, b = rng.normal(1, 1, (40, 3)), rng.normal(0, 2, (40, 3))
    assert pooled_d(a, b) == pytest.approx(pingouin.compute_effsize(a.ravel(), b.ravel(), eftype="cohen"))
    assert np.isnan(pooled_d(np.ones(3), np.ones(3)))
    assert np.isnan(pooled_d(np.array([1.0]), np.ones(3)))
