import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.stats.noninferiority import (
    equivalence_p,
    items_needed,
    noninferiority_p,
    noninferiority_power,
    normal_items,
    tango_interval,
    tango_z,
)

ITEMS = st.tuples(st.integers(0, 30), st.integers(0, 30), st.integers(0, 60)).filter(lambda x: sum(x) > 0)


def test_at_zero_it_is_mcnemar():
    assert tango_z(12, 5, 100, 0.0) == pytest.approx((12 - 5) / np.sqrt(17))


def test_q_maximises_the_likelihood():
    b, c, n, delta = 12, 5, 60, -0.1
    q = np.linspace(1e-6, (1 + delta) / 2 - 1e-6, 400_000) - min(delta, 0)
    likelihood = b * np.log(q + delta) + c * np.log(q) + (n - b - c) * np.log(1 - 2 * q - delta)
    best = q[likelihood.argmax()]
    expected = (b - c - n * delta) / np.sqrt(n * (2 * best + delta * (1 - delta)))
    assert tango_z(b, c, n, delta) == pytest.approx(expected, rel=1e-3)


@given(ITEMS, st.floats(0.01, 0.4))
def test_swapping_the_models_mirrors_everything(items, margin):
    b, c, rest = items
    n = b + c + rest
    assert tango_z(b, c, n, margin) == pytest.approx(-tango_z(c, b, n, -margin), abs=1e-9)
    lo, hi = tango_interval(b, c, n)
    assert tango_interval(c, b, n) == pytest.approx((-hi, -lo), abs=1e-9)
    assert -1 <= lo <= (b - c) / n <= hi <= 1
    assert equivalence_p(b, c, n, margin) == pytest.approx(equivalence_p(c, b, n, margin))
    assert equivalence_p(b, c, n, margin) >= noninferiority_p(b, c, n, margin)


@given(ITEMS)
def test_interval_and_test_agree(items):
    b, c, rest = items
    n = b + c + rest
    lo, _ = tango_interval(b, c, n, confidence=0.9)
    for margin in (0.02, 0.1, 0.3):
        if abs(lo + margin) > 1e-6:
            assert (noninferiority_p(b, c, n, margin) < 0.05) == (lo > -margin)


def test_all_items_on_one_side():
    assert tango_interval(0, 10, 10)[0] == -1
    assert tango_interval(10, 0, 10)[1] == 1
    assert tango_z(0, 0, 50, 0.0) == 0


def test_a_finite_df_is_wider():
    assert np.ptp(tango_interval(5, 9, 100, df=6)) > np.ptp(tango_interval(5, 9, 100))


def test_keeps_its_level_at_the_margin():
    rng, n, margin = np.random.default_rng(0), 300, 0.05
    draws = rng.multinomial(n, [0.05, 0.10, 0.85], size=4000)
    assert np.mean([noninferiority_p(b, c, n, margin) < 0.05 for b, c, _ in draws]) < 0.065


@pytest.mark.parametrize(("test", "n"), [(equivalence_p, normal_items(0.1, 0.05)),
                                         (noninferiority_p, items_needed(0.1, 0.05))])
def test_items_needed_have_their_power(test, n):
    rng = np.random.default_rng(0)
    draws = rng.multinomial(n, [0.05, 0.05, 0.90], size=3000)
    assert 0.76 < np.mean([test(b, c, n, 0.05) < 0.05 for b, c, _ in draws]) < 0.86


@pytest.mark.parametrize(("n", "discordant", "margin"), [(60, 0.05, 0.1), (60, 0.1, 0.1), (364, 0.1, 0.05)])
def test_power_is_exact(n, discordant, margin):
    rng = np.random.default_rng(0)
    draws = rng.multinomial(n, [discordant / 2, discordant / 2, 1 - discordant], size=4000)
    kept = np.mean([noninferiority_p(b, c, n, margin) <= 0.05 for b, c, _ in draws])
    assert noninferiority_power(n, discordant, margin) == pytest.approx(kept, abs=0.02)
    assert noninferiority_power(0, discordant, margin) == 0


@pytest.mark.parametrize("discordant", [0.02, 0.1, 0.4, 1.0])
@pytest.mark.parametrize("margin", [0.05, 0.1, 0.3])
def test_items_needed_are_near_those_of_the_normal_approximation(discordant, margin):
    needed = items_needed(discordant, margin)
    assert noninferiority_power(needed, discordant, margin) >= 0.8
    assert needed <= 2 * normal_items(discordant, margin, sides=1) + 40
    assert items_needed(discordant, margin, alpha=0.01) >= needed - 1
