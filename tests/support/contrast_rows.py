"""Rows of the tables of tests, as the tests of the words need them."""

import math
from typing import Any

import pandas as pd

from tasks.reporting.findings.effects import Effect, effects_of
from tasks.stats import trend
from tasks.stats.contrasts import COLUMNS


def row(**changes: Any) -> dict[str, Any]:
    """A confirmatory row with a clear gain; figures and words can be changed by column."""
    found: dict[str, Any] = dict.fromkeys(COLUMNS, math.nan)
    found |= {
        "metric": "adherence",
        "role": "primary",
        "model": "small",
        "params": 1e8,
        "contrast": "values - control",
        "category": "all",
        "estimand": "these checkpoints, prompts like these",
        "n_prompts": 40,
        "n_missing": 0,
        "k": 1,
        "raters": 0,
        "seeds": 1,
        "diff": 0.2,
        "ci_lo": 0.1,
        "ci_hi": 0.3,
        "p": 0.001,
        "p_corr": 0.002,
        "family": "confirmatory",
        "m": 2,
        "ps": 0.78,
        "p_signflip": 0.001,
        "reason": None,
    }
    return found | changes


def effects(*rows: dict[str, Any]) -> list[Effect]:
    """The rows as effects; the primary metric is adherence."""
    return effects_of(pd.DataFrame(list(rows)), "adherence", 0.95)


GAIN: dict[str, Any] = {}
LOSS = {"diff": -0.2, "ci_lo": -0.3, "ci_hi": -0.1, "ps": 0.2}
UNCLEAR = {"diff": 0.02, "ci_lo": -0.05, "ci_hi": 0.09, "p": 0.5, "p_corr": 0.9, "p_signflip": 0.5, "ps": 0.52}
UNTESTED = {
    "diff": math.nan,
    "ci_lo": math.nan,
    "ci_hi": math.nan,
    "p": math.nan,
    "p_corr": 1.0,
    "ps": math.nan,
    "p_signflip": math.nan,
    "reason": "no scores of control at this model",
}


def slope(**changes: Any) -> dict[str, Any]:
    """A row of the trend table: a tested slope that rises."""
    found: dict[str, Any] = dict.fromkeys(trend.COLUMNS, math.nan)
    found |= {
        "metric": "adherence",
        "model_family": "toy",
        "contrast": "values - base",
        "scale": "raw",
        "models": "small, middle, large",
        "n_models": 3,
        "seeds": 3,
        "estimate": 0.1,
        "p": 0.001,
        "p_corr": 0.004,
        "descriptive": False,
        "reason": None,
    }
    return found | changes


def slopes(**changes: Any) -> pd.DataFrame:
    """Both contrasts on both scales."""
    contrasts, scales = ("values - control", "values - base"), ("raw", "ps")
    return pd.DataFrame([slope(contrast=c, scale=s, **changes) for c in contrasts for s in scales])
