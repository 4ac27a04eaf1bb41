"""Rows of the tables of tests, as the tests of the words need them."""

import math
from typing import Any

import pandas as pd

from tasks.reporting.findings.effects import Effect, effects_of
from tasks.stats import contrasts, trend

GAIN: dict[str, Any] = {}
LOSS = {"diff": -0.2, "ci_lo": -0.3, "ci_hi": -0.1, "ps": 0.2, "higher": 8, "lower": 32, "higher_lo": 0.09,
        "higher_hi": 0.36}  # fmt: skip
UNCLEAR = {"diff": 0.02, "ci_lo": -0.05, "ci_hi": 0.09, "p": 0.5, "p_corr": 0.9, "p_signflip": 0.5, "ps": 0.52,
           "higher": 21, "lower": 19, "higher_lo": 0.36, "higher_hi": 0.68, "p_sign": 0.875}  # fmt: skip
UNTESTED: dict[str, Any] = dict.fromkeys(("diff", "ci_lo", "ci_hi", "p", "ps", "p_signflip", "p_sign"), math.nan)
UNTESTED |= {"higher": 0, "lower": 0, "p_corr": 1.0, "reason": "no scores of control at this model"}


def row(**changes: Any) -> dict[str, Any]:
    """A confirmatory row with a clear gain; figures and words can be changed by column."""
    clear = {"metric": "adherence", "role": "primary", "model": "small", "params": 1e8, "contrast": "values - control",
             "category": "all", "estimand": "these checkpoints, prompts like these", "n_prompts": 40, "n_missing": 0,
             "k": 1, "raters": 0, "seeds": 1, "diff": 0.2, "ci_lo": 0.1, "ci_hi": 0.3, "p": 0.001, "p_corr": 0.002,
             "family": "confirmatory", "m": 2, "ps": 0.78, "p_signflip": 0.001, "reason": None, "higher": 31,
             "lower": 9, "higher_lo": 0.62, "higher_hi": 0.89, "p_sign": 0.001}  # fmt: skip
    return dict.fromkeys(contrasts.COLUMNS, math.nan) | clear | changes


def effects(*rows: dict[str, Any]) -> list[Effect]:
    """The rows as effects; the primary metric is adherence."""
    return effects_of(pd.DataFrame(list(rows)), "adherence", 0.95)


def slopes(**changes: Any) -> pd.DataFrame:
    """Both contrasts on both scales, in rows of the trend table: tested slopes that rise."""
    rises = {"metric": "adherence", "model_family": "toy", "models": "small, middle, large", "n_models": 3, "seeds": 3,
             "estimate": 0.1, "p": 0.001, "p_corr": 0.004, "family": "trend: adherence", "m": 2, "descriptive": False,
             "reason": None}  # fmt: skip
    pairs = [(contrast, scale) for contrast in ("values - control", "values - base") for scale in ("raw", "ps")]
    rows = [{"contrast": contrast, "scale": scale} | rises | changes for contrast, scale in pairs]
    return pd.DataFrame(rows, columns=list(trend.COLUMNS))


def task(verdict: str = "no loss", **changes: Any) -> dict[str, Any]:
    """A row of the capability table: one task of seven, with this verdict."""
    tested = {"task": "palms_word_meaning", "whole_set": False, "endpoint": False, "model": "small", "arm": "values",
              "dataset": "values", "against": "base", "against_arm": "base", "n_missing": 0, "p_noninferior": 0.02,
              "p_noninferior_corr": 0.04, "m_noninferior": 7, "power": 0.9, "power_joint": 0.9,
              "n": 64, "diff": -0.01, "ci90_lo": -0.04, "ci90_hi": 0.02, "margin": 0.1, "equivalent": False,
              "n_for_80": 80.0, "reason": None, "p_loss": 0.001, "p_loss_corr": 0.004, "m_loss": 7}  # fmt: skip
    return tested | {"verdict": verdict} | changes
