"""One row of the contrasts table as something to speak about, and what its test found."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import pandas as pd

from tasks.reporting.words.terms import Metric, known, metric_of

ALL = "all"  # the category of a row over all prompts


class Found(StrEnum):
    """What a test says; without one nothing is said. There is no "equal": these tests cannot show it."""

    HIGHER = "higher"
    LOWER = "lower"
    UNCLEAR = "no difference found"
    UNTESTED = "not tested"


@dataclass(frozen=True)
class Effect:
    """The difference a - b of one metric at one model, with its test."""

    metric: Metric
    model: str
    a: str
    b: str
    role: str
    category: str
    estimand: str
    diff: float
    lo: float
    hi: float
    p: float  # corrected where the test belongs to a family
    family: str | None
    tests: int  # in the family
    flip: float  # p of the sign-flip permutation test, which nobody corrected
    raw: float  # p of the test itself, before correction
    ps: float
    k: int
    n: int
    missing: int
    reason: str | None  # why there is no test
    note: str | None  # what the test goes without

    def found(self, alpha: float) -> Found:
        """What the (corrected) test says at this level; a difference nobody could test is not interpreted."""
        if not known(self.p) or not known(self.raw):
            return Found.UNTESTED
        if self.p > alpha:
            return Found.UNCLEAR
        return Found.HIGHER if self.diff > 0 else Found.LOWER

    def better(self, alpha: float) -> int:
        """1 where the test found a to be better, -1 worse, 0 neither (or nobody said which way is better)."""
        return {Found.HIGHER: 1, Found.LOWER: -1}.get(self.found(alpha), 0) * self.metric.better

    @property
    def dataset_claim(self) -> bool:
        """Whether the row speaks about the dataset, and not only about these checkpoints."""
        return self.estimand.startswith("the dataset")


def effects_of(table: pd.DataFrame, primary: str) -> list[Effect]:
    """Every row of the table of contrasts."""
    return [_effect(row, primary) for row in table.to_dict("records")]


def chosen(effects: Iterable[Effect], metric: str, a: str, b: str, category: str = ALL) -> list[Effect]:
    """The effects of one metric and contrast, in the order of the models."""
    wanted = (metric, a, b, category)
    return [e for e in effects if (e.metric.name, e.a, e.b, e.category) == wanted]


def _effect(row: Mapping[Any, Any], primary: str) -> Effect:
    a, b = str(row["contrast"]).split(" - ", 1)
    in_family = isinstance(row["family"], str)
    return Effect(
        metric=metric_of(str(row["metric"]), primary),
        model=str(row["model"]),
        a=a,
        b=b,
        role=str(row["role"]),
        category=str(row["category"]),
        estimand=str(row["estimand"]),
        diff=float(row["diff"]),
        lo=float(row["ci_lo"]),
        hi=float(row["ci_hi"]),
        p=float(row["p_corr"] if in_family else row["p"]),
        family=row["family"] if in_family else None,
        tests=int(row["m"]) if in_family else 1,
        flip=float(row["p_signflip"]),
        raw=float(row["p"]),
        ps=float(row["ps"]),
        k=int(row["k"]),
        n=int(row["n_prompts"]),
        missing=int(row["n_missing"]),
        reason=_text(row["reason"]),
        note=_text(row.get("note")),
    )


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
