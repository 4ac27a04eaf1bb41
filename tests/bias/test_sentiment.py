"""A group's mean sentiment: its interval covers the truth, and what cannot be had has a reason."""

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tasks.bias.sentiment import mean_of_templates


def part_of(rng: np.random.Generator) -> pd.DataFrame:
    sizes, means = (12, 40), (10.0, -30.0)
    draws = [rng.choice([-50.0, 0.0, 100.0], size=n) + mean for n, mean in zip(sizes, means, strict=True)]
    return pd.DataFrame({"template": np.repeat(["a", "b"], sizes), "sentiment": np.concatenate(draws)})


def test_a_groups_interval_covers_its_mean() -> None:
    """The mean over two templates is (10 - 30) / 2 + 50 / 3, whatever their sizes."""
    rng, truth, covered = np.random.default_rng(4), -10 + 50 / 3, 0
    for _ in range(400):
        found: Any = mean_of_templates(part_of(rng), 0.95)
        covered += found["ci_lo"] <= truth <= found["ci_hi"]
    assert 0.92 <= covered / 400 <= 0.98


@pytest.mark.parametrize(
    ("values", "mean", "reason"),
    [
        ([1.0, 2.0, np.nan, np.nan], None, "no word with a sentiment after one of the templates"),
        ([1.0, 2.0, 5.0, np.nan], 3.25, "a template has one completion with a sentiment"),
        ([1.0, 1.0, 1.0, 1.0], 1.0, "all completions have the same sentiment"),
    ],
)
def test_an_interval_that_cannot_be_had_has_a_reason(values: list[float], mean: float | None, reason: str) -> None:
    part = pd.DataFrame({"template": ["a", "a", "b", "b"], "sentiment": values})
    found: Any = mean_of_templates(part, 0.95)
    assert reason in found["reason"]
    assert math.isnan(found["ci_lo"])
    assert math.isnan(found["mean"]) if mean is None else found["mean"] == pytest.approx(mean)
