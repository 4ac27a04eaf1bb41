"""A row of the contrasts table as something to speak about: the difference of two arms in one metric at one model."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import pandas as pd

from tasks.reporting.findings.comparison import Comparison, Row
from tasks.reporting.words.terms import Metric, known, metric_of

ALL = "all"  # the category of a row over all prompts
EXPLORES = ("exploratory", "categories: ")  # how the families begin that are corrected by Benjamini-Hochberg


@dataclass(frozen=True)
class Wins:
    """On how many of the prompts that came out apart a did better, with an interval of the share and a sign test."""

    better: int
    of: int
    alike: int  # prompts without a difference
    lo: float  # share; NaN where several seeds are averaged, which interval and test know nothing of
    hi: float
    p: float  # not corrected


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
    seeds: int
    missing: int  # prompts
    note: str | None  # what the test goes without
    higher: int = 0  # prompts where a is above b
    lower: int = 0
    share: tuple[float, float] = (math.nan, math.nan)  # interval of higher / (higher + lower)
    p_sign: float = math.nan

    @property
    def better(self) -> int:
        """1 where the test found a to be better, -1 worse, 0 neither (or nobody said which way is better)."""
        return self.sign * self.metric.better

    @property
    def wins(self) -> Wins | None:
        """None where no prompt came out apart, nothing was tested, or nobody said which way is better."""
        of = self.higher + self.lower
        if not of or not self.metric.better or not known(self.raw):
            return None
        lo, hi = self.share if self.metric.better > 0 else (1 - self.share[1], 1 - self.share[0])
        better = self.higher if self.metric.better > 0 else self.lower
        return Wins(better, of, self.n - of, lo, hi, self.p_sign)


def effects_of(table: pd.DataFrame, primary: str, confidence: float) -> list[Effect]:
    """Every row of the table of contrasts; `confidence` is that of its intervals."""
    return [_effect(row, primary, confidence) for row in table.to_dict("records")]


def chosen(effects: Iterable[Effect], metric: str, a: str, b: str) -> list[Effect]:
    """The effects of one metric and contrast over all prompts, in the order of the models."""
    return [e for e in effects if (e.metric.name, e.a, e.b, e.category) == (metric, a, b, ALL)]


def _effect(row: Row, primary: str, confidence: float) -> Effect:
    (a, b), metric = str(row["contrast"]).split(" - ", 1), metric_of(str(row["metric"]), primary)
    texts: dict[str, Any] = {name: str(row[name]) for name in ("model", "role", "category")}
    family = row["family"] if isinstance(row["family"], str) else None
    return Effect.of(
        row,
        correction=None if family is None else "Benjamini-Hochberg" if family.startswith(EXPLORES) else "Holm",
        confidence=confidence,
        unit=metric.unit,
        n=int(row["n_prompts"]),
        metric=metric,
        a=a,
        b=b,
        **texts,
        dataset_claim=str(row["estimand"]).startswith("the dataset"),
        seeds=int(row["seeds"]),
        missing=int(row["n_missing"]),
        note=row["note"] if isinstance(row.get("note"), str) else None,
        higher=int(row["higher"]) if known(row["higher"]) else 0,
        lower=int(row["lower"]) if known(row["lower"]) else 0,
        share=(float(row["higher_lo"]), float(row["higher_hi"])),
        p_sign=float(row["p_sign"]),
    )
