"""The walk that most tables share: metric by metric, model by model, contrast by contrast, the two datasets' scores."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pandas as pd

from tasks.stats.outcome import NAN
from tasks.stats.plan import Plan
from tasks.stats.scores import ArmScores, Pair, Prompts, arm_scores, pair, prompts_of

NO_ARM = "no scores of an arm at this model"
Contrast = tuple[str, str]


@dataclass(frozen=True)
class Comparison:
    """The scores of datasets `a` and `b`, read a - b, in one metric at one model; None where one has none there.

    `fixed_b`: b is one checkpoint without training.
    """

    metric: str
    model: str
    params: float
    a: str
    b: str
    prompts: Prompts
    scores_a: ArmScores | None
    scores_b: ArmScores | None
    fixed_b: bool
    reason: str | None = None  # why scores are missing here, where all that are null have one reason

    @property
    def about(self) -> dict[str, Any]:
        """The columns that say what a row is of."""
        return {"metric": self.metric, "model": self.model, "params": self.params, "contrast": f"{self.a} - {self.b}"}

    @property
    def arms(self) -> tuple[ArmScores, ArmScores] | None:
        """Both datasets' scores, or None."""
        return (self.scores_a, self.scores_b) if self.scores_a and self.scores_b else None

    @cached_property
    def pair(self) -> Pair | None:
        """Both datasets' scores with their seeds matched, or None."""
        return pair(*self.arms, fixed_b=self.fixed_b) if self.arms else None

    @property
    def left_out(self) -> str | None:
        """Which seeds found no partner; None where all did."""
        unpaired = self.pair.unpaired if self.pair else ((), ())
        texts = [f"{'seeds' if len(seeds) > 1 else 'seed'} {', '.join(map(str, seeds))} of {name} "
                 f"{'have' if len(seeds) > 1 else 'has'} no partner and {'are' if len(seeds) > 1 else 'is'} left out"
                 for name, seeds in zip((self.a, self.b), unpaired, strict=True) if seeds]
        return "; ".join(texts) or None


def comparisons(table: pd.DataFrame, plan: Plan, metrics: Iterable[str],
                contrasts: Iterable[Contrast]) -> Iterator[Comparison]:
    """Every contrast (a, b) of every metric and planned model, from (checked) scores, in the order given."""
    models, wanted = ladder(table, plan), list(contrasts)
    sizes = dict(zip(table["model"], table["params"], strict=True))
    groups = dict(iter(table.groupby(["metric", "model"])))
    for metric in metrics:
        prompts = prompts_of(table[table["metric"] == metric])
        for model in models:
            part = groups.get((metric, model), table.iloc[:0])
            arms = {name: arm_scores(part, name, prompts) for name in dict.fromkeys(sum(wanted, ()))}
            reason = _one_reason(part)
            for a, b in wanted:
                yield Comparison(metric, model, float(sizes.get(model, NAN)), a, b, prompts, arms[a], arms[b],
                                 fixed_b=b == plan.base, reason=reason)


def _one_reason(part: pd.DataFrame) -> str | None:
    """The reason that all null scores have, if it is one and the same."""
    if "reason" not in part:
        return None
    reasons = part.loc[part["score"].isna(), "reason"].unique()
    return str(reasons[0]) if len(reasons) == 1 and pd.notna(reasons[0]) else None


def ladder(table: pd.DataFrame, plan: Plan) -> list[str]:
    """The planned models, or those with scores, smallest model first."""
    known = table.drop_duplicates("model").sort_values(["params", "model"])["model"].tolist()
    return list(plan.models) if plan.models else [str(model) for model in known]
