"""From effects to sentences. Sign, size and significance decide which one is said.

No sentence claims a difference without its test; a test that found none is never told as "no difference";
"equivalent" is not in this vocabulary, because none of these tests can show it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from tasks.reporting.findings.comparison import Found
from tasks.reporting.findings.effects import Effect
from tasks.reporting.words.sentences import phrase, say
from tasks.reporting.words.terms import known


@dataclass(frozen=True)
class Answer:
    """A question of the reader, answered: in a word or two, in a sentence, and what it is a claim about."""

    question: str
    short: str
    text: str
    about: str
    tone: str  # good, bad or open


def sentence(effect: Effect, *, where: bool = False) -> str:
    """One effect with its interval, its test and its size in pairs; `where` names its model."""
    return say(f"effect.{effect.found.name.lower()}", effect, where)


def summary(effects: Sequence[Effect]) -> str:
    """A contrast over all model sizes: each result with the sizes it was found at."""
    if len(effects) == 1:
        return sentence(effects[0])
    by_result = {result: [effect for effect in effects if effect.found is result] for result in Found}
    parts = [phrase(f"sizes.{result.name.lower()}", own, len(effects)) for result, own in by_result.items() if own]
    paired = [effect for effect in effects if effect.of_100 is not None and effect.found is not Found.UNTESTED]
    return say("sizes.all", parts, paired) if effects else say("sizes.no_scores")


def about(effects: Sequence[Effect]) -> str:
    """What a finding is a claim about."""
    if not effects:
        return ""
    return say("answers.about_dataset" if all(e.dataset_claim for e in effects) else "answers.about_checkpoints")


def answer(question: str, contrasts: Sequence[Sequence[Effect]]) -> Answer:
    """Whether a came out better than b, for one contrast over all sizes, or for several contrasts."""
    effects = [effect for contrast in contrasts for effect in contrast]
    result, tone = _result(effects)
    counts = {
        "better": sum(effect.better > 0 for effect in effects),
        "worse": sum(effect.better < 0 for effect in effects),
        "moved": sum(effect.sign != 0 for effect in effects),
        "every": len(effects),
        "at": "at" if len(contrasts) == 1 else "in",
        "noun": "size" if len(contrasts) == 1 else "comparison",
    }
    short = say(f"answers.{result}", counts)
    return Answer(question, short, " ".join(map(summary, contrasts)), about(effects), tone)


def _result(effects: Sequence[Effect]) -> tuple[str, str]:
    """Which short answer holds, and its tone."""
    signs = {effect.better for effect in effects}
    if all(effect.found is Found.UNTESTED for effect in effects):
        return "untested", "open"
    if signs == {1}:
        return "better", "good"
    if {1, -1} <= signs:
        return "mixed", "open"
    if -1 in signs:
        return "worse", "bad"
    if 1 in signs:
        return "partly", "open"
    return "differs" if any(effect.sign for effect in effects) else "unclear", "open"


DOUBTS: Mapping[str, Callable[[Effect], object]] = {
    "control_moved": lambda effect: effect.role == "negative-control" and effect.sign,
    "tests_disagree": lambda effect: (
        known(effect.flip)
        and known(effect.raw)
        and (effect.flip <= 1 - effect.confidence) != (effect.raw <= 1 - effect.confidence)
    ),
    "incomplete": lambda effect: effect.missing,
    "noted": lambda effect: effect.note,
}


def caveats(effects: Sequence[Effect]) -> list[str]:
    """What makes one doubt these effects, by contrast: a negative control that moved, tests that disagree, missing
    prompts, and what a test goes without."""
    contrasts: dict[tuple[str, str, str], list[Effect]] = {}
    for effect in effects:
        contrasts.setdefault((effect.metric.name, effect.a, effect.b), []).append(effect)
    return [
        say(f"doubts.{name}", doubtful)
        for contrast in contrasts.values()
        for name, doubts in DOUBTS.items()
        if (doubtful := [effect for effect in contrast if doubts(effect)])
    ]
