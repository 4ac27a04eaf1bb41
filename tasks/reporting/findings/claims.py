"""From effects to sentences. Sign, size and significance decide which one is said.

No sentence claims a difference without its test; a test that found none is never told as "no difference";
"equivalent" is not in this vocabulary, because none of these tests can show it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from tasks.reporting.findings.comparison import Found, Row
from tasks.reporting.findings.effects import Effect
from tasks.reporting.words.sentences import phrase, say
from tasks.reporting.words.terms import known


@dataclass(frozen=True)
class Answer:
    """A question of the reader, answered: in a word or two, in plain sentences, and what it is a claim about."""

    name: str
    question: str
    short: str
    text: str
    about: str
    tone: str  # good, bad or open
    tests: str = ""  # the figures and tests behind the text, for those who ask for them
    more: str = ""  # what only the section of its own has room for
    doubts: tuple[str, ...] = ()  # what keeps the text from being read for more than it is


@dataclass(frozen=True)
class Caveat:
    """A reason for doubt, and its name."""

    name: str
    text: str


def sentence(effect: Effect, *, where: bool = False) -> str:
    """One effect with its interval, its test and the prompts it did better on; `where` names its model."""
    return say(f"effect.{effect.found.name.lower()}", effect, where)


def summary(effects: Sequence[Effect]) -> str:
    """A contrast over all model sizes: each result with the sizes it was found at."""
    if len(effects) == 1:
        return sentence(effects[0])
    by_result = {result: [effect for effect in effects if effect.found is result] for result in Found}
    parts = [phrase(f"sizes.{result.name.lower()}", own, len(effects)) for result, own in by_result.items() if own]
    tested = [effect for effect in effects if effect.found is not Found.UNTESTED]
    return say("sizes.all", parts, tested) if effects else say("sizes.no_scores")


def plain(effects: Sequence[Effect]) -> str:
    """A contrast over all model sizes for a reader who knows no statistics: each result, without its figures."""
    groups = ((result, [effect for effect in effects if effect.found is result]) for result in Found)
    return " ".join(say(f"plain.{result.name.lower()}", own, len(effects)) for result, own in groups if own)


def line(effects: Sequence[Effect]) -> str:
    """The figures and tests of a contrast; empty where nothing was tested."""
    tested = [effect for effect in effects if effect.found is not Found.UNTESTED]
    return say("plain.line", tested) if tested else ""


def parts(free: Sequence[Effect], rest: Sequence[Effect]) -> str:
    """How much of a margin's difference is there without any prompt, and what is left, each with its test."""
    at = {effect.model: effect for effect in rest}
    both = [(effect, at[effect.model]) for effect in free if effect.model in at]
    return say("effect.parts", both) if both else ""


def about(effects: Sequence[Effect]) -> str:
    """What a finding is a claim about."""
    if not effects:
        return ""
    return say("answers.about_dataset" if all(e.dataset_claim for e in effects) else "answers.about_checkpoints")


def answer(question: str, contrasts: Sequence[Sequence[Effect]], *, name: str = "") -> Answer:
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
    told = _moved_first(contrasts)
    text, tests = (" ".join(filter(None, map(write, told))) for write in (plain, line))
    return Answer(name, question, say(f"answers.{result}", counts), text, about(effects), tone, tests)


def with_parts(found: Answer, effects: Sequence[Effect], free: Sequence[Effect], rest: Sequence[Effect]) -> Answer:
    """The answer with how much of its `effects` is there without any prompt, and how much is left; a gain of which
    nothing was shown to be left is no plain yes."""
    if fluency_only(effects, rest) and any(effect.better > 0 for effect in effects):
        less = [effect for effect in rest if effect.better < 0]
        doubts = (say("plain.fluency_only", len(effects)), *([say("plain.less_left", less)] if less else []))
        found = replace(found, short=say("answers.doubted", found.short), tone="open", doubts=doubts)
    return replace(found, tests=f"{found.tests} {parts(free, rest)}".strip())


def _moved_first(contrasts: Sequence[Sequence[Effect]]) -> list[Sequence[Effect]]:
    return sorted(contrasts, key=lambda own: not any(effect.sign for effect in own))


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


def with_variants(planned: Answer, contrasts: Sequence[Sequence[Effect]], variants: Sequence[Effect]) -> Answer:
    """The answer by the planned reading of a text, and what was found by other readings: no "not shown" stands alone
    where the whole text or its worst chunk came out apart."""
    moved = dict.fromkeys((e.metric.name, e.b) for e in variants if e.sign)
    if not moved:
        return planned
    groups = [[e for e in variants if (e.metric.name, e.b) == key] for key in moved]
    effects = [effect for group in (*contrasts, *groups) for effect in group]
    ways = {way: list(dict.fromkeys(e.metric.reading for e in effects if e.better == way)) for way in (1, -1)}
    brief = [[replace(effect, higher=0, lower=0) for effect in group] for group in groups]  # no prompts are counted
    signs = {(effect.b, effect.model): effect.sign for own in contrasts for effect in own if effect.sign}
    others = {effect.b for group in brief for effect in group}
    same = others == {b for b, _ in signs} and len(others) == 1
    alike = same and all(effect.sign == signs.get((effect.b, effect.model)) for group in brief for effect in group)
    tests = " ".join(filter(None, map(line, brief)))
    if alike:  # then one sentence and a short answer hold for every reading
        first, *rest = _moved_first(contrasts)
        readings = list(dict.fromkeys(own[0].metric.reading for own in (first, *brief)))
        every = replace(first[0].metric, reading=phrase("plain.readings", readings))
        told = [[replace(effect, metric=every, higher=0, lower=0) for effect in first], *rest]
    else:
        told = [*_moved_first(contrasts), *brief]
    if alike and planned.tone == "bad":
        short, tone = say("answers.worse_than", sorted(others)), "bad"
    elif planned.tone == "good" and not ways[-1]:
        short, tone = planned.short, "good"
    else:
        apart = [effect for effect in effects if effect.sign]
        readings = list(dict.fromkeys(effect.metric.reading for effect in apart))
        against = list(dict.fromkeys(effect.b for effect in apart))
        short = say("answers.by_reading", ways[1], ways[-1], readings, against)
        tone = "bad" if ways[-1] and not ways[1] else "open"
    return replace(planned, short=short, tone=tone, text=" ".join(map(plain, told)), tests=f"{planned.tests} {tests}")


def with_neutral(found: Answer, against_base: Sequence[Effect], controls: Sequence[Effect]) -> Answer:
    """The answer, and whether the neutral dataset's arm did worse than base in the same measures, too."""
    worse = {effect.metric.name for effect in against_base if effect.better < 0}
    moved = [effect for effect in controls if effect.better < 0 and effect.metric.name in worse]
    return replace(found, text=f"{found.text} {say('plain.neutral_too', moved)}") if moved else found


MOVED = ("negative-control", "variant")  # roles of effects that are told among the doubts, and only where they moved
DOUBTS: Mapping[str, Callable[[Effect], object]] = {
    "control_moved": lambda effect: effect.role == "negative-control" and effect.sign,
    "variant_moved": lambda effect: effect.role == "variant" and effect.sign,
    "tests_disagree": lambda effect: (
        effect.role not in MOVED
        and known(effect.flip)
        and known(effect.raw)
        and (effect.flip <= 1 - effect.confidence) != (effect.raw <= 1 - effect.confidence)
    ),
    "incomplete": lambda effect: effect.role not in MOVED and effect.missing and effect.found is not Found.UNTESTED,
    "noted": lambda effect: effect.role not in MOVED and effect.note,
}


def caveats(effects: Sequence[Effect]) -> list[Caveat]:
    """What makes one doubt these effects, by contrast: a negative control that moved, other readings of the same texts,
    tests that disagree, missing prompts, and what a test goes without."""
    contrasts: dict[tuple[str, str, str], list[Effect]] = {}
    for effect in effects:
        of = "" if effect.role in MOVED else effect.metric.name  # what moved is told together, over all metrics
        contrasts.setdefault((of, effect.a, effect.b), []).append(effect)
    return [
        Caveat(name, say(f"doubts.{name}", doubtful))
        for contrast in contrasts.values()
        for name, doubts in DOUBTS.items()
        if (doubtful := [effect for effect in contrast if doubts(effect)])
    ]


def fluency_only(effects: Sequence[Effect], rest: Sequence[Effect]) -> list[Caveat]:
    """A caveat where a difference was found and what is left of it without the answers' own fluency was not."""
    left = {(effect.b, effect.model): effect for effect in rest}
    alone = [
        (effect, left[effect.b, effect.model])
        for effect in effects
        if effect.sign and (effect.b, effect.model) in left and left[effect.b, effect.model].sign != effect.sign
    ]
    return [Caveat("fluency_only", say("doubts.fluency_only", alone))] if alone else []


def of_raters(effects: Sequence[Effect], at_large: Sequence[Effect], ordinal: Sequence[Row]) -> list[Caveat]:
    """What makes one doubt an effect that people's ratings found: it was not shown for raters at large (`at_large`, the
    same contrasts), or the ordinal model decides otherwise."""
    moved = {(effect.metric.name, effect.model, effect.a, effect.b): effect for effect in effects if effect.sign}
    large = {(effect.metric.name, effect.model, effect.a, effect.b): effect for effect in at_large}
    panel = [(effect, large[key]) for key, effect in moved.items() if key in large and large[key].sign != effect.sign]
    names = {effect.metric.name for effect in effects}
    other = [row for row in ordinal if row["metric"] in names and str(row["same_decision"]) == "False"]
    doubts = []
    if panel:
        doubts.append(Caveat("panel_only", say("doubts.panel_only", panel)))
    if other:
        doubts.append(Caveat("ordinal_differs", say("doubts.ordinal_differs", other)))
    return doubts
