"""Ratings: raters at large beside the panel, and tables where who rated depends on the arm."""

import numpy as np
import pandas as pd
import pytest

from tasks.runtime.errors import InputError
from tasks.stats.contrasts import COLUMNS, at_large, contrasts
from tasks.stats.crossed import crossed_t
from tasks.stats.plan import Plan
from tasks.stats.ratings import association
from tests.support.score_tables import scores

PLAN = Plan("adherence", "TOXICITY", permutations=99)
CATEGORIES = np.repeat(np.arange(8), 5)


def main_row(table: pd.DataFrame) -> pd.Series:
    rows = table[(table["category"] == "all") & (table["contrast"] == "values - control")]
    return rows[rows["metric"] == "adherence"].iloc[0]


def by_rater(data: pd.DataFrame) -> np.ndarray:
    means = data.groupby(["dataset", "prompt_id", "rater"], sort=False)["score"].mean()
    return (means["values"] - means["control"]).unstack("rater", sort=False).to_numpy()


def test_raters_at_large_are_a_random_factor():
    data = scores(raters=4, samples=2)
    reference = crossed_t(by_rater(data), CATEGORIES, of="raters")
    found = main_row(at_large(data, PLAN))
    assert (found["p"], found["ci_lo"]) == pytest.approx((reference.p, reference.ci_lo))
    assert found["estimand"] == "these checkpoints, raters at large, prompts like these"
    assert found[["d_lo", "p_signflip", "bf10"]].isna().all()
    fixed = main_row(contrasts(data, PLAN))
    assert (found["diff"], found["m"]) == pytest.approx((fixed["diff"], fixed["m"]))
    assert found["p"] > fixed["p"]


def test_with_several_seeds_both_must_hold():
    data = scores(raters=4, samples=2, seeds=3, effects={"base": 0.0, "control": 0.0, "values": 0.2})
    found, fixed = main_row(at_large(data, PLAN)), main_row(contrasts(data, PLAN))
    assert found["p"] == pytest.approx(max(crossed_t(by_rater(data), CATEGORIES, of="raters").p, fixed["p"]))
    assert found["estimand"] == "the dataset, raters at large, prompts like these"


def test_raters_who_did_not_rate_both_arms_allow_no_claim_at_large():
    data = scores(raters=3, samples=1)
    turn = data["prompt_id"].str[-1].astype(int) % 3  # each prompt has one rater, in all arms
    data = data[data["rater"].str[-1].astype(int) == turn]
    found = main_row(at_large(data, PLAN))
    assert (found["p_corr"], found["reason"]) == (1, "no prompt has a score in every cell")
    assert main_row(contrasts(data, PLAN))["p"] < 0.01


def test_only_rated_metrics_have_rows():
    data = pd.concat([scores(metrics=("TOXICITY",)), scores(raters=2)])
    assert at_large(data, PLAN)["metric"].unique().tolist() == ["adherence"]
    assert list(at_large(scores(), PLAN).columns) == list(COLUMNS)
    assert at_large(scores(), PLAN).empty


def lots(share: float, seed: int = 0) -> pd.DataFrame:
    """Each text has one of two raters: the first with this probability in values, and .5 in the other arms."""
    data, rng = scores(raters=2, samples=3), np.random.default_rng(seed)
    texts = data.drop_duplicates(["arm", "prompt_id", "sample"])[["arm", "prompt_id", "sample"]]
    first = rng.random(len(texts)) < np.where(texts["arm"] == "values", share, 0.5)
    return data.merge(texts.assign(mine=np.where(first, "r0", "r1"))).query("rater == mine").drop(columns="mine")


@pytest.mark.parametrize("change", [
    lambda _: lots(0.9),
    lambda t: t[(t["arm"] != "values") | (t["rater"] != "r0")],
    lambda t: t[(t["arm"] == "values") == (t["rater"] == "r0")],
    lambda t: t[(t["arm"] == "values") == (t["rater"] == "r0")][lambda t: t["prompt_id"] == "c0p0"],
])
def test_raters_associated_with_an_arm_are_refused(change):
    with pytest.raises(InputError, match=r"adherence at small: who rated depends on the arm \(rater 'r[01]' gave"):
        contrasts(change(scores(raters=2)), PLAN)


@pytest.mark.parametrize("change", [
    lambda t: t,
    lambda _: lots(0.5),
    lambda t: t[t["rater"].str[-1].astype(int) == t["prompt_id"].str[-1].astype(int) % 2],  # a lot is a prompt
    lambda t: t.sample(frac=0.9, random_state=1),
    lambda t: t[t["rater"] == "r0"],
])
def test_raters_who_are_not_are_taken(change):
    assert main_row(contrasts(change(scores(raters=2)), PLAN))["p"] < 0.05


def test_association_keeps_its_level_where_raters_are_drawn_at_random():
    rng = np.random.default_rng(0)
    p = []
    for _ in range(200):
        a, b = (np.stack([rng.multinomial(3, [0.5, 0.3, 0.2]) for _ in range(40)]) for _ in range(2))
        p.append(association(a.astype(float), b.astype(float)))
    assert 0.02 <= np.mean(np.array(p) <= 0.05) <= 0.09
