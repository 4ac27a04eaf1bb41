import pytest

from tests.simulations import check, simulations, text_simulations
from tests.simulations.degenerate import degenerate
from tests.simulations.references import Figure, references

SIMULATIONS = {"family_wise", "coverage", "seed_spread", "model_shocks", "losses", "independent_ratings", "permutation",
               "no_change", "equal_chunks"}


@pytest.mark.parametrize("figure", list(references()), ids=lambda figure: figure.name)
def test_reference_values(figure):
    assert figure.holds, figure


@pytest.mark.parametrize("figures", [
    lambda: simulations.family_wise(1500), lambda: simulations.coverage(2000, 800),
    lambda: simulations.seed_spread(2000), lambda: simulations.model_shocks(2000),
    lambda: simulations.independent_ratings(200), lambda: text_simulations.equal_chunks(4000),
    lambda: text_simulations.no_change(2, 40), lambda: text_simulations.permutation(150),
    lambda: simulations.losses(500),
])
def test_simulations_in_short(figures):
    for figure in figures():
        assert figure.holds, figure


def test_a_figure_outside_its_bound_is_a_failure(monkeypatch, capsys):
    monkeypatch.setattr(check, "checks", lambda _quick: {
        "one": lambda: iter([Figure("fine", 0.05, 0, 0.06), Figure("off", 0.07, 0, 0.06)]),
        "two": lambda: iter([Figure("undefined", float("nan"), 0, 1)])})
    assert check.main(["--quick"]) == 1
    printed = capsys.readouterr().out
    assert "1 of 3 figures hold" in printed
    assert printed.count("OUTSIDE") == 2


def test_the_quick_form_checks_the_same_by_fewer_repetitions(monkeypatch):
    """Every simulation is run in both forms, never more often in the quick one."""
    asked = {True: {}, False: {}}
    for quick, calls in asked.items():
        for module in (simulations, text_simulations):
            for name in SIMULATIONS & vars(module).keys():
                def kept(*reps, name=name, calls=calls):
                    return iter([calls.update({name: reps})])

                monkeypatch.setattr(module, name, kept)
        for run in check.checks(quick).values():
            if run not in (references, degenerate):
                list(run())
    assert asked[True].keys() == asked[False].keys() == SIMULATIONS
    for name, quick in asked[True].items():
        assert all(few < many for few, many in zip(quick, asked[False][name], strict=True)), name


@pytest.mark.parametrize("figure", list(degenerate()), ids=lambda figure: figure.name)
def test_degenerate_input(figure):
    assert figure.holds, figure
