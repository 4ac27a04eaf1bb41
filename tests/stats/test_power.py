import numpy as np
import pytest

from tasks.stats.power import detectable_d, detectable_points, power_t


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
