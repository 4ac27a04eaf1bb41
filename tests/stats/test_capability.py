import numpy as np
import pandas as pd
import pytest
from scipy import stats

from tasks.formats.verdicts import overall
from tasks.runtime.errors import InputError
from tasks.stats.capability import (
    DOCUMENT_COLUMNS,
    Capability,
    above,
    capability,
    corrected,
    design_effect,
    document_tests,
    task_verdict,
)
from tasks.stats.families import holm
from tasks.stats.noninferiority import (
    items_needed,
    loss_p,
    noninferiority_p,
    noninferiority_power,
    tango_interval,
)


def items(b, c, both, neither=0):
    """0/1 items of base and tuned."""
    return (np.repeat([0.0, 1, 1, 0], [b, c, both, neither]), np.repeat([1.0, 0, 1, 0], [b, c, both, neither]))


@pytest.mark.parametrize(("counts", "margin", "verdict"), [
    ((20, 20, 860, 100), 0.05, "no loss"),
    ((5, 30, 865, 100), 0.05, "loss within margin"),
    ((5, 200, 600, 195), 0.05, "loss"),
    ((5, 8, 77, 10), 0.02, "inconclusive"),
    ((20, 20, 240, 720), 0.05, "uninformative"),
    ((0, 1, 0), 0.1, "uninformative"),
    ((0, 0, 20), 0.01, "inconclusive"),  # identical items do not pass by being few
])
def test_verdicts(counts, margin, verdict):
    assert task_verdict(*items(*counts), chance=0.25, margin=margin).verdict == verdict


def test_figures():
    found = task_verdict(*items(12, 20, 300, 68), chance=0.25, margin=0.05)
    assert (found.n, found.b, found.c, found.diff) == (400, 12, 20, -0.02)
    assert found.p_noninferior == pytest.approx(noninferiority_p(12, 20, 400, 0.05))
    assert (found.ci90_lo, found.ci90_hi) == pytest.approx(tango_interval(12, 20, 400, 0.9))
    assert (found.accuracy_against, found.accuracy) == (0.8, 0.78)


def test_missing_items_are_counted():
    base, tuned = items(2, 2, 40)
    base[0] = tuned[-1] = np.nan
    found = task_verdict(base, tuned, chance=0.25, margin=0.1)
    assert (found.n, found.n_missing) == (42, 2)


@pytest.mark.parametrize(("base", "clusters", "reason"), [
    (np.array([]), None, "no item"), (np.full(3, np.nan), None, "no item"), (np.ones(4), np.zeros(4), "one passage"),
])
def test_refusals(base, clusters, reason):
    found = task_verdict(base, base, chance=0.25, margin=0.05, clusters=clusters)
    assert found.verdict == "not computed"
    assert reason in found.reason
    assert np.isnan(found.p_noninferior)


def test_only_zero_and_one_are_items():
    with pytest.raises(ValueError, match="0 \\(wrong\\)"):
        task_verdict(np.array([0.5]), np.array([1.0]), chance=0.0, margin=0.1)


def test_copied_items_add_nothing():
    base, tuned = items(6, 10, 60, 24)
    once = task_verdict(base, tuned, chance=0.25, margin=0.1)
    copies = task_verdict(np.repeat(base, 3), np.repeat(tuned, 3), chance=0.25, margin=0.1,
                   clusters=np.repeat(np.arange(100), 3))
    assert copies.design_effect == pytest.approx(3, rel=0.02)
    assert copies.p_noninferior == pytest.approx(once.p_noninferior, rel=0.1)
    assert design_effect(np.ones(12), np.repeat(np.arange(3), 4)) == (4, 3)


def test_clusters_keep_the_level_where_items_alone_do_not():
    rng, plain, clustered, reps = np.random.default_rng(0), 0, 0, 250
    losses: list[float] = []
    for _ in range(reps):
        worse = rng.beta(0.4, 2.27, 30)  # a passage's share of items lost: mean .15, and .05 gained
        d = rng.random((30, 8))
        tuned = np.where(d < worse[:, None], 0.0, 1.0).ravel()
        base = np.where(rng.random(240) < 0.05, 0.0, 1.0)
        tuned = np.where(base == 0, 1.0, tuned)
        true_loss = 0.95 * 0.4 / 2.67 - 0.05
        losses.append(base.mean() - tuned.mean())
        groups = np.repeat(np.arange(30), 8)
        plain += task_verdict(base, tuned, chance=0.25, margin=true_loss).p_noninferior < 0.05
        clustered += task_verdict(base, tuned, chance=0.25, margin=true_loss, clusters=groups).p_noninferior < 0.05
    assert plain / reps > 0.09
    assert clustered / reps < 0.08
    assert np.mean(losses) == pytest.approx(true_loss, abs=0.01)


def verdicts(*verdicts, **columns):
    return pd.DataFrame({"verdict": verdicts, "endpoint": True, "against": "base"}).assign(**columns)


def test_overall_needs_every_endpoint():
    assert overall(verdicts("no loss", "loss within margin")) == "no loss"
    assert overall(verdicts("no loss", "uninformative")) == "cannot be said"
    assert overall(verdicts("no loss", "loss", "inconclusive")) == "loss"
    assert overall(verdicts()) == "cannot be said"
    assert overall(verdicts("no loss", "inconclusive", endpoint=[True, False])) == "no loss"
    assert overall(verdicts("no loss", "inconclusive", against=["base", "control"])) == "no loss"
    assert overall(verdicts("no loss", "loss", against=["base", "control"], endpoint=[True, False])) == "loss"
    assert overall(verdicts("no loss", against="control")) == "cannot be said"


def test_above_also_of_fractions_of_items():
    """8 right of 9.75 is 82%: not 8 of 9, and between the whole numbers around it."""
    assert above(0.8, 10, 0.5) == pytest.approx(56 / 1024)
    assert above(0, 10, 0.5) == 1
    assert above(8 / 9.75, 9.75, 0.5) > above(8 / 9, 9, 0.5)
    assert above(0.8, 10, 0.5) > above(0.8, 12.5, 0.5) > above(0.8, 15, 0.5)


def test_bases_accuracy_has_its_own_design_effect():
    """Base knows whole passages or nothing; the tuned model differs from it in scattered items."""
    clusters = np.repeat(np.arange(20), 4)
    base = np.repeat(np.arange(20) % 2 == 0, 4).astype(float)
    tuned = base.copy()
    tuned[[0, 5, 10, 15]] = 1 - tuned[[0, 5, 10, 15]]
    found = task_verdict(base, tuned, chance=0.25, margin=0.1, clusters=clusters)
    assert found.design_effect == pytest.approx(1, abs=0.1)
    assert found.p_informative == pytest.approx(above(0.5, 80 / design_effect(base, clusters)[0], 0.35))
    assert found.p_informative == pytest.approx(above(0.5, 20 * 19 / 20, 0.35))
    assert not found.informative  # 40 of 80 items would be, 10 of 20 passages are not


def test_a_loss_is_corrected_over_the_tasks_of_its_comparison():
    """14 items lost and 5 gained are a loss in one task alone, and not in one of three."""
    alone = task_verdict(*items(5, 14, 60, 21), chance=0.25, margin=0.02)
    assert (alone.verdict, alone.p_loss_corr) == ("loss", alone.p_loss)
    same = task_verdict(*items(5, 5, 60, 30), chance=0.25, margin=0.02)
    family = corrected([alone, same, same])
    assert (family[0].verdict, family[0].m_loss) == ("inconclusive", 3)
    assert [one.p_loss_corr for one in family] == pytest.approx(holm([one.p_loss for one in (alone, same, same)]))
    assert overall(verdicts(*(one.verdict for one in family))) == "cannot be said"
    harmed = task_verdict(*items(2, 30, 50, 18), chance=0.25, margin=0.02)
    assert [one.verdict for one in corrected([harmed, same])] == ["loss", "inconclusive"]


def test_the_margin_is_corrected_over_tasks_and_not_over_endpoints():
    """Two tasks and a set, against base; the tasks against control are another family."""
    near = task_verdict(*items(3, 4, 45, 8), chance=0.25, margin=0.1)
    assert 0.025 < near.p_noninferior <= 0.05
    tests, endpoints, against = [near] * 4, [False, False, True, False], ["base", "base", "base", "control"]
    family = corrected(tests, endpoints, against)
    assert [one.m_noninferior for one in family] == [2, 2, 1, 1]
    assert [one.m_loss for one in family] == [3, 3, 3, 1]
    assert [one.p_noninferior_corr for one in family] == pytest.approx(
        [2 * near.p_noninferior] * 2 + [near.p_noninferior] * 2)
    assert [one.verdict for one in family] == ["inconclusive", "inconclusive", "no loss", "no loss"]
    together = corrected([near, near])
    assert [one.verdict for one in together] == ["no loss"] * 2  # endpoints: both at 5% say it together
    assert [one.p_noninferior_corr for one in together] == pytest.approx([2 * near.p_noninferior] * 2)


def test_power_of_a_test_and_of_all_together():
    one = task_verdict(*items(2, 2, 45, 11), chance=0.25, margin=0.1)
    assert one.power == pytest.approx(noninferiority_power(60, 5 / 62, 0.1))
    both = corrected([one, one], [True, True], ["base", "base"])
    assert both[0].power_joint == pytest.approx(one.power**2)
    detail = corrected([one, one, one], [True, False, False], ["base"] * 3)
    assert detail[1].power == pytest.approx(noninferiority_power(60, 5 / 62, 0.1, alpha=0.025))
    assert [test.power_joint for test in detail] == pytest.approx([one.power] * 3)
    assert detail[0].n_for_80 == items_needed(5 / 62, 0.1)
    assert detail[1].n_for_80 == items_needed(5 / 62, 0.1, alpha=0.025) > detail[0].n_for_80
    assert corrected([task_verdict(np.array([]), np.array([]), chance=0.25, margin=0.1), one])[1].power_joint == 0


def test_a_loss_found_lies_outside_the_interval():
    for b, c in ((0, 4), (0, 5), (2, 9), (5, 14), (20, 34)):
        p, hi = loss_p(b, c, 100), tango_interval(b, c, 100, 0.9)[1]
        assert p > 0.05 or hi < 0
    assert loss_p(0, 4, 100) == pytest.approx(1 / 16)  # McNemar's z would say .023
    assert loss_p(0, 0, 10) == 1
    assert loss_p(30, 60, 1000, df=4) > loss_p(30, 60, 1000)


def test_an_untested_task_stays_in_the_family():
    nothing = task_verdict(np.array([]), np.array([]), chance=0.25, margin=0.02)
    family = corrected([task_verdict(*items(5, 14, 60, 21), chance=0.25, margin=0.02), nothing])
    assert family[0].p_loss_corr == pytest.approx(2 * family[0].p_loss)
    assert (family[1].verdict, family[1].m_loss, family[1].p_loss_corr) == ("not computed", 2, 1)


def long(**columns):
    rng = np.random.default_rng(0)
    rows = [{"task": task, "model": "small", "params": 1e8, "arm": arm, "dataset": arm, "item_id": i,
             "correct": float(rng.random() < 0.7)} for task in ("arc", "boolq") for arm in ("base", "values", "control")
            for i in range(60)]
    return pd.DataFrame(rows).assign(**columns)


def test_table_has_a_row_per_task_and_tuned_arm():
    data = long()
    table = capability(data, margins={"arc": 0.05, "boolq": 0.1}, chances={"arc": 0.25, "boolq": 0.5})
    assert table[["task", "arm", "against"]].to_numpy().tolist() == [
        [task, *arms] for task in ("arc", "boolq")
        for arms in (("values", "base"), ("control", "base"), ("values", "control"))]
    assert set(Capability.__dataclass_fields__) < set(table.columns)
    wide = data[data.task == "arc"].pivot(index="item_id", columns="arm", values="correct")
    expected = task_verdict(wide["base"].to_numpy(), wide["values"].to_numpy(), chance=0.25, margin=0.05)
    assert table.loc[0, "p_equivalent"] == pytest.approx(expected.p_equivalent)
    assert table["m_loss"].tolist() == [2] * 6
    for (_, against), comparison in table.groupby(["arm", "against"]):
        if against == "base":
            assert comparison["p_loss_corr"].to_numpy() == pytest.approx(holm(comparison["p_loss"]))
        assert comparison["p_noninferior_corr"].to_numpy() == pytest.approx(holm(comparison["p_noninferior"]))
    assert table["endpoint"].all()  # there is no set
    expected = task_verdict(wide["control"].to_numpy(), wide["values"].to_numpy(), chance=0.25, margin=0.05)
    assert table.loc[2, ["diff", "accuracy_against", "p_loss"]].tolist() == pytest.approx(
        [expected.diff, wide["control"].mean(), expected.p_loss])


def test_a_set_is_the_endpoint_and_its_tasks_are_detail():
    data = long()
    pooled = data.assign(task="all", item_id=data["task"] + data["item_id"].astype(str))
    table = capability(pd.concat([data, pooled]), margins={"arc": 0.1, "boolq": 0.1, "all": 0.05},
                       chances={"arc": 0.25, "boolq": 0.25, "all": 0.25}, sets=["all", "standard"])
    assert table.groupby("task")["endpoint"].all().to_dict() == {"arc": False, "boolq": False, "all": True}
    assert table["endpoint"].equals(table["whole_set"])
    of_values = table[(table["arm"] == "values") & (table["against"] == "base")].set_index("task")
    assert of_values["m_noninferior"].to_dict() == {"arc": 2, "boolq": 2, "all": 1}
    assert table.loc[table["dataset"] == "values", "m_loss"].unique().tolist() == [3]
    assert of_values["power_joint"].tolist() == pytest.approx([of_values.loc["all", "power"]] * 3)


def test_arms_of_the_target_are_compared_with_control_of_their_seed():
    data, copies = long(), []
    for arm, dataset, seed in (("values-2", "values", 2), ("control-2", "control", 2), ("values-3", "values", 3)):
        copies.append(data[data["arm"] == dataset].assign(arm=arm, seed=seed))
    data = pd.concat([data.assign(seed=1), *copies])
    table = capability(data, margins={"arc": 0.05, "boolq": 0.1}, chances={"arc": 0.25, "boolq": 0.5})
    beside = table[(table["against"] == "control") & (table["task"] == "arc")]
    assert beside[["arm", "against_arm"]].to_numpy().tolist() == [
        ["values", "control"], ["values-2", "control-2"], ["values-3", "control"]]
    assert table.loc[table["dataset"] == "values", "m_loss"].unique().tolist() == [2 * 3]  # tasks x arms


def test_a_loss_against_control_is_one_only_where_there_is_one_against_base():
    harmed, same = (task_verdict(*items(*counts), chance=0.25, margin=0.02)
                    for counts in ((2, 30, 50, 18), (5, 5, 60, 30)))
    both = corrected([harmed, harmed], [True, True], ["base", "control"], [None, 0])
    assert [one.verdict for one in both] == ["loss", "loss"]
    control_gained = corrected([same, harmed], [True, True], ["base", "control"], [None, 0])
    assert control_gained[1].p_loss_corr == control_gained[0].p_loss_corr > 0.05
    assert [one.verdict for one in control_gained] == ["inconclusive", "inconclusive"]


def test_table_with_passages_and_gaps():
    data = long()
    data["cluster"] = [f"p{i // 6}" for i in data["item_id"]]
    data.loc[data["arm"] == "base", "correct"] = data.loc[data["arm"] == "base", "correct"].where(
        data["item_id"] > 3)
    data = data[~((data["task"] == "boolq") & (data["arm"] == "base"))]
    table = capability(data, margins={"arc": 0.05, "boolq": 0.1}, chances={"arc": 0.25, "boolq": 0.5})
    assert table.loc[0, ["n", "n_missing", "clusters"]].tolist() == [56, 4, 10]
    assert table["verdict"].tolist()[3:5] == ["not computed"] * 2


@pytest.mark.parametrize(("change", "message"), [
    (lambda t: t.drop(columns="correct"), "no column correct"),
    (lambda t: t.assign(task="piqa"), "no margin or chance level for task piqa"),
    (lambda t: pd.concat([t, t]), "twice"),
])
def test_mistakes_are_named(change, message):
    with pytest.raises(InputError, match=message):
        capability(change(long()), margins={"arc": 0.05, "boolq": 0.1}, chances={"arc": 0.25, "boolq": 0.5})


def documents(diffs, **columns):
    """A document for each difference, of one model and arm."""
    base = np.linspace(-0.7, -0.5, len(diffs))
    return pd.DataFrame({"task": "text", "model": "small", "params": 1e8, "arm": "values", "dataset": "values",
                         "item_id": [f"d{i}" for i in range(len(diffs))], "nats_per_byte": base + diffs,
                         "nats_per_byte_base": base, "diff": diffs}).assign(**columns)


def test_the_mean_change_is_tested_by_document():
    diffs = np.random.default_rng(0).normal(-0.02, 0.01, 12)
    (row,) = document_tests(documents(diffs), permutations=5000).to_dict("records")
    reference = stats.ttest_1samp(diffs, 0)
    assert (row["diff"], row["p"], row["df"]) == pytest.approx((diffs.mean(), reference.pvalue, 11))
    assert (row["ci_lo"], row["ci_hi"]) == pytest.approx(tuple(reference.confidence_interval()))
    assert row["mean"] - row["mean_base"] == pytest.approx(row["diff"])
    assert row["p_signflip"] < 0.01


def test_each_arm_has_its_row_and_a_missing_document_is_counted():
    diffs = np.array([0.1, -0.1, 0.2, np.nan])
    table = document_tests(pd.concat([documents(diffs), documents(diffs[:3], arm="control")]))
    assert table[["arm", "n", "n_missing"]].to_numpy().tolist() == [["values", 3, 1], ["control", 3, 0]]


@pytest.mark.parametrize("diffs", [np.zeros(5), np.array([0.1])])
def test_what_cannot_be_tested_has_a_reason(diffs):
    (row,) = document_tests(documents(diffs)).to_dict("records")
    assert np.isnan(row["p"])
    assert row["reason"]


def test_no_documents_are_an_empty_table():
    assert list(document_tests(documents(np.zeros(0))).columns) == list(DOCUMENT_COLUMNS)
