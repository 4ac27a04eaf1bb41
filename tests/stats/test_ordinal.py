"""The ordinal check: a known model's figures, what it refuses, and its table beside the means."""

import numpy as np
import pandas as pd
import pytest

from tasks.stats.contrasts import contrasts
from tasks.stats.ordinal import COLUMNS, cumulative_logit, ordinal
from tasks.stats.plan import Plan
from tests.support.score_tables import scores

PLAN = Plan("rating", "TOXICITY", permutations=99)


def drawn(effect: float, prompts: int = 200, spread: float = 0.0, seed: int = 0) -> pd.DataFrame:
    """Ratings by the model itself: thresholds -2, -.5, .5, 2; raters' severity, a prompt's own level in each arm."""
    rng = np.random.default_rng(seed)
    rows = [
        {"prompt": p, "category": p % 4, "rater": r, "of_a": of_a,
         "rating": float(1 + np.searchsorted([-2, -0.5, 0.5, 2], effect * of_a + level + 0.5 * r + rng.logistic()))}
        for p in range(prompts) for of_a in (1.0, 0.0) for level in [spread * rng.normal()] for r in range(3)
    ]  # fmt: skip
    return pd.DataFrame(rows)


def test_finds_the_effect_it_was_drawn_with() -> None:
    found = cumulative_logit(drawn(0.8))
    assert found.estimate == pytest.approx(0.8, abs=3 * found.se)
    assert found.p < 1e-6
    assert (found.n, found.df) == (200, 196)


def test_is_that_of_statsmodels_where_every_prompt_is_one_rating() -> None:
    """A prompt with one rating is its own cluster: the sandwich is then the usual robust one."""
    from statsmodels.miscmodels.ordinal_model import OrderedModel

    rows = drawn(0.5).query("rater == 0").assign(category=0)
    rows["prompt"] = np.arange(len(rows))
    fit = OrderedModel(rows["rating"].astype(int) - 1, rows[["of_a"]], distr="logit").fit(method="bfgs", disp=0)
    found = cumulative_logit(rows)
    assert found.estimate == pytest.approx(float(fit.params.iloc[0]), abs=1e-3)
    assert found.se == pytest.approx(float(fit.bse.iloc[0]), rel=0.1)


def test_prompts_and_not_ratings_are_independent() -> None:
    rows = drawn(0.0, prompts=60, spread=2.0)
    clustered = cumulative_logit(rows)
    alone = cumulative_logit(rows.assign(prompt=np.arange(len(rows)), category=0))
    assert clustered.se > 1.3 * alone.se


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda t: t.assign(rating=3.0), "the ratings do not vary"),
        (lambda t: t.assign(rating=t["rating"] + 0.5), "not a scale of few whole numbers"),
        (lambda t: t[t["of_a"] == 1], "the ratings do not vary"),
        (lambda t: t.assign(category=t["prompt"]), "no category has two prompts"),
        (lambda t: t.assign(rating=np.where(t["of_a"] == 1, 5.0, 1.0)), "the model does not converge"),
    ],
)
def test_refusals_have_a_reason(change, reason: str) -> None:
    found = cumulative_logit(change(drawn(0.5, prompts=20)))
    assert np.isnan(found.p)
    assert found.reason == reason


def test_a_row_for_each_contrast_of_each_rated_metric_beside_the_means() -> None:
    data = scores(metrics=("rating",), raters=3, noise=0.8).assign(score=lambda t: (3 + t["score"]).round().clip(1, 5))
    data = pd.concat([data, scores(metrics=("TOXICITY",))])
    means = contrasts(data, PLAN)
    table = ordinal(data, PLAN, means)
    assert list(table.columns) == list(COLUMNS)
    assert table[["metric", "contrast", "m"]].to_numpy().tolist() == [["rating", "values - control", 2],
                                                                      ["rating", "values - base", 2]]  # fmt: skip
    assert (table["p_corr"] < 0.001).all()
    assert table["same_decision"].tolist() == [True, True]
    assert table.loc[0, ["n_prompts", "n_ratings", "raters"]].tolist() == [40, 720, 3]
    assert ordinal(scores(metrics=("TOXICITY",)), PLAN, means).empty
