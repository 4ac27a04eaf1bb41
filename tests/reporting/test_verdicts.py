"""The published claims: supported, not supported, or not to be said."""

import pandas as pd
import pytest

from reporting.rows import GAIN, LOSS, UNCLEAR, UNTESTED, effects, row, slopes
from tasks.reporting.verdicts import NOT_SUPPORTED, SUPPORTED, UNSAID, better_than, grows, no_loss


@pytest.mark.parametrize(
    ("kinds", "status"),
    [((GAIN,), SUPPORTED), ((GAIN, GAIN, GAIN), SUPPORTED), ((UNCLEAR,), NOT_SUPPORTED), ((LOSS,), NOT_SUPPORTED),
     ((GAIN, UNCLEAR), NOT_SUPPORTED), ((UNTESTED,), UNSAID), ((), UNSAID)],
)  # fmt: skip
def test_a_comparison_is_supported_only_where_every_size_shows_it(kinds, status):
    found = effects(*[row(rung=f"r{i}", **kind) for i, kind in enumerate(kinds)]) if kinds else []
    assert better_than(found, 0.05, "values", "control").status == status


def test_a_partial_result_says_at_how_many_sizes():
    found = effects(row(rung="a"), row(rung="b", **UNCLEAR))
    assert better_than(found, 0.05, "values", "control").why.startswith("Only at 1 of 2 sizes.")


@pytest.mark.parametrize(
    ("kinds", "tone"),
    [((GAIN,), "good"), ((UNCLEAR,), "open"), ((GAIN, UNCLEAR), "open"), ((LOSS,), "bad"), ((GAIN, LOSS), "bad"),
     ((UNTESTED,), "open")],
)  # fmt: skip
def test_only_a_finding_to_the_contrary_looks_bad(kinds, tone):
    found = effects(*[row(rung=f"r{i}", **kind) for i, kind in enumerate(kinds)])
    assert better_than(found, 0.05, "values", "control").tone == tone


@pytest.mark.parametrize(
    ("changes", "tone"),
    [({}, "good"), ({"p_corr": 0.4}, "open"), ({"estimate": -0.1}, "bad"), ({"descriptive": True}, "open")],
)
def test_only_a_falling_trend_looks_bad(changes, tone):
    assert grows(slopes(**changes), "adherence", 0.05)[0].tone == tone


@pytest.mark.parametrize(
    ("changes", "status", "why"),
    [
        ({"n_rungs": 1}, UNSAID, "One model size cannot show a trend."),
        ({"n_rungs": 2}, UNSAID, "Two sizes give a difference, never a trend."),
        ({"descriptive": True, "p": float("nan"), "p_corr": float("nan")}, UNSAID, "is not tested"),
        ({"p": float("nan"), "reason": "every difference is zero"}, UNSAID, "could not be tested"),
        ({}, SUPPORTED, "per tenfold of parameters"),
        ({"estimate": -0.1}, NOT_SUPPORTED, "−0.100"),
        ({"p_corr": 0.4}, NOT_SUPPORTED, "corrected p = 0.400"),
    ],
)
def test_growth_with_size_takes_three_sizes_several_seeds_and_both_scales(changes, status, why):
    (found,) = grows(slopes(**changes), "adherence", 0.05)
    assert found.status == status
    assert why in found.why


def test_growth_on_one_scale_only_is_not_support():
    table = slopes()
    table.loc[table["scale"] == "ps", "p_corr"] = 0.5
    (found,) = grows(table, "adherence", 0.05)
    assert found.status == NOT_SUPPORTED
    assert "can be made by the scale" in found.why


def test_model_families_are_judged_apart_and_no_table_says_nothing():
    both = pd.concat([slopes(), slopes(model_family="other", n_rungs=1)])
    assert [found.status for found in grows(both, "adherence", 0.05)] == [UNSAID, SUPPORTED]
    assert grows(slopes(), "ratings", 0.05)[0].status == UNSAID


@pytest.mark.parametrize(
    ("verdicts", "status"),
    [(["no loss", "loss within margin"], SUPPORTED), (["no loss", "loss"], NOT_SUPPORTED),
     (["no loss", "uninformative"], UNSAID), (["inconclusive"], UNSAID)],
)  # fmt: skip
def test_no_loss_comes_from_the_non_inferiority_verdicts(verdicts, status):
    found = no_loss(capability(*verdicts), "values")
    assert found.status == status
    assert found.contrary == (status == NOT_SUPPORTED)
    assert "(values at small)" in found.why


@pytest.mark.parametrize(("verdict", "status"), [("inconclusive", SUPPORTED), ("loss", UNSAID)])
def test_a_set_s_row_is_no_task_but_its_loss_is_not_no_loss(verdict, status):
    table = pd.concat([capability("no loss"), capability(verdict).assign(task="offline", whole_set=True)])
    found = no_loss(table, "values")
    assert found.status == status
    assert "ruled out on 1 of 1 task" in found.why


def capability(*verdicts):
    """A task for each verdict."""
    about = {"whole_set": False, "rung": "small", "arm": "values", "dataset": "values"}
    return pd.DataFrame([{"task": f"t{i}", "verdict": verdict} | about for i, verdict in enumerate(verdicts)])


def test_no_capability_measured_is_not_no_loss():
    nothing = capability("loss").iloc[:0]
    assert no_loss(nothing, "values").status == UNSAID
    assert "No capability task was measured" in no_loss(nothing, "values").why
