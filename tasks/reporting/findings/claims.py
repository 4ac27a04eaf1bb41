"""From rows of the test tables to sentences. Sign, size and significance decide the words.

No sentence claims a difference without its test; a test that found none is never told as "no difference";
"equivalent" is not in this vocabulary, because none of these tests can show it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from tasks.reporting.findings.effects import Effect, Found
from tasks.reporting.words.terms import counted, known, level, listed, number, p_value, signed

SIDES = ((1, "better"), (-1, "worse"))
NOT_THE_DATASET = "not about the dataset: that takes three training seeds"


@dataclass(frozen=True)
class Answer:
    """A question of the reader, answered: in a word or two, in a sentence, and what it is a claim about."""

    question: str
    short: str
    text: str
    about: str
    tone: str  # good, bad or open


def interval(effect: Effect, confidence: float) -> str:
    """`95% interval 0.05 to 0.20`."""
    return f"{level(confidence)} interval {number(effect.lo)} to {number(effect.hi)}"


def tested(effect: Effect) -> str:
    """The p-value and how it was corrected."""
    if effect.family is None:
        return f"p {p_value(effect.p)}, not corrected"
    method = "Holm" if effect.family in ("confirmatory", "secondary") else "Benjamini-Hochberg"
    return f"p {p_value(effect.p)} after {method} correction for {counted(effect.tests, 'test')}"


def pairs(effect: Effect) -> str:
    """The probability of superiority in words; empty where it is unknown or nobody said which way is better."""
    if not known(effect.ps) or effect.metric.better == 0:
        return ""
    subject = "model" if effect.k <= 1 else "answer"
    return f"the {effect.a} {subject} did better {_unit(effect, str(_of_100(effect)))}"


def _of_100(effect: Effect) -> int:
    return round(100 * (effect.ps if effect.metric.better > 0 else 1 - effect.ps))


def _unit(effect: Effect, count: str) -> str:
    """With one score a prompt, a pair is a prompt."""
    return f"on {count} of 100 prompts (chance: 50)" if effect.k <= 1 else f"in {count} of 100 pairs (chance: 50)"


def sentence(effect: Effect, alpha: float, *, where: bool = False) -> str:
    """One effect as a claim sentence, with its interval, its test and its size in pairs."""
    at, found = f"at {effect.model}, " if where else "", effect.found(alpha)
    models = f"the {effect.a} and the {effect.b} model"
    if found is Found.UNTESTED:
        return _upper(f"{at}the difference between {models} could not be tested: {effect.reason or 'no reason given'}.")
    size = f"{signed(effect.diff)} {effect.metric.unit} ({interval(effect, 1 - alpha)}; {tested(effect)})"
    extra = f". {_upper(pairs(effect))}." if pairs(effect) else "."
    if found is Found.UNCLEAR:
        text = f"{at}no difference in {effect.metric.label} was found between {models}"
        return _upper(f"{text}: {size}{extra} {_unclear(effect)}")
    words = effect.metric.more if found is Found.HIGHER else effect.metric.less
    return _upper(f"{at}the {effect.a} model {words} than the {effect.b} model: {size}{extra}")


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]


def _unclear(effect: Effect) -> str:
    """What an interval still allows when no difference was found."""
    if effect.lo > 0 or effect.hi < 0:
        return (
            "The interval by itself leaves out zero, but the test does not hold once it is corrected for the "
            "number of tests."
        )
    return (
        f"That is not evidence of no difference: anything from {number(effect.lo)} to {number(effect.hi)} "
        "fits these data."
    )


def summary(effects: Sequence[Effect], alpha: float) -> str:
    """One claim sentence for a contrast over all model sizes."""
    if not effects:
        return "There are no scores to compare."
    if len(effects) == 1:
        return sentence(effects[0], alpha)
    first, parts = effects[0], []
    groups = {kind: [e for e in effects if e.found(alpha) is kind] for kind in Found}
    for kind in (Found.HIGHER, Found.LOWER):
        if groups[kind]:
            words = first.metric.more if kind is Found.HIGHER else first.metric.less
            where = at_sizes(len(groups[kind]), len(effects))
            parts.append(f"the {first.a} models {words} than the {first.b} models at {where} ({_sizes(groups[kind])})")
    if groups[Found.UNCLEAR]:
        where = at_sizes(len(groups[Found.UNCLEAR]), len(effects))
        parts.append(
            f"no difference in {first.metric.label} was found between the {first.a} and the {first.b} "
            f"models at {where} ({_sizes(groups[Found.UNCLEAR])}), which does not show that there is none"
        )
    if groups[Found.UNTESTED]:
        where = listed([f"{e.model} ({e.reason or 'no reason given'})" for e in groups[Found.UNTESTED]])
        parts.append(f"the {first.a} and {first.b} models could not be tested at {where}")
    return _upper("; ".join(parts)) + "." + _pairs_by_size(effects, alpha)


def _pairs_by_size(effects: Sequence[Effect], alpha: float) -> str:
    """The probabilities of superiority of the sizes that were tested; empty where there are none to tell."""
    told = [effect for effect in effects if pairs(effect) and effect.found(alpha) is not Found.UNTESTED]
    if not told:
        return ""
    subject = "models" if told[0].k <= 1 else "answers"
    counts = listed([f"{_of_100(effect)} ({effect.model})" for effect in told])
    return f" The {told[0].a} {subject} did better {_unit(told[0], counts)}."


def at_sizes(some: int, every: int) -> str:
    """`both sizes`, `all 3 sizes`, `2 of 3 sizes`."""
    if some < every:
        return f"{some} of {every} sizes"
    return "both sizes" if every == 2 else f"all {every} sizes"


def _sizes(effects: Sequence[Effect]) -> str:
    values = ", ".join(f"{e.model} {signed(e.diff)}" for e in effects)
    return f"{values} {effects[0].metric.unit}"


def about(effects: Sequence[Effect]) -> str:
    """What a finding is a claim about."""
    if not effects:
        return ""
    if all(effect.dataset_claim for effect in effects):
        return "A claim about the dataset, on prompts like these."
    return f"A claim about these checkpoints on prompts like these, {NOT_THE_DATASET}."


def answer(question: str, contrasts: Sequence[Sequence[Effect]], alpha: float) -> Answer:
    """Whether a came out better than b, for one contrast over all sizes, or for several contrasts."""
    effects = [effect for contrast in contrasts for effect in contrast]
    short, tone = _short(effects, alpha, "size" if len(contrasts) == 1 else "comparison")
    text = " ".join(summary(contrast, alpha) for contrast in contrasts)
    return Answer(question, short, text, about(effects), tone)


def _short(effects: Sequence[Effect], alpha: float, noun: str) -> tuple[str, str]:
    """The answer in a few words, and its tone."""
    better = sum(effect.better(alpha) > 0 for effect in effects)
    worse = sum(effect.better(alpha) < 0 for effect in effects)
    every, at = len(effects), "at" if noun == "size" else "in"
    if all(effect.found(alpha) is Found.UNTESTED for effect in effects):
        return "Not tested", "open"
    if better == every:
        return ("Yes" if every == 1 else f"Yes, {at} {'both' if every == 2 else f'all {every}'} {noun}s"), "good"
    if better and worse:
        return f"Better {at} {better}, worse {at} {worse} of {counted(every, noun)}", "open"
    if worse:
        return ("No: worse" if every == 1 else f"No: worse {at} {worse} of {counted(every, noun)}"), "bad"
    if better:
        return f"{at.capitalize()} {better} of {counted(every, noun)}", "open"
    if moved := sum(effect.found(alpha) in (Found.HIGHER, Found.LOWER) for effect in effects):
        return f"Differs {at} {moved} of {counted(every, noun)}", "open"  # which way is better nobody said
    return "Not shown", "open"


def headline(control: Sequence[Effect], base: Sequence[Effect], alpha: float) -> str:
    """The main result in one sentence: the target model against control and against base."""
    if not control or not base:
        return "This sweep has no scores that answer its main question."
    a, than, both = control[0].a, (control[0].b, base[0].b), (control, base)
    models, were = ("models", "were") if len(control) > 1 else ("model", "was")
    wins = [sum(e.better(alpha) > 0 for e in effects) for effects in both]
    losses = [sum(e.better(alpha) < 0 for e in effects) for effects in both]
    untested = [sum(e.found(alpha) is Found.UNTESTED for e in effects) for effects in both]
    if untested == [len(control), len(base)]:
        return f"Whether fine-tuning on the {a} dataset helped could not be tested in this sweep."
    if wins == [len(control), len(base)]:
        sizes = f", at {at_sizes(len(control), len(control))}" if len(control) > 1 else ""
        return f"The {a} {models} {control[0].metric.gain} than both the {than[0]} and the {than[1]} {models}{sizes}."
    if not any(wins + losses + untested):
        return f"No improvement was found: the {a} {models} {were} not shown to do better than {than[0]} or {than[1]}."
    if not any([wins[0], *losses, *untested]):
        return (
            f"The {a} {models} did better than {than[1]}{_at(wins[1], len(base))}, but {were} not shown to do "
            f"better than {than[0]}: the gain may come from fine-tuning as such, not from the values in the dataset."
        )
    return " ".join(_side(effects, models, alpha) for effects in both)


def _side(effects: Sequence[Effect], models: str, alpha: float) -> str:
    """One comparison of a mixed result."""
    a, b, every = effects[0].a, effects[0].b, len(effects)
    found = [effect.found(alpha) for effect in effects]
    signs = [effect.better(alpha) for effect in effects]
    parts = [f"{word} than {b}{_at(signs.count(sign), every)}" for sign, word in SIDES if sign in signs]
    told = [f"The {a} {models} did {listed(parts)}."] if parts else []
    if not parts and (unclear := found.count(Found.UNCLEAR)):
        told.append(f"No difference between the {a} and the {b} {models} was found{_at(unclear, every)}.")
    if untested := found.count(Found.UNTESTED):
        told.append(f"The {a} against the {b} {models} could not be tested{_at(untested, every)}.")
    return " ".join(told)


def _at(count: int, every: int) -> str:
    return f" at {at_sizes(count, every)}" if every > 1 else ""


def caveats(effects: Sequence[Effect], alpha: float) -> list[str]:
    """What makes one doubt these rows: a negative control that moved, tests that disagree, missing prompts."""
    found: list[str] = []
    for contrast in dict.fromkeys((effect.metric.name, effect.a, effect.b) for effect in effects):
        own = [effect for effect in effects if (effect.metric.name, effect.a, effect.b) == contrast]
        texts = (_moved(own, alpha), _disagree(own, alpha), _incomplete(own), _noted(own))
        found += [text for text in texts if text]
    return found


def _moved(effects: Sequence[Effect], alpha: float) -> str:
    """A negative control that shows a difference."""
    moved = [e for e in effects if e.role == "negative-control" and e.found(alpha) in (Found.HIGHER, Found.LOWER)]
    if not moved:
        return ""
    first, where = moved[0], listed([f"{signed(e.diff)} at {e.model} (p {p_value(e.p)}, not corrected)" for e in moved])
    return (
        f"The negative control moved: in {first.metric.label}, {first.a} differs from {first.b}, by {where}. "
        f"Fine-tuning on neutral text alone changes this metric, so trust the comparison with {first.a} before that "
        f"with {first.b}."
    )


def _disagree(effects: Sequence[Effect], alpha: float) -> str:
    """Two tests of one difference that fall on either side of the level."""
    split = [e for e in effects if known(e.flip) and known(e.raw) and (e.flip <= alpha) != (e.raw <= alpha)]
    if not split:
        return ""
    where = listed(
        [f"at {e.model} (p {p_value(e.raw)} by the t test, p {p_value(e.flip)} by sign flips)" for e in split]
    )
    return f"Two tests disagree, both uncorrected: {split[0].metric.label}, {split[0].a} against {split[0].b}, {where}."


def _incomplete(effects: Sequence[Effect]) -> str:
    """Prompts that a contrast had to leave out."""
    short = [effect for effect in effects if effect.missing]
    if not short:
        return ""
    where = listed([f"{counted(effect.missing, 'prompt')} at {effect.model}" for effect in short])
    return f"{short[0].metric.label.capitalize()}, {short[0].a} against {short[0].b}, lacks scores of {where}."


def _noted(effects: Sequence[Effect]) -> str:
    """What a tested contrast goes without, such as a whole category."""
    noted = [effect for effect in effects if effect.note]
    if not noted:
        return ""
    where = "; ".join(f"{effect.note} (at {effect.model})" for effect in noted)
    return f"{noted[0].metric.label.capitalize()}, {noted[0].a} against {noted[0].b}: {where}."
