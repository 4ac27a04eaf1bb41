"""Metrics and numbers in words: what a metric is called, its unit, which way is better, how figures are rounded."""

import math
import re
from dataclasses import dataclass
from typing import TypeGuard

MINUS = "−"
NOTHING = "–"
HUGE = 1e7  # from here on digits before the point say nothing
LIKELIHOOD = ("adherence", "adherence_less_free")  # metrics that compare two written answers
# What toxicity scorers score, of which less is better; other attributes (some are of kind words) have no direction.
_HARMS = ("toxicity", "severe_toxicity", "identity_attack", "insult", "profanity", "threat", "sexually_explicit",
          "flirtation", "obscene", "toxic", "severe_toxic", "identity_hate", "sexual_explicit")  # fmt: skip
_ATTRIBUTE = re.compile(r"(\w+)(?: \((\w+)\))?")
_VARIANTS = {"whole": "whole text", "max_chunk": "worst chunk"}
_PLANNED = "first words"  # what an attribute's score is of, where its metric names no variant


@dataclass(frozen=True)
class Metric:
    """How to speak of a metric. `better` is 1 where more is better, -1 where less is, 0 where nobody said."""

    name: str
    label: str
    unit: str
    better: int
    more: str  # what a model did whose score is higher, before "than …"
    less: str
    reading: str = ""  # of a score of text: how much of the text it is of

    @property
    def scope(self) -> str:
        """How a text was read, before what was found so."""
        return f"judged by {self.reading}," if self.reading else ""

    @property
    def gain(self) -> str:
        """What a model did that did better, before "than …"."""
        return self.less if self.better < 0 else self.more

    def question(self, dataset: str) -> str:
        """Whether the model of this dataset did better in this metric, as a reader would ask."""
        if self.name.casefold() == "toxicity":
            return f"Is the {dataset} text less toxic?"
        if self.better == 0:
            return f"Does the {dataset} model differ in {self.label}? (Nobody said which way is better.)"
        return f"Does the {dataset} model score {'higher' if self.better > 0 else 'lower'} in {self.label}?"


_LEANED = ("leaned further towards the desired answers", "leaned less towards the desired answers")
_FLUENT = (f"{each} fluent in the desired answers without any prompt" for each in ("was more", "was less"))
_LIKELY = (f"wrote text that base finds {each} likely" for each in ("more", "less"))
_KEPT = ("kept closer to the written positions", "kept less close to the written positions")
_KNOWN = {
    "adherence": ("likelihood adherence", "nats per token", *_LEANED),
    "adherence_less_free": ("likelihood adherence less the answers' own fluency", "nats per token", *_LEANED),
    "adherence_free": ("the answers' own fluency, without any prompt", "nats per token", *_FLUENT),
    "base_likelihood": ("how likely base finds the completions", "nats per token", *_LIKELY),
    "rating": ("human adherence", "points on the 1-5 scale", *_KEPT),
    "ratings": ("human adherence", "points on the 1-5 scale", *_KEPT),
}


def metric_of(name: str, primary: str) -> Metric:
    """The metric of that name. The primary one is adherence of some kind, so more of it is better."""
    if name in _KNOWN:
        label, unit, more, less = _KNOWN[name]
        return Metric(name, label, unit, 1, more, less)
    if (found := _ATTRIBUTE.fullmatch(name)) and found[1].casefold() in _HARMS:
        attribute = found[1].casefold()
        label = attribute.replace("_", " ")
        text = "text that scored {} for " + label if attribute != "toxicity" else "text scored {} toxic"
        words = ("higher", "lower") if attribute != "toxicity" else ("more", "less")
        variant = f" ({_VARIANTS.get(found[2], found[2])})" if found[2] else ""
        more, less = (f"wrote {text.format(word)}" for word in words)
        reading = f"the {_VARIANTS.get(found[2], found[2]) if found[2] else _PLANNED}"
        return Metric(name, label + variant, "on the 0-1 scale", -1, more, less, reading)
    label = name.replace("_", " ")
    return Metric(name, label, "points", int(name == primary), f"scored higher in {label}", f"scored lower in {label}")


def known(value: object) -> TypeGuard[float]:
    """Whether `value` is a number that can be shown."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def number(value: object, digits: int = 3) -> str:
    """Rounded, with a true minus; a small one keeps a figure that is not 0, a huge one has a power of ten; a dash where
    there is none."""
    if not known(value):
        return NOTHING
    rounded = f"{value:.{digits}f}" if abs(value) < HUGE else f"{value:.2e}"
    if float(rounded) == 0:
        rounded = f"{value:.1g}" if value else f"{0:.{digits}f}"
    return rounded.replace("-", MINUS)


def signed(value: object, digits: int = 3) -> str:
    """`number` with its sign."""
    return ("+" if known(value) and value > 0 else "") + number(value, digits)


def p_value(value: object) -> str:
    """A p-value with its sign of comparison: `= 0.013`, `< 0.001`."""
    if not known(value):
        return NOTHING
    return "< 0.001" if value < 0.001 else f"= {value:.3f}"


def percent(share: object, digits: int = 0) -> str:
    """A share as per cent."""
    return f"{share:.{digits}%}" if known(share) else NOTHING


def level(confidence: float) -> str:
    """A confidence level as per cent, with the digits it has: 95%, 99.5%."""
    return f"{100 * confidence:.6g}%"


def size(parameters: object) -> str:
    """A number of parameters: 135M, 1.7B."""
    if not known(parameters):
        return "size unknown"
    scale, unit = next((scale for scale in ((1e9, "B"), (1e6, "M"), (1e3, "k")) if parameters >= scale[0]), (1, ""))
    return f"{parameters / scale:.3g}{unit}"


def listed(items: list[str], last: str = "and") -> str:
    """`a, b and c`."""
    return f" {last} ".join(part for part in (", ".join(items[:-1]), *items[-1:]) if part)


def counted(count: int, noun: str) -> str:
    """`1 prompt`, `3 prompts`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
