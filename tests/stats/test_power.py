from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from tasks.stats.crossed import of_replicates, parts, quasi
from tasks.stats.power import crossed_power, detectable_crossed, detectable_d, detectable_points, power_t


def test_power_is_statsmodels():
    from statsmodels.stats.power import TTestPower

    for d, n in ((0.2, 20), (0.5, 40), (1.0, 8)):
        assert power_t(d, n) == pytest.approx(TTestPower().power(d, n, 0.05))
    assert power_t(5, 5, alpha=0.05 / 6) == pytest.approx(0.99907, abs=1e-5)  # where both tails together are NaN
    assert power_t(0, 40) == pytest.approx(0.05)
    assert power_t(500, 40) == 1
    assert power_t(detectable_d(25), 25) == pytest.approx(0.8)


def test_without_a_degree_of_freedom_nothing_is_detectable():
    one, six = ([detectable_d(n, df=n - 8, tests=m) for n in (1, 2, 8, 9, 40, 80)] for m in (1, 6))
    assert np.isnan([one, six]).tolist() == [[True, True, True, False, False, False]] * 2
    assert six[-1] > one[-1]


def test_points_grow_with_noise_and_shrink_with_prompts():
    sds = {"prompt": 0.5, "sample": 0.7, "rater": 0.5}
    at = detectable_points(sds, n=40, k=3, raters=3)
    spread = np.sqrt(0.25 + 2 * (0.49 + 0.25 / 3) / 3)
    assert at == pytest.approx(detectable_d(40) * spread)
    more_raters = at - detectable_points(sds, n=40, k=3, raters=6)
    assert at - detectable_points(sds, n=80, k=3, raters=3) > 3 * more_raters > 0
    assert detectable_points(sds, n=40, k=3, raters=3, seeds=(3, 3), seed_sd=0.3) > at
    assert detectable_points({"prompt": 0.5, "sample": np.nan, "rater": np.nan}, n=40, k=1) == pytest.approx(
        0.5 * detectable_d(40))


def test_each_side_has_its_own_seeds():
    """Three seeds against the one checkpoint of base: base's sampling noise is that of one."""
    sds = {"prompt": 0.0, "sample": 0.7, "rater": np.nan}
    one = detectable_points(sds, n=40, k=3)
    against_base = detectable_points(sds, n=40, k=3, seeds=(3, 1))
    assert against_base == pytest.approx(one * np.sqrt((1 / 3 + 1) / 2))
    assert detectable_points(sds, n=40, k=3, seeds=(3, 3)) == pytest.approx(one / np.sqrt(3))


def crossed(reps, effect=0.0, seed=0, seeds=3, seed_sd=0.1):
    """Differences (reps, 40 prompts, seeds) with the expected parts of the variance of their mean."""
    rng = np.random.default_rng(seed)
    return (effect + rng.normal(0, 0.6, (reps, 40, 1)) + rng.normal(0, seed_sd, (reps, 1, seeds))
            + rng.normal(0, 0.3, (reps, 40, seeds)))


@pytest.mark.parametrize("seeds", [2, 3, 5])
@pytest.mark.parametrize("tests", [1, 6])
def test_with_seeds_the_detectable_effect_is_found_four_times_in_five(seeds, tests):
    """The expected mean squares in; simulated data out."""
    categories, residual = np.repeat(np.arange(8), 5), 0.3**2 / 40 / seeds
    known = replace(parts(crossed(1, seeds=seeds)[0], categories), estimate=0.0, prompts=0.6**2 / 40 + residual,
                    replicates=0.1**2 / seeds + residual, shared=residual)
    effect = detectable_crossed(known, dataset=seeds > 2, tests=tests)
    split = parts(crossed(4000, effect, seeds=seeds), categories)
    moments = (quasi(split), of_replicates(split))
    p = np.array([2 * stats.t.sf(np.abs(estimate) / se, df) for estimate, se, df in moments])
    found = (p.max(axis=0) if seeds > 2 else p[0]) <= 0.05 / tests
    assert found.mean() == pytest.approx(0.8, abs=0.03)
    assert crossed_power(effect, known, dataset=seeds > 2, alpha=0.05 / tests) == pytest.approx(0.8, abs=1e-6)


def test_where_nothing_varies_nothing_is_detectable():
    assert np.isnan(detectable_crossed(parts(np.zeros((40, 3))), dataset=True))
