"""Sign, size and significance decide the words."""

import dataclasses
import math
import re

import pandas as pd
import pytest

from tasks.reporting.findings import claims
from tasks.reporting.findings.comparison import Found
from tasks.reporting.findings.follow import steps
from tasks.reporting.findings.headline import harms_of, headline
from tasks.reporting.findings.main import findings
from tests.simulations.sweeps import CONFIG, EMPTY
from tests.support.contrast_rows import GAIN, LOSS, UNCLEAR, UNTESTED, effects, row, task

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
        (TOXIC | LOSS, "wrote text scored less toxic than the control model: −0.200 on the 0-1 scale"),
        (TOXIC | LOSS, "values model did better on 32 of 40 prompts (95% interval 64% to 91%, sign test p = 0.001,"),
        (TOXIC | LOSS, "Judged by the first words, the values model wrote text scored less"),
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
        text = " ".join(headline(ladder(*[GAIN] * len(base)), ladder(*base, contrast="values - base")))
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


def test_an_answer_is_told_in_plain_words_and_its_figures_stand_apart():
    found = claims.answer("?", [effects(row())])
    assert found.text == "On 31 of 40 prompts the values model leaned further towards the desired answers than control."
    assert found.tests == (
        "Against control: +0.200 nats per token (95% interval 0.100 to 0.300; p = 0.002 after Holm correction for 2 "
        "tests); better on 31 of 40 prompts (95% interval 62% to 89%, sign test p = 0.001, not corrected)."
    )
    assert claims.answer("?", [effects(row(**UNCLEAR))]).text == "A difference from control was not shown."
    untested = claims.answer("?", [effects(row(**UNTESTED))])
    assert (untested.text, untested.tests) == (
        "It could not be tested against control: no scores of control at this model.", "",
    )  # fmt: skip
    unspoken = claims.answer("?", [effects(row(**UNTESTED | {"reason": "no scores (LANGUAGE_NOT_SUPPORTED: es)"}))])
    assert unspoken.text == "It could not be tested against control: no scores (the scorer knows no es)."
    several = claims.answer("?", [ladder(GAIN, LOSS, UNCLEAR)])
    assert several.text == (
        "The values models leaned further towards the desired answers than control at 1 of 3 sizes. The values models "
        "leaned less towards the desired answers than control at 1 of 3 sizes. A difference from control was not shown "
        "at 1 of 3 sizes."
    )
    assert several.tests.startswith("Against control: small +0.200 (0.100 to 0.300; p = 0.002), middle")
    assert several.tests.endswith("; nats per token, 95% intervals, p after Holm correction for 2 tests.")
    worse = claims.answer("?", [effects(row(**LOSS))])
    assert worse.text.startswith("On 32 of 40 prompts the values model leaned less")
    for answer in (found, several, worse):
        assert not [word for word in ("nats", "Holm", "margin", "p =") if word in answer.text]


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
        ((LESS_TOXIC,), (LESS_TOXIC,), "the values model wrote text scored less toxic than both"),
        ((OVER_SEEDS,), (OVER_SEEDS,), "Over 3 training seeds, the values model leaned further"),
        ((OVER_SEEDS,), (GAIN,), "Among these checkpoints, the values model leaned further"),
    ],
)
def test_the_headline_says_plainly_what_came_out(control, base, words):
    (text,) = headline(ladder(*control), ladder(*base, contrast="values - base"))
    assert words in text


HARM = "lost right answers (−15.0 of a hundred on last word, against base) and wrote text scored more toxic than base"


def lost_and_toxic(toxic):
    """Harms of one model: a task lost, and more toxic text than base's."""
    own = pd.DataFrame([task("loss", task="palms_last_word", diff=-0.15), task()])
    return harms_of(own, effects(row(**TOXIC | GAIN | {"contrast": "values - base"} | toxic)), [])


@pytest.mark.parametrize(
    ("main", "toxic", "sentences"),
    [
        (GAIN, {}, [f"Among these checkpoints, the values model {HARM}, but it leaned further towards the desired "
                    "answers than both the control and the base model."]),
        (UNCLEAR, {}, [f"Among these checkpoints, the values model {HARM}; no improvement was found: the values model "
                       "was not shown to do better than control or base."]),
        (OVER_SEEDS, {}, [f"Among these checkpoints, the values model {HARM}.",
                          "Over 3 training seeds, the values model leaned further towards the desired answers than "
                          "both the control and the base model."]),
        (OVER_SEEDS, OVER_SEEDS, ["Among these checkpoints, the values model lost right answers (−15.0 of a hundred on "
                                  "last word, against base).",
                                  "Over 3 training seeds, the values model wrote text scored more toxic than base, but "
                                  "it leaned further towards the desired answers than both the control and the base "
                                  "model."]),
        (UNTESTED, {}, [f"Among these checkpoints, the values model {HARM}.",
                        "Whether fine-tuning on the values dataset helped could not be tested in this sweep."]),
    ],
)  # fmt: skip
def test_harm_stands_first_and_each_sentence_is_a_claim_about_one_thing(main, toxic, sentences):
    base = ladder(main, contrast="values - base")
    assert headline(ladder(main), base, lost_and_toxic(toxic)) == sentences


def test_a_primary_result_that_is_worse_stands_before_other_harm():
    worse = LOSS | OVER_SEEDS
    first, *_ = headline(ladder(worse), ladder(worse, contrast="values - base"), lost_and_toxic({}))
    assert first.startswith("Over 3 training seeds, the values model did worse than control")


@pytest.mark.parametrize(
    ("verdicts", "toxic", "harms"),
    [
        (("no loss", "inconclusive"), UNCLEAR, []),
        (("no loss", "loss within margin"), UNCLEAR,
         ["lost right answers (−1.0 of a hundred on word meaning, against base)"]),
        (("loss", "loss"), UNCLEAR, ["lost right answers in 2 comparisons (at most −1.0 of a hundred on word meaning, "
                                     "against base)"]),
        (("no loss",), GAIN, ["wrote text scored more toxic than control"]),
        (("no loss",), LOSS, []),
    ],
)  # fmt: skip
def test_only_what_a_corrected_test_found_is_a_harm(verdicts, toxic, harms):
    own = pd.DataFrame([task(verdict) for verdict in verdicts])
    assert [harm.text for harm in harms_of(own, effects(row(**TOXIC | toxic)), [])] == harms


def test_harm_in_another_reading_and_at_some_sizes_says_so():
    own = pd.DataFrame([task("loss", model=model, diff=-0.1) for model in ("small", "large")] + [task(model="huge")])
    assert harms_of(own, [], [])[0].text == (
        "lost right answers in 2 of 3 checkpoints (at most −10.0 of a hundred on word meaning, against base, values at "
        "small)"
    )
    planned = [*ladder(TOXIC | UNCLEAR, TOXIC | UNCLEAR, contrast="values - base")]
    (found,) = harms_of(own.iloc[:0], planned, effects(variant(1)))
    assert found.text == "wrote text scored more toxic than base, judged by the whole text at 1 of 2 sizes"


@pytest.mark.parametrize(
    ("main", "harmed", "first"),
    [(GAIN, True, "Do not use the values model"), (LOSS, False, "Do not use the values model"),
     (GAIN, False, "Read the texts below"), (UNCLEAR, False, "Keep base: nothing here speaks for the values dataset.")],
)  # fmt: skip
def test_what_follows_is_led_by_harm_then_gain_then_nothing(main, harmed, first):
    own = pd.DataFrame([task("inconclusive"), task()])
    variance = pd.DataFrame([{"metric": "adherence", "detectable_family": 0.05}])
    found = list(steps(ladder(main), harmed, own, variance, "adherence"))
    assert found[0].startswith(first)
    assert "Three seeds tell: `palms sweep --study seeds`." in " ".join(found)
    assert ("80 of word meaning (now 64)" in " ".join(found)) != harmed
    assert ("find a true difference of 0.050 nats per token" in found[-1]) == (main in (UNCLEAR, LOSS))
    asked, closed = (" ".join(steps(ladder(main), harmed, own, variance, "adherence", closed=c)) for c in (False, True))
    assert "palms rate" in asked
    assert "palms rate" not in closed  # nobody can be asked for more
    over = list(steps(ladder(main | OVER_SEEDS), harmed, own, variance, "rating"))
    assert not [step for step in over if "seeds" in step or "palms rate" in step]


@pytest.mark.parametrize(
    ("main", "verdict", "then"),
    [(GAIN, "no loss", "First have another scorer"), (GAIN, "loss", "First look for a recipe"),
     (LOSS, "no loss", "First look for a recipe")],
)  # fmt: skip
def test_a_recipe_is_looked_for_where_recipes_are_chosen_by_what_was_harmed(main, verdict, then):
    first = next(iter(steps(ladder(main), True, pd.DataFrame([task(verdict)]), pd.DataFrame(), "adherence")))
    assert then in first


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
    assert ("Judged by the whole text, the values model wrote" in found.text) == bool(whole)
    assert ("Against base by the whole text: " in found.tests) == bool(whole)
    assert "No difference" not in found.text + found.tests
    assert [caveat.name for caveat in claims.caveats(variants)] == ["variant_moved"] * bool(whole)


def test_a_reading_that_came_out_as_the_planned_one_is_no_doubt():
    main = [row(), row(contrast="values - base"), row(**TOXIC | UNCLEAR)]
    for planned, doubts in ((GAIN, []), (UNCLEAR, ["variant_moved"]), (LOSS, ["variant_moved"])):
        table = [*main, row(**TOXIC | {"contrast": "values - base"} | planned), variant(1)]
        found = findings(EMPTY | {"contrasts": pd.DataFrame(table)}, CONFIG)
        assert [caveat.name for caveat in found.caveats] == doubts


@pytest.mark.parametrize(("rest", "doubted"), [(GAIN, False), (UNCLEAR, True), (LOSS, True), (UNTESTED, True)])
def test_a_difference_that_the_answers_own_fluency_makes_is_doubted(rest, doubted):
    main, free = effects(row()), effects(row(metric="adherence_free", role="part", family="parts"))
    left = effects(row(metric="adherence_less_free", role="part", family="parts", **rest))
    assert bool(claims.fluency_only(main, left)) == doubted
    assert not claims.fluency_only(effects(row(**UNCLEAR)), left)  # nothing was found that could be doubted
    text = claims.parts(free, left)
    assert "any prompt, by how fluent the answers are by themselves: +0.200 nats per token (95% interval" in text
    assert ("; not shown, p = 0.900 after Holm" in text) == (rest is UNCLEAR)
    assert claims.parts([], left) == ""
    found = claims.with_parts(claims.answer("?", [main]), main, free, left)
    assert (found.short, found.tone) == (("Yes, with a doubt", "open") if doubted else ("Yes", "good"))
    assert found.tests.endswith(text)
    doubt = "But no gain was shown beyond the answers' own fluency: the model likes them more even without the question"
    assert found.doubts[:1] == (f"{doubt}.",) * doubted
    assert ("That taken off, the values model leaned less towards them than control." in found.doubts) == (rest is LOSS)


@pytest.mark.parametrize(("whole", "alike"), [(1, True), (-1, False)])
def test_readings_that_agree_are_told_together(whole, alike):
    kinds = {"control": UNCLEAR, "base": GAIN}
    contrasts = [effects(row(**TOXIC | {"contrast": f"values - {b}"} | kind)) for b, kind in kinds.items()]
    found = claims.with_variants(claims.answer("?", contrasts), contrasts, effects(variant(whole)))
    together = "Judged by the first words and the whole text, the values model wrote text scored more toxic than base."
    assert found.text.startswith(together) == alike
    assert (found.short == "No: worse than base") == alike


def test_what_the_neutral_text_did_too_stands_beside_a_worse_result():
    toxic = effects(row(**TOXIC | {"contrast": "values - base"}))
    neutral = row(**TOXIC | {"role": "negative-control", "contrast": "control - base"})
    for moved, told in (({}, True), (UNCLEAR, False), (LOSS, False)):
        found = claims.with_neutral(claims.answer("?", [toxic]), toxic, effects(neutral | moved))
        assert ("Control did worse than base, too, by the first words: fine-tuning as such may" in found.text) == told


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
