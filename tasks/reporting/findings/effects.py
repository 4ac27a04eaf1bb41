"""A row of the contrasts table as something to speak about: the difference of two arms in one metric at one model."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import pandas as pd

from tasks.reporting.findings.comparison import Comparison, Row
from tasks.reporting.words.terms import Metric, known, metric_of

ALL = "all"  # the category of a row over all prompts


@dataclass(frozen=True, kw_only=True)
class Effect(Comparison):
    """The difference a - b of one metric at one model, with its test."""

    metric: Metric
    model: str
    a: str
    b: str
    role: str
    category: str
    dataset_claim: bool  # whether it speaks about the dataset, and not only about these checkpoints
    ps: float  # probability that a scores higher than b
    k: int  # scores of a prompt
    missing: int  # prompts
    note: str | None  # what the test goes without

    @property
    def better(self) -> int:
        """1 where the test found a to be better, -1 worse, 0 neither (or nobody said which way is better)."""
        return self.sign * self.metric.better

    @property
    def of_100(self) -> int | None:
        """In how many of 100 pairs a did better; None where that is unknown or nobody said which way is better."""
        if not known(self.ps) or self.metric.better == 0:
            return None
        return round(100 * (self.ps if self.metric.better > 0 else 1 - self.ps))


def effects_of(table: pd.DataFrame, primary: str, confidence: float) -> list[Effect]:
    """Every row of the table of contrasts; `confidence` is that of its intervals."""
    return [_effect(row, primary, confidence) for row in table.to_dict("records")]


def chosen(effects: Iterable[Effect], metric: str, a: str, b: str) -> list[Effect]:
    """The effects of one metric and contrast over all prompts, in the order of the models."""
    return [e for e in effects if (e.metric.name, e.a, e.b, e.category) == (metric, a, b, ALL)]


def _effect(row: Row, primary: str, confidence: float) -> Effect:
    (a, b), metric = str(row["contrast"]).split(" - ", 1), metric_of(str(row["metric"]), primary)
    texts: dict[str, Any] = {name: str(row[name]) for name in ("model", "role", "category")}
    correction = "Holm" if row["family"] in ("confirmatory", "secondary") else "Benjamini-Hochberg"
    return Effect.of(
        row,
        correction=correction if isinstance(row["family"], str) else None,
        confidence=confidence,
        unit=metric.unit,
        n=int(row["n_prompts"]),
        metric=metric,
        a=a,
        b=b,
        **texts,
        dataset_claim=str(row["estimand"]).startswith("the dataset"),
        ps=float(row["ps"]),
        k=int(row["k"]),
        missing=int(row["n_missing"]),
        note=row["note"] if isinstance(row.get("note"), str) else None,
    )
