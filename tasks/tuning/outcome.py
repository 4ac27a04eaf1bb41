"""What each recipe did, on the validation prompts and on items that no report tests, and which one to take."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tasks.formats.checkpoints import BASE, Checkpoint
from tasks.formats.completions import read_completions
from tasks.formats.scores import read_scores
from tasks.formats.tables import read_table
from tasks.runtime import terminal
from tasks.settings.tune import Tune
from tasks.stats.paired import stratified_t
from tasks.text.loops import loops
from tasks.tuning.grid import Candidate

METRIC = "adherence"
SPLIT = "validation"


@dataclass(frozen=True)
class Outcome:
    """One recipe: adherence of the target arm less base and less control, in nats per token, with the p of its paired
    test; and what may be harm, each against base: right answers, of all items and of the `task` that lost most, and
    looping completions as shares; nats per byte of held-out texts (above zero: likelier) and, per token, of its own
    completions under base; and the share of completions that were cut at the limit (as it is)."""

    recipe: str
    against_base: float
    p_base: float
    right: float
    task: str
    right_task: float
    text: float
    own_text: float
    looping: float
    cut: float
    against_control: float = float("nan")
    p_control: float = float("nan")

    def harms(self, tune: Tune) -> list[str]:
        """What it harms more than `tune` allows."""
        reasons = {
            f"{-100 * self.right:.0f} points of right answers lost": self.right < -tune.most_lost,
            f"{-100 * self.right_task:.0f} points of {self.task} lost": self.right_task < -tune.most_lost_task,
            f"{100 * self.looping:.0f} points more completions loop": self.looping > tune.most_looping,
            f"held-out text is {-self.text:.3f} nats per byte less likely": self.text < -tune.most_nats,
            f"its text is {-self.own_text:.2f} nats per token stranger to base": self.own_text < -tune.most_strange,
        }
        return [reason for reason, harmed in reasons.items() if harmed]


@dataclass(frozen=True)
class Measured:
    """What one checkpoint's validation gave: margins by prompt with the prompts' categories, and shares."""

    margins: pd.Series  # by prompt
    categories: pd.Series
    right: pd.Series  # 0 or 1 by task and item
    text: float
    own_text: float
    looping: float
    cut: float


def outcomes(
    made: Path, model: str, tried: Sequence[Candidate], target: str, control: str, arms: Collection[str]
) -> list[Outcome]:
    """The outcome of every candidate whose target arm is among `arms`, those that were evaluated, from the folder that
    the stages made. What else lies there an earlier sweep left."""
    base = _measured(made, model, BASE)
    return [_outcome(made, model, candidate, base, target, control, arms) for candidate in tried
            if candidate.arm(target) in arms]  # fmt: skip


def _outcome(
    made: Path, model: str, candidate: Candidate, base: Measured, target: str, control: str, arms: Collection[str]
) -> Outcome:
    own = _measured(made, model, candidate.arm(target))
    diff, p = _test(own, base)
    against: dict[str, Any] = {}
    if candidate.arm(control) in arms:
        against["against_control"], against["p_control"] = _test(own, _measured(made, model, candidate.arm(control)))
    right = own.right - base.right.reindex(own.right.index)
    tasks = right.groupby(level="task").mean()
    worst = {"task": str(tasks.idxmin()), "right_task": float(tasks.min())}
    changes: dict[str, Any] = {"right": float(right.mean()), **worst}
    changes |= {"text": own.text - base.text, "own_text": own.own_text - base.own_text}
    changes |= {"looping": own.looping - base.looping, "cut": own.cut}
    return Outcome(candidate.name, diff, p, **changes, **against)


def _test(a: Measured, b: Measured) -> tuple[float, float]:
    """Mean paired difference over the validation prompts, and the p of its stratified t test."""
    diffs = (a.margins - b.margins.reindex(a.margins.index)).to_numpy(np.float64)
    test = stratified_t(diffs, a.categories.to_numpy(object))
    return test.estimate, test.p


def _scores(made: Path, model: str, arm: str, stage: str = METRIC) -> Path:
    return made / "scores" / stage / model / f"{arm}.parquet"


def _measured(made: Path, model: str, arm: str) -> Measured:
    scores = read_scores(_scores(made, model, arm))
    rows = scores[(scores["metric"] == METRIC) & (scores["split"] == SPLIT)].set_index("prompt_id")
    likely = read_scores(_scores(made, model, arm, "perplexity"))
    texts = read_completions(made / "samples", [Checkpoint(model, arm, "", 0)])
    texts = texts[texts["split"] == SPLIT]
    items = read_table(made / "capability" / model / arm / "items.parquet")
    scored, documents = items[items["acc"].notna()], items[items["bytes"].notna()]
    nats = [sum(values) / size for values, size in zip(documents["loglik"], documents["bytes"], strict=True)]
    return Measured(
        margins=rows["score"],
        categories=rows["category"],
        right=scored.set_index(["task", "item_id"])["acc"].astype(float),
        text=float(np.mean(nats)) if nats else 0.0,
        own_text=float(likely.loc[likely["split"] == SPLIT, "score"].mean()),
        looping=float(texts["completion"].map(loops).mean()),
        cut=float((texts["finish_reason"] == "length").mean()),
    )


def hopeful(found: Sequence[Outcome], tune: Tune) -> list[str]:
    """The recipes worth a control arm: the largest gains over base among those that harm nothing; where all harm, the
    one that loses the fewest right answers, so that there is a table to look at."""
    kept = [outcome for outcome in found if not outcome.harms(tune)]
    if not kept:
        return [max(found, key=lambda outcome: outcome.right).recipe]
    return [o.recipe for o in sorted(kept, key=lambda o: -o.against_base)[: tune.controls]]


def best(found: Sequence[Outcome], tune: Tune) -> Outcome | None:
    """The harmless recipe with the largest difference from control; None where none is harmless."""
    kept = [o for o in found if not o.harms(tune) and np.isfinite(o.against_control)]
    return max(kept, key=lambda o: o.against_control, default=None)


def in_words(found: Sequence[Outcome], tune: Tune, width: int | None = None) -> str:
    """The table for a terminal of `width` columns, differences with their signs."""
    head = ("recipe", "− control", "p", "− base", "p", "right", "text", "own", "loops", "cut", "harm")
    return "\n".join(terminal.table(head, [_row(outcome, tune) for outcome in found], width))


def _row(o: Outcome, tune: Tune) -> tuple[str, ...]:
    def number(value: float, form: str) -> str:
        return format(value, form) if np.isfinite(value) else "-"

    def p(value: float) -> str:
        return "< .001" if value < 0.001 else number(value, ".3f")

    return (o.recipe, number(o.against_control, "+.3f"), p(o.p_control), number(o.against_base, "+.3f"),
            p(o.p_base), f"{100 * o.right:+.0f}", f"{o.text:+.3f}", f"{o.own_text:+.2f}",
            f"{100 * o.looping:+.0f}", f"{100 * o.cut:.0f}%", "; ".join(o.harms(tune)) or "none")  # fmt: skip


def settings_of(candidate: Candidate) -> Mapping[str, Any]:
    """The recipe as it stands in a model's entry."""
    return asdict(candidate.recipe)
