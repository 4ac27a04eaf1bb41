"""What the tests found, put together for the page's first screen and for the lines a sweep ends with."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from tasks.reporting.data.study import Study
from tasks.reporting.findings import capability
from tasks.reporting.findings.claims import Answer, about, answer, caveats, headline, sentence, tested
from tasks.reporting.findings.effects import Effect, Found, chosen, effects_of
from tasks.reporting.findings.verdicts import UNSAID, Verdict, better_than, grows, no_loss
from tasks.reporting.words.terms import listed, signed


@dataclass(frozen=True)
class Findings:
    """The headline, the reader's questions answered, the published claims judged, and every effect behind them."""

    effects: Sequence[Effect]
    headline: str
    answers: Sequence[Answer]
    details: Sequence[str]  # a sentence for each confirmatory test
    verdicts: Sequence[Verdict]
    caveats: Sequence[str]
    lines: Sequence[str]
    dataset_claim: bool  # whether target against control is a claim about the dataset

    def of(self, metric: str, a: str, b: str) -> list[Effect]:
        """The effects of a metric and contrast over all prompts."""
        return chosen(self.effects, metric, a, b)


def findings(study: Study) -> Findings:
    """Reads the tables of tests and finds the words."""
    effects, alpha = effects_of(study.tables["contrasts"], study.config.primary), study.alpha
    (base, control, target), primary = study.trio, study.config.primary
    against_control, against_base = (chosen(effects, primary, target, other) for other in (control, base))
    neutral = chosen(effects, primary, control, base)
    neutral_toxic = chosen(effects, study.config.secondary, control, base)
    toxic = [chosen(effects, study.config.secondary, target, other) for other in (control, base)]
    dataset_claim = bool(against_control) and all(effect.dataset_claim for effect in against_control)
    answers = [
        answer(_main_question(target, dataset_claim=dataset_claim), [against_control], alpha),
        answer(f"Is the {target} model better than the model before fine-tuning?", [against_base], alpha),
    ]
    if all(toxic):
        answers.append(answer(toxic[0][0].metric.question(target), toxic, alpha))
    abilities = study.tables["capability"]
    own = abilities[abilities["dataset"] == target]
    if len(own):
        answers.append(capability.answer(abilities, target))
    verdicts = [
        better_than(against_control, alpha, target, control),
        better_than(against_base, alpha, target, base),
        better_than(neutral, alpha, control, base),
        *grows(study.tables["trend"], [*against_control, *against_base], primary, alpha),
        no_loss(abilities, target),
    ]
    shown = [
        *against_control,
        *against_base,
        *neutral,
        *neutral_toxic,
        *(effect for contrast in toxic for effect in contrast),
    ]
    return Findings(
        effects=effects,
        headline=headline(against_control, against_base, alpha),
        answers=answers,
        details=[sentence(effect, alpha, where=True) for effect in (*against_control, *against_base)],
        verdicts=verdicts,
        caveats=caveats(shown, alpha),
        lines=_lines(study, (against_control, against_base), toxic, own, verdicts),
        dataset_claim=dataset_claim,
    )


def _main_question(target: str, *, dataset_claim: bool) -> str:
    """About the dataset only where the claim is; else about the models that were trained."""
    if dataset_claim:
        return f"Did the {target} dataset do more than neutral text?"
    return f"Is the {target} model better than the one fine-tuned on neutral text?"


def _lines(
    study: Study,
    main: Sequence[Sequence[Effect]],
    toxic: Sequence[Sequence[Effect]],
    abilities: pd.DataFrame,
    verdicts: Sequence[Verdict],
) -> list[str]:
    """A line each: adherence, toxicity, other abilities, and what they are claims about."""
    alpha, primary = study.alpha, [effect for contrast in main for effect in contrast]
    lines = [f"{primary[0].metric.label if primary else study.config.primary}: {_brief(main, alpha)}"]
    if all(toxic):
        scorers = listed(list(study.toxicity["scorer"].unique()))
        by = f" (scorer {scorers})" if scorers else ""
        lines.append(f"{toxic[0][0].metric.label}{by}: {_brief(toxic, alpha)}")
    if len(abilities):
        found = capability.answer(abilities, study.config.target)
        lines.append(f"{found.question} {found.short}. {capability.brief(abilities)}")
    unsaid = [verdict.claim[0].lower() + verdict.claim[1:] for verdict in verdicts if verdict.status == UNSAID]
    rest = f" Cannot be said: {listed(unsaid)}." if unsaid else ""
    lines.append(f"{about(primary)}{rest}")
    return [line[0].upper() + line[1:] for line in lines]


def _brief(contrasts: Sequence[Sequence[Effect]], alpha: float) -> str:
    return "; ".join(_brief_contrast(contrast, alpha) for contrast in contrasts if contrast) + "."


def _brief_contrast(effects: Sequence[Effect], alpha: float) -> str:
    """`values against control: higher by 0.2 (p = 0.01 …)`, or what was found at each size."""
    first = effects[0]
    name = f"{first.a} against {first.b}"
    if len(effects) > 1:
        found = ", ".join(f"{effect.model} {_word(effect, alpha)} ({signed(effect.diff)})" for effect in effects)
        return f"{name}: {found}"
    if first.found(alpha) is Found.UNTESTED:
        return f"{name}: not tested ({first.reason or 'no reason given'})"
    return f"{name}: {_word(first, alpha)} ({signed(first.diff)} {first.metric.unit}, {tested(first)})"


def _word(effect: Effect, alpha: float) -> str:
    better = {1: "better", -1: "worse"}.get(effect.better(alpha))
    return better or str(effect.found(alpha))
