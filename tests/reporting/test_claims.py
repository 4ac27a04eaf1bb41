"""Sign, size and significance decide the words."""

import dataclasses
import math
import re

import pytest

from tasks.reporting.findings import claims
from tasks.reporting.findings.comparison import Found
from tasks.reporting.findings.main import headline
from tests.support.contrast_rows import GAIN, LOSS, UNCLEAR, UNTESTED, effects, row

TOXIC = {"metric": "TOXICITY", "role": "secondary", "family": "secondary", "k": 3}
UNHEARD = {"metric": "unheard_of", "role": "exploratory", "family": "exploratory"}
OVER_SEEDS = {"estimand": "the dataset, prompts like these", "seeds": 3}
LESS_TOXIC = TOXIC | LOSS | {"role": "primary", "family": "confirmatory"}


@pytest.mark.parametrize(
    ("changes", "found", "better"),
    [(GAIN, Found.HIGHER, 1), (LOSS, Found.LOWER, -1), (UNCLEAR, Found.UNCLEAR, 0), (UNTESTED, Found.UNTESTED, 0),
     ({"p_corr": 0.2}, Found.UNCLEAR, 0), ({**TOXIC, **LOSS}, Found.LOWER, 1), ({**TOXIC, **GAIN}, Found.HIGHER, -1),
     (UNHEARD, Found.HIGHER, 0)],
)  # fmt: skip
def test_a_test_is_read_by_its_corrected_p_and_the_metrics_direction(changes, found, better):
    (effect,) = effects(row(**changes))
    assert effect.found is found
    assert effect.better == better


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (LOSS, "leaned less towards the desired answers than the control model: −0.200"),
        (UNCLEAR, "No difference in likelihood adherence was found"),
        (UNCLEAR, "not evidence of no difference: anything from −0.050 to 0.090 fits"),
        ({"p": 0.03, "p_corr": 0.06}, "No difference"),  # though its interval leaves out zero
        ({"p": 0.03, "p_corr": 0.06}, "does not hold once it is corrected"),
        (UNTESTED, "model could not be tested: no scores of control at this model."),
        (UNTESTED | {"reason": "every difference is zero"}, "could not be tested: every difference is zero"),
        (TOXIC | LOSS, "wrote less toxic text than the control model: −0.200 on the 0-1 scale"),
        (TOXIC | LOSS, "values model did better on 32 of 40 prompts (95% interval 64% to 91%, sign test p = 0.001,"),
        (TOXIC | LOSS, "Judged by the first words, the values model wrote less"),
        (TOXIC | UNCLEAR, "Judged by the first words, a difference in toxicity between the values and the control"),
        ({"higher_lo": math.nan, "higher_hi": math.nan, "p_sign": math.nan}, "31 of 40 prompts (each over all seeds;"),
        ({"higher": 30}, "on 30 of 39 prompts and alike on 1 ("),
        (UNHEARD, "scored higher in unheard of"),
        (UNHEARD, "Benjamini-Hochberg"),
    ],
)
def test_sign_size_and_test_decide_the_sentence(changes, words):
    (effect,) = effects(row(**changes))
    text = claims.sentence(effect)
    assert words in text
    assert "equal" not in text
    assert "better than" not in text
    assert changes is not UNHEARD or "better" not in text


def test_a_gain_is_told_with_size_interval_test_and_pairs():
    assert claims.sentence(*effects(row())) == (
        "The values model leaned further towards the desired answers than the control model: +0.200 nats per token "
        "(95% interval 0.100 to 0.300; p = 0.002 after Holm correction for 2 tests). The values model did better on 31 "
        "of 40 prompts (95% interval 62% to 89%, sign test p = 0.001, not corrected)."
    )


def test_one_seed_speaks_of_checkpoints_and_three_of_the_dataset():
    one = effects(row())
    three = effects(row(estimand="the dataset, prompts like these", seeds=3))
    assert claims.about(one).startswith("A claim about these checkpoints")
    assert claims.about(three) == "A claim about the dataset, on prompts like these."
    assert claims.about(one + three).startswith("A claim about these checkpoints")


def ladder(*kinds, contrast="values - control"):
    names = ("small", "middle", "large")
    return effects(*[row(model=name, contrast=contrast, **kind) for name, kind in zip(names, kinds, strict=False)])


def test_a_mixed_ladder_names_every_size_with_what_was_found_there():
    text = claims.summary(ladder(GAIN, UNCLEAR, UNTESTED))
    assert "at 1 of 3 sizes: small +0.200 (0.100 to 0.300; p = 0.002);" in text
    assert "no difference in likelihood adherence was found" in text
    assert "which does not show that there is none: middle +0.020 (−0.050 to 0.090; p = 0.900)" in text
    assert "Differences are nats per token, with 95% intervals and p after Holm correction for 2 tests." in text
    assert "could not be tested against the control models at large (no scores" in text
    assert "equivalent" not in text + claims.summary(ladder(LOSS, GAIN))


def test_counts_of_pairs_name_their_size_and_leave_out_what_was_not_tested():
    found = ladder(LOSS, UNTESTED, GAIN)
    assert claims.summary(found).endswith(
        " The values models did better on 8 of 40 prompts (95% interval 9% to 36%, sign test p = 0.001, not corrected) "
        "at small and 31 of 40 prompts (95% interval 62% to 89%, sign test p = 0.001, not corrected) at large."
    )
    why = "no scores of control at this model"
    assert claims.summary(ladder(UNTESTED, UNTESTED)) == (
        f"The values models could not be tested against the control models at small ({why}) and middle ({why})."
    )


def test_an_untested_side_of_the_headline_is_never_no_difference_found():
    for base in ((UNTESTED,), (UNTESTED, UNTESTED)):
        text = headline(ladder(*[GAIN] * len(base)), ladder(*base, contrast="values - base"))
        assert "No difference" not in text
        assert "No improvement" not in text


def test_a_difference_of_unknown_direction_is_not_told_as_not_shown():
    (effect,) = effects(row(metric="warmth", role="secondary", family="secondary"))
    assert claims.answer("?", [[effect]]).short == "Differs at 1 of 1 size"


def test_a_confidence_level_keeps_its_digits():
    (effect,) = effects(row())
    described = [dataclasses.replace(effect, confidence=level).described for level in (0.995, 1 - (1 - 0.95))]
    assert "(99.5% interval 0.100 to 0.300;" in described[0]
    assert "(95% interval 0.100 to 0.300;" in described[1]


@pytest.mark.parametrize(
    ("kinds", "short", "tone"),
    [((GAIN,), "Yes", "good"), ((LOSS,), "No: worse", "bad"), ((UNCLEAR,), "Not shown", "open"),
     ((UNTESTED,), "Not tested", "open"), ((GAIN, GAIN), "Yes, at both sizes", "good"),
     ((GAIN, UNCLEAR, GAIN), "At 2 of 3 sizes", "open"), ((LOSS, UNCLEAR), "No: worse at 1 of 2 sizes", "bad"),
     ((GAIN, LOSS, UNCLEAR), "Better at 1, worse at 1 of 3 sizes", "open")],
)  # fmt: skip
def test_the_short_answer(kinds, short, tone):
    found = claims.answer("?", [ladder(*kinds)])
    assert (found.short, found.tone) == (short, tone)


@pytest.mark.parametrize(
    ("control", "base", "words"),
    [
        ((GAIN,), (GAIN,), "leaned further towards the desired answers than both the control and the base model."),
        ((GAIN, GAIN), (GAIN, GAIN), "than both the control and the base models, at both sizes."),
        (
            (UNCLEAR,),
            (UNCLEAR,),
            "Among these checkpoints, no improvement was found: the values model was not shown to do better than",
        ),
        ((UNCLEAR,), (GAIN,), "may come from fine-tuning as such, not from the values"),
        ((GAIN,), (UNCLEAR,), "Among these checkpoints, the values model did better than control; no difference"),
        ((LOSS,), (LOSS,), "the values model did worse than control; the values model did worse than base."),
        ((UNTESTED,), (UNTESTED,), "could not be tested"),
        ((GAIN,), (UNTESTED,), "did better than control; the values model could not be tested against the base"),
        (
            (UNTESTED,),
            (UNCLEAR,),
            "could not be tested against the control model; no difference between the values and the base",
        ),
        ((UNTESTED,), (GAIN,), "tested against the control model; the values model did better than base."),
        (
            (UNCLEAR, UNTESTED),
            (UNCLEAR, UNCLEAR),
            "found at 1 of 2 sizes, and the values models could not be tested against the control models at 1 of 2",
        ),
        (
            (GAIN, LOSS),
            (UNCLEAR, UNCLEAR),
            "better than control at 1 of 2 sizes and worse than control at 1 of 2 sizes",
        ),
        ((), (), "no scores that answer"),
        ((LESS_TOXIC,), (LESS_TOXIC,), "the values model wrote less toxic text than both"),
        ((OVER_SEEDS,), (OVER_SEEDS,), "Over 3 training seeds, the values model leaned further"),
        ((OVER_SEEDS,), (GAIN,), "Among these checkpoints, the values model leaned further"),
    ],
)
def test_the_headline_says_plainly_what_came_out(control, base, words):
    text = headline(ladder(*control), ladder(*base, contrast="values - base"))
    assert words in text


def variant(way, **changes):
    """A row of the whole text's toxicity against base: more, less or not shown."""
    return row(metric="TOXICITY (whole)", role="variant", family="variants", m=4, contrast="values - base",
               **{1: GAIN, -1: LOSS, 0: UNCLEAR}[way] | changes)  # fmt: skip


@pytest.mark.parametrize(
    ("planned", "whole", "short", "tone"),
    [
        (UNCLEAR, 0, "Not shown", "open"),
        (UNCLEAR, 1, "No: worse than base, judged by the whole text", "bad"),
        (UNCLEAR, -1, "Better than base only if judged by the whole text", "open"),
        (LOSS, 0, "Yes, in both comparisons", "good"),
        (LOSS, -1, "Yes, in both comparisons", "good"),
        (LOSS, 1, "Better judged by the first words, worse by the whole text", "open"),
        (GAIN, 1, "No: worse than control and base, judged by the first words and the whole text", "bad"),
        (UNTESTED, 1, "No: worse than base, judged by the whole text", "bad"),
    ],
)
def test_another_reading_of_the_text_that_came_out_apart_stands_in_the_box_and_among_the_doubts(
    planned, whole, short, tone
):
    contrasts = [effects(row(**TOXIC | {"contrast": f"values - {b}"} | planned)) for b in ("control", "base")]
    variants = effects(variant(whole))
    found = claims.with_variants(claims.answer("?", contrasts), contrasts, variants)
    assert (found.short, found.tone) == (short, tone)
    assert ("Judged by the whole text, the values model wrote" in found.second) == bool(whole)
    assert "No difference" not in found.text + found.second
    assert [caveat.name for caveat in claims.caveats(variants)] == ["variant_moved"] * bool(whole)


@pytest.mark.parametrize(("rest", "doubted"), [(GAIN, False), (UNCLEAR, True), (LOSS, True), (UNTESTED, True)])
def test_a_difference_that_the_answers_own_fluency_makes_is_doubted(rest, doubted):
    main, free = effects(row()), effects(row(metric="adherence_free", role="part", family="parts"))
    left = effects(row(metric="adherence_less_free", role="part", family="parts", **rest))
    assert bool(claims.fluency_only(main, left)) == doubted
    assert not claims.fluency_only(effects(row(**UNCLEAR)), left)  # nothing was found that could be doubted
    text = claims.parts(free, left)
    assert "by how fluent the answers are by themselves, the difference is +0.200 nats per token (95% interval" in text
    assert ("; not shown, p = 0.900 after Holm" in text) == (rest is UNCLEAR)
    assert claims.parts([], left) == ""


CONTROL = {"role": "negative-control", "contrast": "control - base", "family": "negative control", "m": 5}
WITHOUT = "no complete prompt in health: the mean is of the other 7 categories"


@pytest.mark.parametrize(
    ("changes", "doubts"),
    [
        (CONTROL | UNCLEAR, []),
        (CONTROL, ["moved: control against base, likelihood adherence +0.200 at small (p = 0.002 after Holm"]),
        ({"p_signflip": 0.2, "n_missing": 3}, ["Two tests disagree", "lacks scores of 3 prompts at small"]),
        ({"note": WITHOUT}, [f"Likelihood adherence, values against control: {WITHOUT} (at small)."]),
    ],
)
def test_a_control_that_moved_tests_that_disagree_and_what_is_missing_are_flagged(changes, doubts):
    found = claims.caveats(effects(row(**changes)))
    assert [doubt in caveat.text for doubt, caveat in zip(doubts, found, strict=True)] == [True] * len(doubts)


def test_a_ladder_without_effect_says_so(unchanged):
    _, page = unchanged
    assert "no improvement was found" in page
    assert "equivalent" not in re.sub(r'<section id="capability".*?</section>', "", page, flags=re.DOTALL)
