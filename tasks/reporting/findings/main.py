"""What the tests found, put together for the page's first screen and for the lines a sweep ends with."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from tasks.formats.checkpoints import BASE
from tasks.reporting.findings import capability
from tasks.reporting.findings.claims import (
    Answer,
    Caveat,
    about,
    answer,
    caveats,
    fluency_only,
    of_raters,
    parts,
    sentence,
    with_variants,
)
from tasks.reporting.findings.comparison import Found
from tasks.reporting.findings.effects import ALL, Effect, chosen, effects_of
from tasks.reporting.findings.verdicts import UNSAID, Verdict, better_than, grows, no_loss
from tasks.reporting.words.sentences import say
from tasks.settings.significance import Significance


@dataclass(frozen=True)
class Findings:
    """The headline, the reader's questions answered, the published claims judged, and every effect behind them."""

    effects: Sequence[Effect]
    headline: str
    answers: Sequence[Answer]
    details: Sequence[str]  # a sentence for each confirmatory test
    about: str  # what these are claims about
    verdicts: Sequence[Verdict]
    caveats: Sequence[Caveat]
    lines: Sequence[str]  # adherence, toxicity, other abilities, and what they are claims about
    dataset_claim: bool  # whether target against control is a claim about the dataset
    gained: bool  # whether target was found better than control at every size
    headline_better: bool  # whether the headline says that target did better than control or base at some size
    headline_worse: bool


def findings(tables: Mapping[str, pd.DataFrame], config: Significance, scorers: Sequence[str] = ()) -> Findings:
    """Reads the tables of tests (`contrasts`, `trend`, `capability`) and finds the words; `scorers` of toxicity are
    named in the lines."""
    control, target, tasks = config.control, config.target, tables["capability"]
    effects = effects_of(tables["contrasts"], config.primary, config.confidence)
    against_control, against_base = (chosen(effects, config.primary, target, b) for b in (control, BASE))
    main, neutral = [*against_control, *against_base], chosen(effects, config.primary, control, BASE)
    dataset_claim = bool(against_control) and all(effect.dataset_claim for effect in against_control)
    question = "more_than_neutral_text" if dataset_claim else "better_than_neutral_text"
    free, rest = ([chosen(effects, f"{config.primary}_{part}", target, b) for b in (control, BASE)]
                  for part in ("free", "less_free"))  # fmt: skip
    answers = [
        answer(say(f"answers.{question}", target), [against_control], name="control", second=parts(free[0], rest[0])),
        answer(say("answers.better_than_base", target), [against_base], name="base", second=parts(free[1], rest[1])),
    ]
    lines = [say("lines.metric", config.primary, [against_control, against_base], [], [])]
    toxic = [chosen(effects, config.secondary, target, b) for b in (control, BASE)]
    variants = [effect for effect in effects if effect.role == "variant" and effect.category == ALL]
    if all(toxic):
        planned = answer(toxic[0][0].metric.question(target), toxic, name="toxicity")
        answers.append(with_variants(planned, toxic, variants))
        moved = [effect for effect in variants if effect.sign]
        lines.append(say("lines.metric", config.secondary, toxic, list(scorers), moved))
    if len(own := tasks[tasks["dataset"] == target]):
        answers.append(capability.answer(tasks, target, control))
        lines.append(say("lines.capability", answers[-1], capability.brief(own[own["against"] == BASE])))
    verdicts = [
        better_than(against_control, target, control, name="target-control"),
        better_than(against_base, target, BASE, name="target-base"),
        better_than(neutral, control, BASE, name="control-base"),
        *grows(tables["trend"], main, config.primary, config.confidence),
        no_loss(tasks, target),
    ]
    lines.append(say("lines.about", about(main), [v.claim for v in verdicts if v.status == UNSAID]))
    controls = [effect for effect in effects if effect.role == "negative-control" and effect.category == ALL]
    large = effects_of(tables["raters"], config.primary, config.confidence) if len(tables.get("raters", ())) else []
    ordinal = tables["ordinal"].to_dict("records") if "ordinal" in tables else []
    doubts = [*fluency_only(main, [*rest[0], *rest[1]]), *of_raters(main, large, ordinal)]
    doubts += [*caveats([*main, *toxic[0], *toxic[1], *variants, *controls])]
    return Findings(
        effects=effects,
        headline=headline(against_control, against_base),
        answers=answers,
        details=[sentence(effect, where=True) for effect in main],
        about=about(main),
        verdicts=verdicts,
        caveats=[*doubts, *capability.caveats(tasks)],
        lines=lines,
        dataset_claim=dataset_claim,
        gained=bool(against_control) and all(effect.better > 0 for effect in against_control),
        headline_better=any(effect.better > 0 for effect in main),
        headline_worse=any(effect.better < 0 for effect in main),
    )


def headline(control: Sequence[Effect], base: Sequence[Effect]) -> str:
    """The main result in one sentence, with what it is a claim about."""
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
    return say("headline.mixed", control, base, [*zip(sides, (control, base), strict=True)])


def _by_result(effects: Sequence[Effect]) -> tuple[list[Effect], ...]:
    """The effects that are better, worse, not found and not tested; one of unknown direction is none of these."""
    return (
        [e for e in effects if e.better > 0],
        [e for e in effects if e.better < 0],
        [e for e in effects if e.found is Found.UNCLEAR],
        [e for e in effects if e.found is Found.UNTESTED],
    )
