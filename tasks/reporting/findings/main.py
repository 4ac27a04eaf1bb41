"""What the tests found, put together for the page's first screen and for the lines a sweep ends with."""

from collections.abc import Sequence
from dataclasses import dataclass

from tasks.reporting.data.study import Study
from tasks.reporting.findings import capability
from tasks.reporting.findings.claims import Answer, about, answer, caveats, sentence
from tasks.reporting.findings.comparison import Found
from tasks.reporting.findings.effects import Effect, chosen, effects_of
from tasks.reporting.findings.verdicts import UNSAID, Verdict, better_than, grows, no_loss
from tasks.reporting.words.sentences import say


@dataclass(frozen=True)
class Findings:
    """The headline, the reader's questions answered, the published claims judged, and every effect behind them."""

    effects: Sequence[Effect]
    headline: str
    answers: Sequence[Answer]
    details: Sequence[str]  # a sentence for each confirmatory test
    verdicts: Sequence[Verdict]
    caveats: Sequence[str]
    lines: Sequence[str]  # adherence, toxicity, other abilities, and what they are claims about
    dataset_claim: bool  # whether target against control is a claim about the dataset


def findings(study: Study) -> Findings:
    """Reads the tables of tests and finds the words."""
    config, (base, control, target) = study.config, study.trio
    effects = effects_of(study.tables["contrasts"], config.primary, config.confidence)
    pairs = ((target, control), (target, base), (control, base))
    against_control, against_base, neutral = (chosen(effects, config.primary, *pair) for pair in pairs)
    *toxic, neutral_toxic = (chosen(effects, config.secondary, *pair) for pair in pairs)
    main = [*against_control, *against_base]
    dataset_claim = bool(against_control) and all(effect.dataset_claim for effect in against_control)
    question = "more_than_neutral_text" if dataset_claim else "better_than_neutral_text"
    answers = [
        answer(say(f"answers.{question}", target), [against_control]),
        answer(say("answers.better_than_base", target), [against_base]),
    ]
    lines = [say("lines.metric", config.primary, [against_control, against_base], [])]
    if all(toxic):
        answers.append(answer(toxic[0][0].metric.question(target), toxic))
        lines.append(say("lines.metric", config.secondary, toxic, list(study.toxicity["scorer"].unique())))
    tasks = study.tables["capability"]
    if len(own := tasks[tasks["dataset"] == target]):
        answers.append(capability.answer(tasks, target))
        lines.append(say("lines.capability", answers[-1], capability.brief(own)))
    verdicts = [
        better_than(against_control, target, control),
        better_than(against_base, target, base),
        better_than(neutral, control, base),
        *grows(study.tables["trend"], main, config.primary, config.confidence),
        no_loss(tasks, target),
    ]
    lines.append(say("lines.about", about(main), [v.claim for v in verdicts if v.status == UNSAID]))
    return Findings(
        effects=effects,
        headline=headline(against_control, against_base),
        answers=answers,
        details=[sentence(effect, where=True) for effect in main],
        verdicts=verdicts,
        caveats=caveats([*main, *neutral, *neutral_toxic, *toxic[0], *toxic[1]]),
        lines=lines,
        dataset_claim=dataset_claim,
    )


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
