import pytest

from tests.simulations import check
from tests.simulations.references import Figure


@pytest.mark.parametrize("title", check.checks(quick=True))
def test_every_figure_holds_in_the_quick_form(title):
    figures = list(check.checks(quick=True)[title]())
    assert figures
    assert not [figure for figure in figures if not figure.holds]


def test_the_quick_form_repeats_less():
    for run, full, quick in check.SIMULATIONS.values():
        assert all(few < many for few, many in zip(quick, full, strict=True)), run


def test_a_figure_outside_its_bound_is_a_failure(monkeypatch, capsys):
    monkeypatch.setattr(check, "checks", lambda **_: {
        "one": lambda: iter([Figure("fine", 0.05, 0, 0.06), Figure("off", 0.07, 0, 0.06)]),
        "two": lambda: iter([Figure("undefined", float("nan"), 0, 1)])})
    assert check.main(["--quick", "--jobs", "1"]) == 1
    printed = capsys.readouterr().out
    assert "1 of 3 figures hold" in printed
    assert printed.count("OUTSIDE") == 2
