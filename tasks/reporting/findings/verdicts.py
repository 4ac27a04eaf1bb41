"""The claims of the published work one by one: supported, not supported, or not to be said from this sweep."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from tasks.formats.verdicts import CLAIM_SEEDS
from tasks.reporting.findings.capability import ABOUT, Row, brief, outcome
from tasks.reporting.findings.claims import NOT_THE_DATASET, about, at_sizes, summary
from tasks.reporting.findings.effects import Effect, Found
from tasks.reporting.words.terms import known, listed, metric_of, p_value, signed

SUPPORTED = "supported"
NOT_SUPPORTED = "not supported"
UNSAID = "cannot be said from this sweep"
MODELS_OF_A_TREND = 3


@dataclass(frozen=True)
class Verdict:
    """A claim, what this sweep says of it, why, what that is a claim about, and whether the contrary was found."""

    claim: str
    status: str
    why: str
    about: str = ""
    contrary: bool = False

    @property
    def tone(self) -> str:
        """The look of its status: a claim is bad only where the contrary was found, not where nothing was."""
        if self.contrary:
            return "bad"
        return "good" if self.status == SUPPORTED else "open"


def better_than(effects: Sequence[Effect], alpha: float, a: str, b: str) -> Verdict:
    """ "a beats b": supported only if the test found it at every size."""
    claim = f"The {a} model does better than the {b} model"
    if not effects or all(effect.found(alpha) is Found.UNTESTED for effect in effects):
        return Verdict(claim, UNSAID, summary(effects, alpha))
    wins = sum(effect.better(alpha) > 0 for effect in effects)
    why = summary(effects, alpha)
    if wins == len(effects):
        return Verdict(claim, SUPPORTED, why, about(effects))
    if wins > 0:
        why = f"Only at {at_sizes(wins, len(effects))}. {why}"
    contrary = any(effect.better(alpha) < 0 for effect in effects)
    return Verdict(claim, NOT_SUPPORTED, why, about(effects), contrary)


def grows(trend: pd.DataFrame, effects: Sequence[Effect], metric: str, alpha: float) -> list[Verdict]:
    """ "More so with size", for each model family: both contrasts, and on the raw scale as well as in pairs.

    An effect that is not found at the largest model has nothing to grow: a disadvantage that shrinks rises too.
    """
    rows = trend[trend["metric"] == metric]
    if rows.empty:
        return [Verdict("The effect grows with model size", UNSAID, "There is no test of a trend in this sweep.")]
    several = rows["model_family"].nunique() > 1
    claim = "The effect grows with model size"
    return [
        _grows(f"{claim} ({family})" if several else claim, part.to_dict("records"), effects, alpha)
        for family, part in rows.groupby("model_family")
    ]


def _grows(claim: str, rows: Sequence[Row], effects: Sequence[Effect], alpha: float) -> Verdict:
    if refusal := _no_trend(rows):
        return Verdict(claim, UNSAID, refusal)
    better, slopes = metric_of(str(rows[0]["metric"]), str(rows[0]["metric"])).better, _slopes(rows)
    subject = _subject(rows)
    signs = [int(row["p_corr"] <= alpha) * better * (1 if row["estimate"] > 0 else -1) for row in rows]
    weak = _not_there(rows, effects, alpha)
    if all(sign > 0 for sign in signs):
        return Verdict(claim, NOT_SUPPORTED if weak else SUPPORTED, f"{weak}{slopes}.", subject)
    mixed = "Only for some contrasts or on one of the two scales, and such a trend can be made by the scale. "
    why = f"{mixed if any(sign > 0 for sign in signs) else ''}{slopes}."
    return Verdict(claim, NOT_SUPPORTED, why, subject, any(sign < 0 for sign in signs))


def _no_trend(rows: Sequence[Row]) -> str:
    """Why these rows cannot say anything about a trend; empty where they can."""
    fewest = min(rows, key=lambda row: int(row["n_models"]))
    models = int(fewest["n_models"])
    some = f" ({_name(fewest)})" if any(int(row["n_models"]) > models for row in rows) else ""
    if models < 2:
        return f"One model size cannot show a trend{some}."
    if models < MODELS_OF_A_TREND:
        return f"Two sizes give a difference, never a trend{some}. {_slopes(rows)}."
    if any(bool(row["descriptive"]) for row in rows):
        return (
            "With one training seed at some size, a slope describes these checkpoints and is not tested. "
            f"{_slopes(rows)}."
        )
    if not all(known(row["p_corr"]) and known(row["p"]) for row in rows):
        reasons = sorted({str(row["reason"]) for row in rows if not known(row["p"])})
        return f"The slope could not be tested: {listed(reasons)}."
    return ""


def _subject(rows: Sequence[Row]) -> str:
    """What a tested slope is a claim about, by the fewest training seeds behind it."""
    if min(int(row["seeds"]) for row in rows) >= CLAIM_SEEDS:
        return "A claim about the dataset at these model sizes."
    return f"A claim about these checkpoints at these model sizes, {NOT_THE_DATASET}."


def _not_there(rows: Sequence[Row], effects: Sequence[Effect], alpha: float) -> str:
    """In sentences, the contrasts whose effect was not found at the family's largest model; empty if all were."""
    told = []
    for row in {str(row["contrast"]): row for row in rows}.values():
        largest = str(row["models"]).split(", ")[-1]
        at = [one for one in effects if (f"{one.a} - {one.b}", one.model) == (row["contrast"], largest)]
        if any(one.better(alpha) > 0 for one in at):
            continue
        if any(one.better(alpha) < 0 for one in at):
            told.append(f"The disadvantage of {_name(row)} shrinks; it is still there at {largest}, the largest model.")
        else:
            told.append(f"No advantage of {_name(row)} was found at {largest}, the largest model.")
    return "".join(f"{text} " for text in told)


def _name(row: Row) -> str:
    return str(row["contrast"]).replace(" - ", " against ")


def _slopes(rows: Sequence[Row]) -> str:
    """Each contrast's slope on both scales, in one sentence."""
    contrasts = {str(row["contrast"]): row for row in rows}
    told = [
        f"{_name(first)} {listed([_slope(row) for row in rows if row['contrast'] == contrast])} {_per(first)}"
        for contrast, first in contrasts.items()
    ]
    return f"Change of the effect: {'; '.join(told)}"


def _per(row: Row) -> str:
    return "per tenfold of parameters" if int(row["n_models"]) >= MODELS_OF_A_TREND else "from smaller to larger"


def _slope(row: Row) -> str:
    metric = metric_of(str(row["metric"]), str(row["metric"]))
    size = (
        f"{signed(row['estimate'])} {metric.unit}"
        if row["scale"] == "raw"
        else f"{signed(100 * row['estimate'], 1)} of 100 pairs"
    )
    # an untested slope counts as p = 1 in its family, and has none of its own
    return size + (f" (corrected p {p_value(row['p_corr'])})" if known(row["p"]) else "")


def no_loss(capability: pd.DataFrame, target: str) -> Verdict:
    """ "No capability is lost": only non-inferiority tests with their margin set beforehand can say so."""
    claim = "Fine-tuning costs no capability"
    own = capability[capability["dataset"] == target]
    if own.empty:
        return Verdict(claim, UNSAID, "No capability task was measured in this sweep.")
    status = {"no loss": SUPPORTED, "loss": NOT_SUPPORTED}.get(outcome(own.to_dict("records")), UNSAID)
    return Verdict(claim, status, brief(own), ABOUT, status == NOT_SUPPORTED)
