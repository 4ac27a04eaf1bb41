"""The power of a plan: the known functions where they apply, and what more of everything buys."""

from dataclasses import replace

import numpy as np
import pytest

from tasks.raters.power import Design, Spread, detectable, power, prompts_for, spread_of
from tasks.stats.plan import Plan
from tasks.stats.power import detectable_points, power_t
from tests.support.score_tables import scores

DESIGN, SPREAD = Design(40, 8, 3, 3), Spread(0.6, 0.74, 0.6, 0.1)


def test_one_seed_is_the_stratified_t() -> None:
    sd = np.sqrt(0.6**2 + 2 * (0.74**2 + 0.6**2 / 3) / 3)
    assert power(DESIGN, SPREAD, 0.4) == pytest.approx(power_t(0.4 / sd, 40, df=32))
    sds = {"prompt": 0.6, "sample": 0.74, "rater": 0.6}
    found = detectable_points(sds, n=40, k=3, raters=3, tests=2, categories=8)
    assert detectable(replace(DESIGN, tests=2), SPREAD) == pytest.approx(found)


@pytest.mark.parametrize("change", [{"prompts": 80}, {"samples": 6}, {"raters": 9}])
def test_more_of_anything_helps(change: dict[str, int]) -> None:
    assert power(replace(DESIGN, **change), SPREAD, 0.4) > power(DESIGN, SPREAD, 0.4) + 0.01


def test_no_difference_is_found_at_the_level() -> None:
    assert power(DESIGN, SPREAD, 0.0) == pytest.approx(0.05)
    assert power(replace(DESIGN, tests=2), SPREAD, 0.0) == pytest.approx(0.025)
    assert power(replace(DESIGN, seeds=3), SPREAD, 0.0) <= 0.05


def test_seeds_that_spread_cost_power() -> None:
    three = replace(DESIGN, seeds=3)
    assert power(three, SPREAD, 0.6) > power(three, replace(SPREAD, seed=0.4), 0.6)
    assert power(replace(three, seeds=6), replace(SPREAD, seed=0.4), 0.6) > power(three, replace(SPREAD, seed=0.4), 0.6)


def test_the_fewest_prompts_are_found() -> None:
    found = prompts_for(DESIGN, SPREAD, 0.3, 0.8)
    assert found is not None
    assert found % 8 == 0
    assert power(replace(DESIGN, prompts=found), SPREAD, 0.3) >= 0.8
    assert power(replace(DESIGN, prompts=found - 8), SPREAD, 0.3) < 0.8
    assert prompts_for(replace(DESIGN, seeds=3), replace(SPREAD, seed=1.0), 0.3, 0.8) is None


def test_nothing_can_be_tested_with_a_prompt_a_category() -> None:
    assert np.isnan(power(Design(8, 8, 3, 3), SPREAD, 0.4))
    assert np.isnan(detectable(Design(8, 8, 3, 3), SPREAD))


def test_the_spread_of_ratings_is_found_without_severity() -> None:
    data = scores(metrics=("rating",), raters=4, samples=4, per_category=40, noise=0.5)
    plan = Plan("rating", "TOXICITY")
    plain = spread_of(data, plan, "rating")
    assert plain is not None
    assert (plain.rater, plain.sample, plain.prompt) == (pytest.approx(0.5, abs=0.02), pytest.approx(0, abs=0.1),
                                                         pytest.approx(0, abs=0.1))  # fmt: skip
    severe = data.assign(score=data["score"] + data["rater"].str[1:].astype(int))
    found = spread_of(severe, plan, "rating")
    assert found is not None
    assert (found.rater, found.sample) == (pytest.approx(plain.rater), pytest.approx(plain.sample, abs=1e-6))
    assert spread_of(scores(metrics=("rating",), raters=1), plan, "rating") is None
