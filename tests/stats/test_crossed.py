import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from tasks.stats.crossed import crossed_t, parts, quasi
from tasks.stats.paired import stratified_t

CATEGORIES = np.repeat(np.arange(8), 5)


def differences(replicates=5, replicate_sd=0.1, seed=0):
    rng = np.random.default_rng(seed)
    return (rng.normal(0, 0.6, (40, 1)) + rng.normal(0, replicate_sd, replicates)
            + rng.normal(0, 0.6, (40, replicates)))


def test_parts_are_the_mean_squares_of_a_two_way_table():
    """Without categories: MS / (n S) from statsmodels' table of variance."""
    import pandas as pd
    import statsmodels.formula.api as smf
    from statsmodels.stats.anova import anova_lm

    x = differences()
    i, j = np.indices(x.shape)
    long = pd.DataFrame({"y": x.ravel(), "p": i.ravel(), "s": j.ravel()})
    table = anova_lm(smf.ols("y ~ C(p) + C(s)", long).fit())
    found = parts(x)
    assert np.array([found.prompts, found.replicates, found.shared]) * x.size == pytest.approx(
        table["mean_sq"].to_numpy())
    assert (found.df_prompts, found.df_replicates, found.df_shared) == (39, 4, 156)


def test_quasi_t_formula():
    x = differences(replicate_sd=0.5)
    p = parts(x, CATEGORIES)
    total = p.prompts + p.replicates - p.shared
    df = total**2 / (p.prompts**2 / 32 + p.replicates**2 / 4 + p.shared**2 / 128)
    found = crossed_t(x, CATEGORIES)
    assert (found.se, found.df, found.estimate) == pytest.approx((np.sqrt(total), df, x.mean()))
    assert found.p == pytest.approx(2 * stats.t.sf(abs(x.mean()) / np.sqrt(total), df))


def test_never_below_the_larger_part():
    for seed in range(30):
        p = parts(differences(replicate_sd=0.0, seed=seed), CATEGORIES)
        _, se, _ = quasi(p)
        assert se**2 >= max(p.prompts, p.replicates) - 1e-15


def test_seeds_that_agree_leave_the_prompt_test():
    x = np.repeat(differences(1), 4, axis=1)
    found, plain = crossed_t(x, CATEGORIES), stratified_t(x[:, 0], CATEGORIES)
    assert (found.se, found.df, found.p) == pytest.approx((plain.se, plain.df, plain.p))


def test_prompts_with_a_gap_are_left_out():
    x = differences()
    x[3, 2] = np.nan
    found = crossed_t(x, CATEGORIES)
    assert (found.n, found.n_missing) == (39, 1)
    kept = np.delete(np.arange(40), 3)
    assert found.p == pytest.approx(crossed_t(x[kept], CATEGORIES[kept]).p)


@pytest.mark.parametrize(("x", "strata", "reason"), [
    (differences(1), CATEGORIES, "one replicate"),
    (np.zeros((40, 3)), CATEGORIES, "every difference is zero"),
    (np.full((40, 3), 0.7), CATEGORIES, "do not vary"),
    (np.full((40, 3), np.nan), CATEGORIES, "no prompt"),
    (differences()[:2], np.array([0, 1]), "no category has two"),
    (differences()[:1], None, "no category has two"),
])
def test_refusals_say_why(x, strata, reason):
    found = crossed_t(x, strata)
    assert np.isnan([found.p, found.stat, found.ci_lo]).all()
    assert reason in found.reason


@given(st.integers(0, 1000))
def test_sign_symmetry_and_blindness_to_order(seed):
    x, rng = differences(3, seed=seed), np.random.default_rng(seed)
    found = crossed_t(x, CATEGORIES)
    assert crossed_t(-x, CATEGORIES).stat == pytest.approx(-found.stat)
    rows, columns = rng.permutation(40), rng.permutation(3)
    assert crossed_t(x[rows][:, columns], CATEGORIES[rows]).p == pytest.approx(found.p)
