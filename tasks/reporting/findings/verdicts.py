"""The claims of the published work one by one: supported, not supported, or not to be said from this sweep."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from tasks.formats.checkpoints import BASE
from tasks.formats.verdicts import CLAIM_SEEDS, overall
from tasks.reporting.findings import capability
from tasks.reporting.findings.claims import about, summary
from tasks.reporting.findings.comparison import Comparison, Found, Row
from tasks.reporting.findings.effects import Effect
from tasks.reporting.words.sentences import say
from tasks.reporting.words.terms import Metric, known, metric_of

SUPPORTED = "supported"
NOT_SUPPORTED = "not supported"
UNSAID = "cannot be said from this sweep"
MODELS_OF_A_TREND = 3


@dataclass(frozen=True)
class Verdict:
    """A claim, what this sweep says of it, why, what that is a claim about, and whether the contrary was found."""

    name: str
    claim: str
    status: str
    why: str
    about: str = ""
    contrary: bool = False
    doubt: str = ""  # what keeps a claim that is supported from being read for more than it is

    @property
    def tone(self) -> str:
        """The look of its status: a claim is bad only where the contrary was found, not where nothing was."""
        if self.contrary:
            return "bad"
        return "good" if self.status == SUPPORTED and not self.doubt else "open"


@dataclass(frozen=True, kw_only=True)
class Slope(Comparison):
    """How a contrast's effect changes with the size of the model, on one scale."""

    metric: Metric
    contrast: str
    models: int
    largest: str
    seeds: int
    descriptive: bool

    @property
    def of_a_trend(self) -> bool:
        """Whether there are models enough; two give a difference."""
        return self.models >= MODELS_OF_A_TREND


def better_than(effects: Sequence[Effect], a: str, b: str, *, name: str = "", doubts: Sequence[str] = ()) -> Verdict:
    """ "a beats b": supported only if the test found it at every size, and then with the `doubts` about it. A negative
    control that did worse is told among the doubts and is not held against the claim a second time."""
    claim, why = say("verdicts.better_than", a, b), summary(effects)
    if all(effect.found is Found.UNTESTED for effect in effects):
        return Verdict(name, claim, UNSAID, why)
    better = [effect for effect in effects if effect.better > 0]
    if len(better) == len(effects):
        return Verdict(name, claim, SUPPORTED, why, about(effects), doubt=" ".join(doubts))
    if better:
        why = say("verdicts.only_at_some", better, len(effects), why)
    contrary = any(effect.better < 0 and effect.role != "negative-control" for effect in effects)
    return Verdict(name, claim, NOT_SUPPORTED, why, about(effects), contrary)


def grows(trend: pd.DataFrame, effects: Sequence[Effect], metric: str, confidence: float) -> list[Verdict]:
    """ "More so with size", for each model family: both contrasts, and on the raw scale as well as in pairs.

    An effect that is not found at the largest model has nothing to grow: a disadvantage that shrinks rises too.
    """
    rows = trend[trend["metric"] == metric]
    if rows.empty:
        return [Verdict("grows", say("verdicts.grows", ""), UNSAID, say("verdicts.no_trend_test"))]
    several = rows["model_family"].nunique() > 1
    slopes = {
        say("verdicts.grows", family if several else ""): [_slope(row, confidence) for row in part.to_dict("records")]
        for family, part in rows.groupby("model_family")
    }
    return [_grows(claim, own, effects) for claim, own in slopes.items()]


def _slope(row: Row, confidence: float) -> Slope:
    metric = metric_of(str(row["metric"]), str(row["metric"]))
    pairs = {"unit": "of 100 pairs", "digits": 1, "scale": 100}
    return Slope.of(
        row,
        "estimate ci_lo ci_hi p p_corr m",
        correction="Holm" if known(row["p_corr"]) else None,
        confidence=confidence,
        metric=metric,
        contrast=str(row["contrast"]).replace(" - ", " against "),
        models=int(row["n_models"]),
        largest=str(row["models"]).split(", ")[-1],
        seeds=int(row["seeds"]),
        descriptive=bool(row["descriptive"]),
        **({"unit": metric.unit} if row["scale"] == "raw" else pairs),
    )


def _grows(claim: str, slopes: Sequence[Slope], effects: Sequence[Effect]) -> Verdict:
    contrasts: dict[str, list[Slope]] = {}
    for slope in slopes:
        contrasts.setdefault(slope.contrast, []).append(slope)
    changes = say("verdicts.changes", contrasts.values())
    if refusal := _refusal(slopes):
        return Verdict("grows", claim, UNSAID, say(f"verdicts.{refusal}", slopes, changes))
    of_dataset = min(slope.seeds for slope in slopes) >= CLAIM_SEEDS
    subject = say("verdicts.about_dataset" if of_dataset else "verdicts.about_checkpoints")
    signs = {slope.sign * slope.metric.better for slope in slopes}
    if signs == {1}:
        weak = [text for own in contrasts.values() if (text := _not_there(own[0], effects))]
        return Verdict("grows", claim, NOT_SUPPORTED if weak else SUPPORTED, " ".join([*weak, changes]), subject)
    why = say("verdicts.on_some_scales", changes) if 1 in signs else changes
    return Verdict("grows", claim, NOT_SUPPORTED, why, subject, -1 in signs)


def _refusal(slopes: Sequence[Slope]) -> str:
    """The sentence for why these slopes cannot say anything about a trend; empty where they can."""
    models = min(slope.models for slope in slopes)
    if models < MODELS_OF_A_TREND:
        return "one_size" if models < 2 else "two_sizes"
    if any(slope.descriptive for slope in slopes):
        return "one_seed"
    return "untested_slope" if any(slope.found is Found.UNTESTED for slope in slopes) else ""


def _not_there(slope: Slope, effects: Sequence[Effect]) -> str:
    """A sentence if the effect of the contrast was not found at the family's largest model."""
    at = [e.better for e in effects if (f"{e.a} against {e.b}", e.model) == (slope.contrast, slope.largest)]
    return "" if 1 in at else say("verdicts.shrinks" if -1 in at else "verdicts.not_at_largest", slope)


def no_loss(table: pd.DataFrame, target: str) -> Verdict:
    """ "No capability is lost": only non-inferiority tests with their margin in params.yaml can say so."""
    claim, own = say("verdicts.no_loss"), table[table["dataset"] == target]
    if own.empty:
        return Verdict("no-loss", claim, UNSAID, say("verdicts.no_task"))
    outcome = overall(own)
    status = {"no loss": SUPPORTED, "loss": NOT_SUPPORTED}.get(outcome, UNSAID)
    why = capability.brief(own[own["against"] == BASE])
    return Verdict("no-loss", claim, status, why, capability.ABOUT, outcome == "loss")
