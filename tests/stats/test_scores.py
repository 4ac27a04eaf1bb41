import numpy as np
import pandas as pd
import pytest

from tasks.runtime.errors import InputError
from tasks.stats.scores import ArmScores, arm_scores, checked, matched_seeds, pair, prompts_of
from tests.support.score_tables import scores


def test_null_scores_seeds_and_raters_become_plain():
    table = scores()
    table["score"] = table["score"].astype("Float64")
    table.loc[0, "score"] = pd.NA
    found = checked(table)
    assert np.isnan(found.loc[0, "score"])
    assert found["score"].dtype == np.float64
    assert set(found.loc[found["dataset"] == "base", "seed"]) == {-1}
    assert set(found["rater"]) == {""}
    assert "rater" not in table


@pytest.mark.parametrize(("change", "message"), [
    (lambda t: t.drop(columns=["params", "score"]), "no column params, score"),
    (lambda t: t.assign(score="bad"), "must be numbers"),
    (lambda t: t.assign(score=np.inf), "infinite"),
    (lambda t: t.assign(category=[f"c{i}" for i in range(len(t))]), "more than one category"),
    (lambda t: t.assign(params=np.arange(len(t)) + 1), "more than one params"),
    (lambda t: pd.concat([t, t]), "two rows for metric 'adherence'"),
    (lambda t: pd.concat([t, t[t.arm == "values"].assign(arm="values-n20")]), "values, values-n20"),
])
def test_mistakes_are_named(change, message):
    with pytest.raises(InputError, match=message):
        checked(change(scores()))


def test_scores_by_prompt_seed_sample_rater():
    table = checked(scores(seeds=2, raters=3))
    prompts = prompts_of(table)
    arm = arm_scores(table, "values", prompts)
    assert arm.values.shape == (40, 2, 3, 3)
    assert (arm.seeds, arm.k, arm.raters) == ((1, 2), 3, 3)
    row = table[(table.dataset == "values") & (table.seed == 2) & (table.prompt_id == "c3p1")]
    at = list(prompts.ids).index("c3p1")
    assert arm.means[at, 1] == pytest.approx(row.groupby("sample").score.mean().mean())
    assert arm_scores(table, "other", prompts) is None


def test_ratings_are_averaged_before_samples():
    table = scores(categories=1, per_category=1, samples=2, raters=2, noise=0)
    mine = table.index[table.dataset == "values"]
    table.loc[mine, "score"] = [1.0, 3.0, 5.0, np.nan]
    checked_table = checked(table)
    arm = arm_scores(checked_table, "values", prompts_of(checked_table))
    assert arm.means.item() == 3.5


@pytest.mark.parametrize(("a", "b", "fixed_b", "expected"), [
    ((1,), (-1,), True, [(0, 0)]),
    ((1, 2, 3), (-1,), True, [(0, 0), (1, 0), (2, 0)]),
    ((1, 2, 3), (1, 2, 3), False, [(0, 0), (1, 1), (2, 2)]),
    ((1, 2, 4), (2, 3, 4), False, [(1, 0), (2, 2)]),
    ((1, 2), (3, 4, 5), False, [(0, 0), (1, 1)]),
    ((1,), (1,), False, [(0, 0)]),
    ((1, 2, 3), (1,), False, None),
])
def test_seeds_are_matched(a, b, fixed_b, expected):
    assert matched_seeds(a, b, fixed_b=fixed_b) == expected


def test_what_only_rounding_tells_apart_is_zero():
    a, b = (ArmScores((1,), np.array(score).reshape(2, 1, 1, 1)) for score in ([0.1 + 0.2, 1.0], [0.3, 0.5]))
    assert a.values[0] != b.values[0]
    assert pair(a, b, fixed_b=False).diffs[:, 0].tolist() == [0.0, 0.5]


def test_several_seeds_against_one_are_averaged():
    table = scores(seeds=3)
    table = checked(table[~table.arm.isin(["control-2", "control-3"])])
    prompts = prompts_of(table)
    a, b = arm_scores(table, "values", prompts), arm_scores(table, "control", prompts)
    found = pair(a, b, fixed_b=False)
    assert found.diffs[:, 0] == pytest.approx(a.means.mean(axis=1) - b.means[:, 0])
    assert found.a.shape == (40, 1, 9)
