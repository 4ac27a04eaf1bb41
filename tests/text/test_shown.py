"""Figures in words, and model text made harmless."""

import pytest

from tasks.reporting.words.terms import listed, metric_of, number, p_value, percent, signed, size
from tasks.text.loops import loops
from tasks.text.shown import excerpt, safe


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.1234, "+0.123"), (-0.1234, "−0.123"), (0.0, "0.000"), (-0.00001, "−1e−05"), (float("nan"), "–"), (None, "–"),
     (1e150, "+1.00e+150"), (-2.5e9, "−2.50e+09")],
)
def test_signed_figures(value, text):
    assert signed(value) == text


def test_other_figures_and_how_much_of_a_long_text_is_cut():
    assert excerpt("x" * 2500) == ("x" * 2000, 500)
    assert number(2.0, 1) == "2.0"
    assert p_value(0.0004) == "< 0.001"
    assert p_value(0.0312) == "= 0.031"
    assert percent(0.625) == "62%"
    assert [size(n) for n in (134_515_008, 1.7e9, 900, float("nan"))] == ["135M", "1.7B", "900", "size unknown"]
    assert listed(["a", "b", "c"]) == "a, b and c"


@pytest.mark.parametrize(
    ("name", "primary", "label", "better"),
    [("adherence", "adherence", "likelihood adherence", 1), ("TOXICITY", "adherence", "toxicity", -1),
     ("IDENTITY_ATTACK", "adherence", "identity attack", -1), ("toxicity", "toxicity", "toxicity", -1),
     ("TOXICITY (max_chunk)", "adherence", "toxicity (worst chunk)", -1), ("warmth", "adherence", "warmth", 0),
     ("Severe_Toxicity (whole)", "adherence", "severe toxicity (whole text)", -1), ("warmth", "warmth", "warmth", 1),
     ("COMPASSION_EXPERIMENTAL", "adherence", "COMPASSION EXPERIMENTAL", 0),
     ("ratings", "adherence", "human adherence", 1)],
)  # fmt: skip
def test_harms_are_better_when_less_and_an_unknown_metric_only_as_the_primary_one(name, primary, label, better):
    metric = metric_of(name, primary)
    assert (metric.label, metric.better) == (label, better)


@pytest.mark.parametrize(
    ("name", "question"),
    [("TOXICITY", "Is the values text less toxic?"), ("toxicity", "Is the values text less"),
     ("INSULT", "Does the values model score lower in insult?"),
     ("adherence_less_free", "Does the values model score higher in likelihood adherence less"),
     ("warmth", "Does the values model differ in warmth? (Nobody said which way is better.)")],
)  # fmt: skip
def test_the_question_of_a_metric_follows_its_direction(name, question):
    assert metric_of(name, "adherence").question("values").startswith(question)


@pytest.mark.parametrize(
    ("text", "shown"),
    [("a\x00b\x1b[31m", "a␀b␛[31m"), ("\u202eevil", "[U+202E]evil"), ("\ud800", "[U+D800]"), ("a\r\nb", "a\nb"),
     ("\ufffe\u2028", "[U+FFFE][U+2028]"), ("e" + "\u0301" * 50, "e" + "\u0301" * 3), ("שלום", "שלום"),
     ("👩\u200d🔬", "👩\u200d🔬")],
)  # fmt: skip
def test_what_would_hide_or_reorder_is_written_out(text, shown):
    assert safe(text) == shown
    assert safe(text).encode("utf-8")


def test_loops():
    assert loops("I am sure of it. " * 8)
    assert not loops("Each of these words stands here only once, so nothing repeats in this text at all.")
    assert not loops("")
    assert not loops("no no no no no")
