"""The published claims: supported, not supported, or not to be said."""

import pandas as pd
import pytest

from tasks.reporting.findings.verdicts import NOT_SUPPORTED, SUPPORTED, UNSAID, better_than, grows, no_loss
from tests.support.contrast_rows import GAIN, LOSS, UNCLEAR, UNTESTED, effects, row, slopes, task


@pytest.mark.parametrize(
    ("kinds", "status", "tone"),
    [((GAIN,), SUPPORTED, "good"), ((GAIN, GAIN, GAIN), SUPPORTED, "good"), ((UNCLEAR,), NOT_SUPPORTED, "open"),
     ((LOSS,), NOT_SUPPORTED, "bad"), ((GAIN, UNCLEAR), NOT_SUPPORTED, "open"), ((GAIN, LOSS), NOT_SUPPORTED, "bad"),
     ((UNTESTED,), UNSAID, "open"), ((), UNSAID, "open")],
)  # fmt: skip
def test_support_takes_every_size_and_only_a_finding_to_the_contrary_looks_bad(kinds, status, tone):
    found = effects(*[row(model=f"r{i}", **kind) for i, kind in enumerate(kinds)]) if kinds else []
    verdict = better_than(found, "values", "control")
    assert (verdict.status, verdict.tone) == (status, tone)
    assert verdict.why.startswith("Only at 1 of 2 sizes.") == (len(kinds) == 2)


def test_a_claim_is_supported_with_its_doubts():
    doubted = better_than(effects(row()), "values", "control", doubts=("But no more than fluency.",))
    assert (doubted.status, doubted.tone, doubted.doubt) == (SUPPORTED, "open", "But no more than fluency.")
    assert not better_than(effects(row(**UNCLEAR)), "values", "control", doubts=("But no more than fluency.",)).doubt


def test_a_negative_control_that_did_worse_is_no_finding_against_the_claim():
    moved = effects(row(role="negative-control", contrast="control - base", family="negative control", **LOSS))
    verdict = better_than(moved, "control", "base")
    assert (verdict.status, verdict.tone) == (NOT_SUPPORTED, "open")


def at_largest(**changes):
    """Both contrasts at the largest model."""
    contrasts = ("values - control", "values - base")
    return effects(*[row(model="large", contrast=contrast, **changes) for contrast in contrasts])


BETTER = at_largest()


@pytest.mark.parametrize(("seeds", "subject"), [(3, "the dataset at"), (2, "these checkpoints at")])
def test_two_seeds_make_no_claim_about_the_dataset(seeds, subject):
    table = slopes()
    table.loc[0, "seeds"] = seeds
    (found,) = grows(table, BETTER, "adherence", 0.95)
    assert found.about.startswith(f"A claim about {subject} these model sizes")


@pytest.mark.parametrize(
    ("largest", "why"),
    [
        (LOSS, "The disadvantage of values against control shrinks; it is still there at large, the largest model."),
        (UNCLEAR, "No advantage of values against control was found at large, the largest model."),
        (UNTESTED, "No advantage of values against control was found at large"),
    ],
)
def test_an_effect_that_is_not_there_at_the_largest_model_does_not_grow(largest, why):
    (found,) = grows(slopes(), at_largest(**largest), "adherence", 0.95)
    assert (found.status, found.tone) == (NOT_SUPPORTED, "open")
    assert found.why.startswith(why)


def test_an_effect_towards_less_toxicity_grows_downwards():
    toxic = at_largest(metric="TOXICITY", **LOSS)
    (found,) = grows(slopes(metric="TOXICITY", estimate=-0.1), toxic, "TOXICITY", 0.95)
    assert found.status == SUPPORTED
    (found,) = grows(slopes(metric="TOXICITY"), toxic, "TOXICITY", 0.95)
    assert found.tone == "bad"


def test_the_contrast_with_the_fewest_sizes_decides_whether_there_is_a_trend():
    table = slopes()
    table.loc[table["contrast"] == "values - control", "n_models"] = 2
    (found,) = grows(table, BETTER, "adherence", 0.95)
    assert found.status == UNSAID
    assert found.why.startswith("Two sizes give a difference, never a trend (values against control).")
    assert "values against base +0.100 nats per token (corrected p = 0.004)" in found.why
    assert found.why.count("from smaller to larger") == 1


@pytest.mark.parametrize(
    ("changes", "status", "tone", "why"),
    [
        ({"n_models": 1}, UNSAID, "open", "One model size cannot show a trend."),
        ({"n_models": 2}, UNSAID, "open", "Two sizes give a difference, never a trend."),
        ({"descriptive": True, "p": float("nan"), "p_corr": float("nan")}, UNSAID, "open", "is not tested"),
        ({"p": float("nan"), "reason": "every difference is zero"}, UNSAID, "open", "could not be tested"),
        ({}, SUPPORTED, "good", "per tenfold of parameters"),
        ({"estimate": -0.1}, NOT_SUPPORTED, "bad", "−0.100"),
        ({"p_corr": 0.4}, NOT_SUPPORTED, "open", "corrected p = 0.400"),
        ({"p_corr": [0.004, 0.5, 0.004, 0.5]}, NOT_SUPPORTED, "open", "can be made by the scale"),  # one scale only
    ],
)
def test_growth_with_size_takes_three_sizes_several_seeds_and_both_scales(changes, status, tone, why):
    (verdict,) = grows(slopes().assign(**changes), BETTER, "adherence", 0.95)
    assert (verdict.status, verdict.tone) == (status, tone)
    assert why in verdict.why


def test_model_families_are_judged_apart_and_no_table_says_nothing():
    both = pd.concat([slopes(), slopes(model_family="other", n_models=1)])
    assert [found.status for found in grows(both, BETTER, "adherence", 0.95)] == [UNSAID, SUPPORTED]
    assert grows(slopes(), BETTER, "ratings", 0.95)[0].status == UNSAID


@pytest.mark.parametrize(
    ("verdicts", "status"),
    [(["no loss", "loss within margin"], SUPPORTED), (["no loss", "loss"], NOT_SUPPORTED),
     (["no loss", "uninformative"], UNSAID), (["inconclusive"], UNSAID)],
)  # fmt: skip
def test_no_loss_comes_from_the_non_inferiority_verdicts(verdicts, status):
    found = no_loss(capability(*verdicts), "values")
    assert found.status == status
    assert found.contrary == (status == NOT_SUPPORTED)
    assert found.why.startswith("Values at small: by task")


@pytest.mark.parametrize(
    ("of_tasks", "of_set", "status"),
    [("inconclusive", "no loss", SUPPORTED), ("no loss", "inconclusive", UNSAID), ("no loss", "loss", NOT_SUPPORTED),
     ("loss", "no loss", NOT_SUPPORTED)],
)  # fmt: skip
def test_all_items_of_a_set_decide_but_a_loss_anywhere_is_a_loss(of_tasks, of_set, status):
    table = capability(of_tasks).assign(endpoint=False)
    whole = table.assign(task="offline", whole_set=True, endpoint=True, verdict=of_set)
    found = no_loss(pd.concat([table, whole]), "values")
    assert found.status == status
    assert "all 64 items of the set offline together: −3.0 points (90% interval −6.0 to −1.0; margin" in found.why


def test_a_loss_against_control_alone_is_a_loss():
    against = {"against": "control", "against_arm": "control"}
    table = pd.concat([capability("no loss"), capability("loss").assign(**against)])
    assert no_loss(table, "values").status == NOT_SUPPORTED


def capability(*verdicts):
    """A task for each verdict, without a set."""
    lost = {"diff": -0.03, "ci90_lo": -0.06, "ci90_hi": -0.01}
    return pd.DataFrame([task(verdict, task=f"t{i}", endpoint=True, **lost) for i, verdict in enumerate(verdicts)])


def test_no_capability_measured_is_not_no_loss():
    verdict = no_loss(capability("loss").iloc[:0], "values")
    assert verdict.status == UNSAID
    assert "No capability task was measured" in verdict.why
