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
    sentence,
    with_neutral,
    with_parts,
    with_variants,
)
from tasks.reporting.findings.effects import ALL, Effect, chosen, effects_of
from tasks.reporting.findings.follow import steps
from tasks.reporting.findings.headline import harms_of, headline
from tasks.reporting.findings.verdicts import UNSAID, Verdict, better_than, grows, no_loss
from tasks.reporting.words.sentences import say
from tasks.settings.significance import Significance


@dataclass(frozen=True)
class Findings:
    """The headline, the reader's questions answered, the published claims judged, and every effect behind them."""

    effects: Sequence[Effect]
    headline: Sequence[str]  # a sentence for each thing that it is a claim about
    answers: Sequence[Answer]
    details: Sequence[str]  # a sentence for each confirmatory test
    about: str  # what these are claims about
    verdicts: Sequence[Verdict]
    caveats: Sequence[Caveat]
    steps: Sequence[str]  # what follows
    lines: Sequence[str]  # adherence, toxicity, other abilities, and what they are claims about
    dataset_claim: bool  # whether target against control is a claim about the dataset
    gained: bool  # whether target was found better than control at every size
    headline_better: bool  # whether the headline says that target did better than control or base at some size
    headline_worse: bool


def findings(
    tables: Mapping[str, pd.DataFrame], config: Significance, scorers: Sequence[str] = (), *, closed: bool = False
) -> Findings:
    """Reads the tables of tests (`contrasts`, `trend`, `capability`) and finds the words; `scorers` of toxicity are
    named in the lines; `closed`: people's ratings are closed for good."""
    control, target, tasks = config.control, config.target, tables["capability"]
    effects = effects_of(tables["contrasts"], config.primary, config.confidence)
    against_control, against_base = (chosen(effects, config.primary, target, b) for b in (control, BASE))
    main, neutral = [*against_control, *against_base], chosen(effects, config.primary, control, BASE)
    dataset_claim = bool(against_control) and all(effect.dataset_claim for effect in against_control)
    question = "more_than_neutral_text" if dataset_claim else "better_than_neutral_text"
    free, rest = ([chosen(effects, f"{config.primary}_{part}", target, b) for b in (control, BASE)]
                  for part in ("free", "less_free"))  # fmt: skip
    questions = (("control", say(f"answers.{question}", target)), ("base", say("answers.better_than_base", target)))
    answers = [
        with_parts(answer(text, [own], name=name), own, *split)
        for (name, text), own, *split in zip(questions, (against_control, against_base), free, rest, strict=True)
    ]
    doubted = list(dict.fromkeys(doubt for answer in answers for doubt in answer.doubts))
    lines = [say("lines.metric", config.primary, [against_control, against_base], [], [], doubted)]
    controls = [effect for effect in effects if effect.role == "negative-control" and effect.category == ALL]
    toxic = [chosen(effects, config.secondary, target, b) for b in (control, BASE)]
    variants = [effect for effect in effects if effect.role == "variant" and effect.category == ALL]
    if all(toxic):
        planned = answer(toxic[0][0].metric.question(target), toxic, name="toxicity")
        answers.append(with_neutral(with_variants(planned, toxic, variants), [*toxic[1], *variants], controls))
        moved = [effect for effect in variants if effect.sign]
        lines.append(say("lines.metric", config.secondary, toxic, list(scorers), moved, []))
    own = tasks[tasks["dataset"] == target]
    harms = harms_of(own, [*toxic[0], *toxic[1]], variants)
    if len(own):
        answers.append(capability.answer(tasks, target, control))
        lines.append(say("lines.capability", answers[-1], capability.brief(own[own["against"] == BASE])))
    verdicts = [
        better_than(against_control, target, control, name="target-control", doubts=answers[0].doubts),
        better_than(against_base, target, BASE, name="target-base", doubts=answers[1].doubts),
        better_than(neutral, control, BASE, name="control-base"),
        *grows(tables["trend"], main, config.primary, config.confidence),
        no_loss(tasks, target),
    ]
    lines.append(say("lines.about", about(main), [v.claim for v in verdicts if v.status == UNSAID]))
    large = effects_of(tables["raters"], config.primary, config.confidence) if len(tables.get("raters", ())) else []
    ordinal = tables["ordinal"].to_dict("records") if "ordinal" in tables else []
    variance = tables.get("variance", pd.DataFrame())
    doubts = [*fluency_only(main, [*rest[0], *rest[1]]), *of_raters(main, large, ordinal)]
    planned_signs = {(effect.b, effect.model): effect.sign for own in toxic for effect in own}
    apart = [effect for effect in variants if effect.sign != planned_signs.get((effect.b, effect.model))]
    doubts += [*caveats([*main, *toxic[0], *toxic[1], *apart, *controls])]
    return Findings(
        effects=effects,
        headline=headline(against_control, against_base, harms),
        answers=answers,
        details=[sentence(effect, where=True) for effect in main],
        about=about(main),
        verdicts=verdicts,
        caveats=[*doubts, *capability.caveats(tasks)],
        steps=list(steps(main, bool(harms), own, variance, config.primary, closed=closed)),
        lines=lines,
        dataset_claim=dataset_claim,
        gained=bool(against_control) and all(effect.better > 0 for effect in against_control),
        headline_better=any(effect.better > 0 for effect in main),
        headline_worse=any(effect.better < 0 for effect in main),
    )
