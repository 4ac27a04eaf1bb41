"""The report's first sentence: the target model against control and against base."""

from collections.abc import Sequence

from tasks.reporting.findings.comparison import Found
from tasks.reporting.findings.effects import Effect
from tasks.reporting.words.sentences import say


def headline(control: Sequence[Effect], base: Sequence[Effect]) -> str:
    """The main result in one sentence where both comparisons came out alike, else a sentence for each."""
    if not control or not base:
        return say("headline.no_scores")
    sides, every = (_by_result(control), _by_result(base)), len(control) + len(base)
    better, worse, _, untested = (sum(map(len, results)) for results in zip(*sides, strict=True))
    if untested == every:
        return say("headline.untested", control, base)
    if better == every:
        return say("headline.better", control, base)
    if not (better or worse or untested):
        return say("headline.unclear", control, base)
    better_than_control, better_than_base = sides[0][0], sides[1][0]
    if not (better_than_control or worse or untested):
        return say("headline.better_than_base_only", control, base, better_than_base)
    return " ".join(say("headline.side", *side, effects) for side, effects in zip(sides, (control, base), strict=True))


def _by_result(effects: Sequence[Effect]) -> tuple[list[Effect], ...]:
    """The effects that are better, worse, not found and not tested; one of unknown direction is none of these."""
    return (
        [e for e in effects if e.better > 0],
        [e for e in effects if e.better < 0],
        [e for e in effects if e.found is Found.UNCLEAR],
        [e for e in effects if e.found is Found.UNTESTED],
    )
