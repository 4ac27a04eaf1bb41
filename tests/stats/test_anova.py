import numpy as np
import pytest
from scipy import stats

from tasks.stats.anova import COLUMNS, arm_by_size
from tasks.stats.plan import Plan
from tests.support.score_tables import scores

PLAN = Plan("adherence")


def contrasts_of(levels):
    """Orthonormal contrasts (levels, levels - 1): what is left of the space when the mean is taken off."""
    return np.linalg.svd(np.eye(levels) - 1 / levels)[0][:, :-1]


def greenhouse_geisser(values):
    """Box's epsilon of prompts' contrasts (n, k): trace(S)^2 / (k trace(S^2)), S their covariance."""
    covariance = np.cov(values, rowvar=False)
    return np.trace(covariance) ** 2 / (len(covariance) * np.trace(covariance @ covariance))


def test_against_statsmodels():
    from statsmodels.stats.anova import AnovaRM

    data = scores(models=("small", "middle", "large"))
    uneven = (data["dataset"] == "values") & (data["model"] == "large")  # a cell that varies more: no sphericity
    data.loc[uneven, "score"] = 3 * data.loc[uneven, "score"]
    table = arm_by_size(data, PLAN)
    assert list(table.columns) == list(COLUMNS)
    assert table["source"].tolist() == ["arm", "size", "arm x size"]
    means = data.groupby(["prompt_id", "dataset", "model"])["score"].mean().reset_index()
    reference = AnovaRM(means, "score", "prompt_id", within=["dataset", "model"]).fit().anova_table
    assert table["f"].to_numpy() == pytest.approx(reference["F Value"].to_numpy())
    assert table["p_uncorrected"].to_numpy() == pytest.approx(reference["Pr > F"].to_numpy())
    cube = means.pivot(index="prompt_id", columns=["dataset", "model"], values="score").to_numpy().reshape(40, 3, 3)
    within, over = contrasts_of(3), np.full((3, 1), 1 / np.sqrt(3))
    for source, weights in (("arm", (within, over)), ("size", (over, within)), ("arm x size", (within, within))):
        found = table.set_index("source").loc[source]
        eps = greenhouse_geisser(np.einsum("nar,ai,rj->nij", cube, *weights).reshape(40, -1))
        assert found["eps"] == pytest.approx(eps)
        assert eps < 0.99
        assert found["p"] == pytest.approx(stats.f.sf(found["f"], found["df1"] * eps, found["df2"] * eps))


def test_a_prompt_with_a_gap_is_left_out():
    data = scores(models=("small", "large"))
    gap = (data["prompt_id"] == "c0p0") & (data["arm"] == "values") & (data["model"] == "large")
    data.loc[gap, "score"] = np.nan
    assert arm_by_size(data, PLAN)[["n_prompts", "n_missing"]].to_numpy().tolist() == [[39, 1]] * 3


@pytest.mark.parametrize(("change", "reason"), [
    (lambda t: t[t["model"] == "small"], "one model"),
    (lambda t: t[t["arm"] == "base"], "one arm"),
    (lambda t: t[t["prompt_id"].isin(["c0p0", "c0p1"])], "fewer than three prompts"),
    (lambda t: t[~((t["arm"] == "base") & (t["model"] == "small"))], "fewer than three prompts"),
    (lambda t: t.assign(score=1.0), "do not vary"),
    (lambda t: t.assign(score=t["arm"].map({"base": 0.1, "control": 0.2, "values": 0.3})), "do not vary"),
])
def test_refusals(change, reason):
    table = arm_by_size(change(scores(models=("small", "large"))), PLAN)
    assert table["p"].isna().all()
    assert table["reason"].str.contains(reason).all()


def test_three_prompts_and_none():
    data = scores(models=("small", "large"), categories=1, per_category=3)
    assert arm_by_size(data, PLAN)["reason"].isna().all()
    assert arm_by_size(data.iloc[:0], PLAN).empty
    assert arm_by_size(data, Plan("adherence", models=("small",)))["reason"].tolist() == ["one model"] * 3
