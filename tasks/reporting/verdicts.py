"""The claims of the published work one by one: supported, not supported, or not to be said from this sweep."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from tasks.reporting.capability import ABOUT, brief, outcome
from tasks.reporting.claims import about, at_sizes, summary
from tasks.reporting.effects import Effect, Found
from tasks.reporting.terms import known, listed, p_value, signed

SUPPORTED = "supported"
NOT_SUPPORTED = "not supported"
UNSAID = "cannot be said from this sweep"
RUNGS_OF_A_TREND = 3


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


def grows(trend: pd.DataFrame, metric: str, alpha: float) -> list[Verdict]:
    """ "More so with size", for each model family: both contrasts, and on the raw scale as well as in pairs."""
    rows = trend[trend["metric"] == metric]
    if rows.empty:
        return [Verdict("The effect grows with model size", UNSAID, "There is no test of a trend in this sweep.")]
    several = rows["model_family"].nunique() > 1
    claim = "The effect grows with model size"
    return [
        _grows(f"{claim} ({family})" if several else claim, part.to_dict("records"), alpha)
        for family, part in rows.groupby("model_family")
    ]


def _grows(claim: str, rows: Sequence[Mapping[Any, Any]], alpha: float) -> Verdict:
    rungs = int(rows[0]["n_rungs"])
    if rungs < 2:
        return Verdict(claim, UNSAID, "One model size cannot show a trend.")
    slopes = _slopes(rows)
    if rungs < RUNGS_OF_A_TREND:
        return Verdict(claim, UNSAID, f"Two sizes give a difference, never a trend. {slopes}.")
    if any(bool(row["descriptive"]) for row in rows):
        return Verdict(
            claim,
            UNSAID,
            f"With one training seed at some size, a slope describes these checkpoints and is not tested. {slopes}.",
        )
    if not all(known(row["p_corr"]) and known(row["p"]) for row in rows):
        reasons = sorted({str(row["reason"]) for row in rows if not known(row["p"])})
        return Verdict(claim, UNSAID, f"The slope could not be tested: {listed(reasons)}.")
    rising = [row["p_corr"] <= alpha and row["estimate"] > 0 for row in rows]
    subject = "A claim about the dataset at these model sizes."
    if all(rising):
        return Verdict(claim, SUPPORTED, f"{slopes}.", subject)
    mixed = "Only for some contrasts or on one of the two scales, and such a trend can be made by the scale. "
    falling = any(row["p_corr"] <= alpha and row["estimate"] < 0 for row in rows)
    return Verdict(claim, NOT_SUPPORTED, f"{mixed if any(rising) else ''}{slopes}.", subject, falling)


def _slopes(rows: Sequence[Mapping[Any, Any]]) -> str:
    """Each contrast's slope on both scales, in one sentence."""
    unit = "per tenfold of parameters" if int(rows[0]["n_rungs"]) >= RUNGS_OF_A_TREND else "from smaller to larger"
    contrasts = dict.fromkeys(str(row["contrast"]) for row in rows)
    told = [
        f"{contrast.replace(' - ', ' against ')} {listed([_slope(row) for row in rows if row['contrast'] == contrast])}"
        for contrast in contrasts
    ]
    return f"Change of the effect {unit}: {'; '.join(told)}"


def _slope(row: Mapping[Any, Any]) -> str:
    size = (
        f"{signed(row['estimate'])} points"
        if row["scale"] == "raw"
        else f"{signed(100 * row['estimate'], 1)} of 100 pairs"
    )
    return size + (f" (corrected p {p_value(row['p_corr'])})" if known(row["p_corr"]) else "")


def no_loss(capability: pd.DataFrame, target: str) -> Verdict:
    """ "No capability is lost": only non-inferiority tests with their margin set beforehand can say so."""
    claim = "Fine-tuning costs no capability"
    own = capability[capability["dataset"] == target]
    if own.empty:
        return Verdict(claim, UNSAID, "No capability task was measured in this sweep.")
    status = {"no loss": SUPPORTED, "loss": NOT_SUPPORTED}.get(outcome(own.to_dict("records")), UNSAID)
    return Verdict(claim, status, brief(own), ABOUT, status == NOT_SUPPORTED)
