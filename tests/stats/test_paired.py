import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from tasks.stats.paired import bayes_factor, bootstrap_interval, sign_flip, stratified_moments, stratified_t

CATEGORIES = np.repeat(np.arange(8), 5)
DIFFS = arrays(np.float64, 40, elements=st.floats(-4, 4).map(lambda x: round(x, 3)))


def normal(n=40, mean=0.0, seed=0):
    return np.random.default_rng(seed).normal(mean, 1, n)


def test_one_category_is_the_usual_paired_t():
    d = normal(mean=0.3)
    reference = stats.ttest_1samp(d, 0)
    found = stratified_t(d)
    assert (found.stat, found.p, found.df) == pytest.approx((reference.statistic, reference.pvalue, 39))
    assert (found.ci_lo, found.ci_hi) == pytest.approx(tuple(reference.confidence_interval(0.95)))
    assert found.test == found.ci_method == "paired t"


def test_stratified_is_the_regression_on_categories_that_weigh_the_same():
    import statsmodels.api as sm

    d = normal(mean=0.3)
    contrast = sm.OLS(d, np.eye(8)[CATEGORIES]).fit().t_test(np.full(8, 1 / 8))
    found = stratified_t(d, CATEGORIES)
    assert (found.estimate, found.stat, found.se, found.p) == pytest.approx(
        (contrast.effect.item(), contrast.tvalue.item(), contrast.sd.item(), contrast.pvalue.item()))
    assert (found.n, found.n_missing, found.df) == (40, 0, 32)
    assert found.test == "stratified paired t"


@pytest.mark.parametrize("gone", [[13, 14], [13], [0, 1, 2, 38, 39]])
def test_categories_of_several_sizes_each_have_their_own_variance(gone):
    """The regression's HC2 variance; two categories are Welch's test of two samples, one of them mirrored."""
    import statsmodels.api as sm

    d = normal(mean=0.3)
    d[gone] = np.nan
    there = ~np.isnan(d)
    contrast = sm.OLS(d[there], np.eye(8)[CATEGORIES[there]]).fit(cov_type="HC2").t_test(np.full(8, 1 / 8))
    found = stratified_t(d, CATEGORIES)
    assert (found.estimate, found.se) == pytest.approx((contrast.effect.item(), contrast.sd.item()))
    assert (found.n, found.n_missing) == (40 - len(gone), len(gone))
    assert found.df <= 32 - len(gone)


def test_two_categories_of_two_sizes_are_the_test_of_welch():
    a, b = normal(4, seed=1), 3 * normal(9, seed=2)
    found = stratified_t(np.r_[a, b], np.repeat([0, 1], [4, 9]))
    reference = stats.ttest_ind(a, -b, equal_var=False)
    assert (found.stat, found.df, found.p) == pytest.approx((reference.statistic, reference.df, reference.pvalue))
    assert found.note == "categories of 4 to 9 prompts: where the small ones spread widely, p comes out too small"


def test_a_category_of_one_prompt_takes_the_pooled_variance():
    d = normal(11)
    found = stratified_t(d, np.repeat([0, 1, 2], [5, 5, 1]))
    pooled = (d[:5].var(ddof=1) + d[5:10].var(ddof=1)) / 2
    assert found.se**2 == pytest.approx((d[:5].var(ddof=1) / 5 + d[5:10].var(ddof=1) / 5 + pooled) / 9)


@pytest.mark.parametrize("factor", [1e150, 1e-150, 1e300])
def test_scores_of_any_size_have_the_same_test(factor):
    d = normal(mean=0.3)
    for diffs, strata in ((d, CATEGORIES), (d[:38], CATEGORIES[:38])):
        found, plain = stratified_t(factor * diffs, strata), stratified_t(diffs, strata)
        assert (found.p, found.df, found.estimate, found.ci_lo) == pytest.approx(
            (plain.p, plain.df, factor * plain.estimate, factor * plain.ci_lo))


@pytest.mark.parametrize(("diffs", "strata", "reason"), [
    (np.zeros(40), CATEGORIES, "every difference is zero"),
    (np.full(40, 0.1), CATEGORIES, "do not vary"),
    (CATEGORIES * 0.3, CATEGORIES, "do not vary"),
    (np.full(40, np.nan), CATEGORIES, "no prompt"),
    (np.array([]), None, "no prompt"),
    (np.array([1.0]), None, "no category has two"),
    (np.array([1.0, 2.0]), np.array([0, 1]), "no category has two"),
])
def test_refusals_say_why(diffs, strata, reason):
    found = stratified_t(diffs, strata)
    assert np.isnan([found.p, found.stat, found.ci_lo, found.ci_hi]).all()
    assert reason in found.reason


def test_rounding_is_not_variation():
    d = np.array([0.1, 0.4 - 0.3, 1.1 - 1.0, 2.1 - 2.0])
    assert len(set(d)) > 1
    assert stratified_t(d).reason is not None
    assert stratified_t(d).estimate == pytest.approx(0.1)


def test_two_prompts_are_enough_in_one_category():
    found = stratified_t(np.array([1.0, 2.0]))
    assert (found.df, found.reason) == (1, None)
    assert found.p == pytest.approx(stats.ttest_1samp([1, 2], 0).pvalue)


@given(DIFFS)
def test_sign_symmetry_and_invariance(d):
    found, mirror = stratified_t(d, CATEGORIES), stratified_t(-d, CATEGORIES)
    if found.reason:
        assert mirror.reason
        return
    assert mirror.stat == pytest.approx(-found.stat)
    assert (mirror.ci_lo, mirror.ci_hi) == pytest.approx((-found.ci_hi, -found.ci_lo))
    order = np.random.default_rng(1).permutation(40)
    renamed = np.array([f"name {7 - c}" for c in CATEGORIES])
    again = stratified_t(3 * d[order], renamed[order])
    assert (again.stat, again.estimate) == pytest.approx((found.stat, 3 * found.estimate), rel=1e-6)


def test_vectorised_moments_are_those_of_each_row():
    d = np.random.default_rng(0).normal(size=(3, 40))
    for columns in (slice(None), slice(38)):  # categories of one size, and of two
        rows, strata = d[:, columns], CATEGORIES[columns]
        for row, estimate, error, df in zip(rows, *stratified_moments(rows, strata), strict=True):
            found = stratified_t(row, strata)
            assert (found.estimate, found.se, found.df) == pytest.approx((estimate, error, df))


def test_sign_flip_is_exact_when_small():
    assert sign_flip(np.array([1.0, 2.0, 3.0])) == pytest.approx(2 / 8)
    assert sign_flip(np.array([1.0, 1.0, -1.0])) == 1.0
    d = normal(10, 0.5)
    reference = stats.permutation_test((d,), np.mean, permutation_type="samples", n_resamples=np.inf)
    assert sign_flip(d) == pytest.approx(reference.pvalue)


def test_sign_flip_sampled_is_near_the_t_and_repeatable():
    d = normal(mean=0.35, seed=2)
    assert sign_flip(d, CATEGORIES, seed=5) == sign_flip(d, CATEGORIES, seed=5)
    assert sign_flip(d) == pytest.approx(stratified_t(d).p, abs=0.01)
    assert sign_flip(-d) == pytest.approx(sign_flip(d))


def test_sign_flip_degenerate():
    assert np.isnan(sign_flip(np.full(3, np.nan)))
    assert sign_flip(np.zeros(40)) == 1.0
    assert sign_flip(np.full(40, 0.2), permutations=999) == pytest.approx(1 / 1000)


def test_rescaled_bootstrap_has_the_right_width_and_the_naive_is_narrow():
    d = normal(seed=4)
    width = {kind: np.ptp(bootstrap_interval(d, CATEGORIES, kind=kind)) for kind in ("rescaled", "naive")}
    t = stratified_t(d, CATEGORIES)
    assert width["rescaled"] == pytest.approx((t.ci_hi - t.ci_lo) * 1.96 / stats.t.ppf(0.975, 32), rel=0.08)
    assert width["naive"] == pytest.approx(width["rescaled"] * np.sqrt(4 / 5), rel=0.08)
    assert np.isnan(bootstrap_interval(np.array([1.0, 2.0]), np.array([0, 1]))).all()
    assert np.isnan(bootstrap_interval(np.array([np.nan]))).all()


def test_bayes_factor_by_sign_and_prior():
    assert bayes_factor(-2.5, 40) == pytest.approx(bayes_factor(2.5, 40))
    assert bayes_factor(2.5, 40, 1.0) < bayes_factor(2.5, 40, 0.707) < bayes_factor(2.5, 40, 0.5) * 1.1


def test_bayes_factor_without_a_t_or_beyond_range():
    assert np.isnan(bayes_factor(np.nan, 40))
    assert np.isnan(bayes_factor(1.0, 1))
    assert bayes_factor(1e12, 40) > 1e30


def test_a_category_without_a_complete_pair_is_said():
    """The mean over seven categories is another estimand than the planned one."""
    diffs = normal()
    diffs[CATEGORIES == 0] = np.nan
    found = stratified_t(diffs, CATEGORIES)
    assert found.note == "no complete prompt in 0: the mean is of the other 7 categories"
    assert found.reason is None
    diffs[5:] = np.where(CATEGORIES[5:] == 1, 1.0, np.nan)
    assert stratified_t(diffs, CATEGORIES).note == (
        "no complete prompt in 0, 2, 3, 4, 5, 6, 7: the mean is of the one other category")
    one_gone = normal()
    one_gone[0] = np.nan
    assert stratified_t(one_gone, CATEGORIES).note is None
    assert stratified_t(np.full(40, np.nan), CATEGORIES).note is None
