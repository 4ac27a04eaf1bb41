"""Whether fine-tuning changed how far apart the words are that follow the groups of a family, in sentences.

The figure is the corrected divergence; its change from base is tested by the stage `cooccurrence`. Where counts are
too small nothing is claimed, whatever the test says, and a test that found none is never told as "no change".
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from tasks.formats.checkpoints import BASE
from tasks.reporting.data.study import Study
from tasks.reporting.findings.effects import Found
from tasks.reporting.words.terms import counted, known, level, listed, number, p_value, signed
from tasks.stats.families import benjamini_hochberg

UNIT = "bits"
MOST_TOLD = 4  # changes of one kind that are told one by one
FEW = "too few words"


@dataclass(frozen=True)
class Change:
    """A tuned arm's corrected divergence less that of base, for one family at one model, with its test."""

    where: str  # the model, and the arm if its dataset has several
    diff: float
    lo: float
    hi: float
    p: float  # corrected for the number of tests of the target, not of the negative control
    tests: int  # together with which it was corrected; 1 if it was not
    raw: float
    few: bool  # counts are too small
    least: tuple[int, str]  # the fewest completions with a descriptive word in either arm, and of what
    reason: str | None  # why there is no test

    def found(self, alpha: float) -> Found:
        """What the test says at this level; nothing where counts are too small."""
        if self.few or not known(self.raw):
            return Found.UNTESTED
        if self.p > alpha:
            return Found.UNCLEAR
        return Found.HIGHER if self.diff > 0 else Found.LOWER

    def moved(self, alpha: float) -> bool:
        """Whether the test found a change."""
        return self.found(alpha) in (Found.HIGHER, Found.LOWER)


@dataclass(frozen=True)
class Finding:
    """One family: in a few words, what the target dataset changed, and what neutral text changed."""

    short: str
    text: str
    control: str


def corrected(study: Study) -> pd.DataFrame:
    """The table of changes with `p_corr` and `m`: those of the target arms, all families and models together.

    Benjamini and Hochberg's; a test that could not be computed counts as p = 1. Null for the other arms.
    """
    table = study.words["changes"]
    target = table["arm"].isin(study.arms_of(study.config.target))
    table = table.assign(p_corr=float("nan"), m=float("nan"))
    table.loc[target, "p_corr"] = benjamini_hochberg(table.loc[target, "p"].astype(float))
    table.loc[target, "m"] = float(target.sum())
    return table


def changes_of(study: Study, family: str, dataset: str) -> list[Change]:
    """The changes of one family in the arms of a dataset, smallest model first."""
    table, arms = corrected(study), study.arms_of(dataset)
    rows = {(row["model"], row["arm"]): row for row in table[table["family"] == family].to_dict("records")}
    every = [(model, arm) for model in study.models for arm in arms]
    names = {(model, arm): f"{arm} at {model}" if len(arms) > 1 else model for model, arm in every}
    return [
        _change(rows[checkpoint], names[checkpoint], _least(study, rows[checkpoint]))
        for checkpoint in every
        if checkpoint in rows
    ]


def _change(row: Mapping[Any, Any], where: str, least: tuple[int, str]) -> Change:
    together = known(row["m"])
    return Change(
        where=where,
        diff=float(row["diff"]),
        lo=float(row["ci_lo"]),
        hi=float(row["ci_hi"]),
        p=float(row["p_corr"] if together else row["p"]),
        tests=int(row["m"]) if together else 1,
        raw=float(row["p"]),
        few=bool(row["too_few"]),
        least=least,
        reason=row["reason"] if isinstance(row["reason"], str) else None,
    )


def _least(study: Study, row: Mapping[Any, Any]) -> tuple[int, str]:
    table = study.words["sentiment"]
    own = table[(table["model"] == row["model"]) & (table["family"] == row["family"])]
    counts = own[own["arm"].isin((BASE, row["arm"]))].sort_values("n_with_words", kind="stable")
    first = counts.iloc[0]
    return int(first["n_with_words"]), f"of {first['arm']} at {first['model']} for “{first['group']}”"


def finding(study: Study, family: str) -> Finding:
    """What fine-tuning on the target dataset changed in one family, and what neutral text changed."""
    confidence, needed = float(study.words_used["confidence"]), int(study.words_used["min_completions"])
    target, control = study.config.target, study.config.control
    main, neutral = (changes_of(study, family, dataset) for dataset in (target, control))
    text = told(neutral, control, confidence, needed)
    alpha = 1 - confidence
    if any(change.moved(alpha) for change in neutral):
        text += f" So fine-tuning on {control} text moves this figure too"
        text += f", and the {target} dataset need not be the cause." if any(c.moved(alpha) for c in main) else "."
    return Finding(_short(main, alpha), told(main, target, confidence, needed), f"Negative control: {text}")


def told(changes: Sequence[Change], dataset: str, confidence: float, needed: int) -> str:
    """Sentences for one dataset's changes; `needed` completions of a group must hold a descriptive word."""
    pair, parts = f"the {dataset} and the {BASE} model", []
    words = {
        Found.HIGHER: f"the words differ more between the groups in the {dataset} than in the {BASE} model",
        Found.LOWER: f"the words differ less between the groups in the {dataset} than in the {BASE} model",
        Found.UNCLEAR: f"no change was found between {pair} in how far the groups' words differ",
        FEW: f"there are too few words to say anything about {pair}",
        Found.UNTESTED: f"{pair} could not be compared",
    }
    for kind, said in words.items():
        if own := [change for change in changes if _kind(change, 1 - confidence) == kind]:
            details = {FEW: _few(own, needed), Found.UNTESTED: _reasons(own)}.get(kind) or _tested(
                own, confidence, several=len(changes) > 1
            )
            not_none = " That does not show that there is none." if kind is Found.UNCLEAR else ""
            parts.append(f"{said[0].upper()}{said[1:]}{_share(len(own), len(changes))}: {details}.{not_none}")
    return " ".join(parts) or f"There is no {dataset} model to compare."


def _kind(change: Change, alpha: float) -> str:
    return FEW if change.few else change.found(alpha)


def _share(some: int, every: int) -> str:
    """` in 2 of 3 comparisons`, where there are several."""
    if every == 1:
        return ""
    return f" in {some} of {every} comparisons" if some < every else f" in all {every} comparisons"


def _few(changes: Sequence[Change], needed: int) -> str:
    count, of = min(change.least for change in changes)
    return f"the fewest completions with a descriptive word are {count}, {of}; {needed} are needed"


def _reasons(changes: Sequence[Change]) -> str:
    return "; ".join(f"{change.where}: {change.reason or 'no reason given'}" for change in changes)


def _tested(changes: Sequence[Change], confidence: float, *, several: bool) -> str:
    """The changes with their intervals and tests; of several, what holds for all is said once, of many the range."""
    tests = changes[0].tests
    how = f"after Benjamini-Hochberg correction for {counted(tests, 'test')}" if tests > 1 else "not corrected"
    if not several:
        (one,) = changes
        limits = f"{level(confidence)} interval {number(one.lo)} to {number(one.hi)}"
        return f"{signed(one.diff)} {UNIT} ({limits}; p {p_value(one.p)}{' ' if tests > 1 else ', '}{how})"
    if len(changes) > MOST_TOLD:
        sizes, chances = [one.diff for one in changes], [one.p for one in changes]
        return (
            f"from {signed(min(sizes))} to {signed(max(sizes))} {UNIT}, p from {number(min(chances))} to "
            f"{number(max(chances))} ({how}), each with its interval in the table of changes below"
        )
    figures = [
        f"{one.where} {signed(one.diff)} ({number(one.lo)} to {number(one.hi)}; p {p_value(one.p)})" for one in changes
    ]
    return f"{'; '.join(figures)} ({UNIT}, {level(confidence)} intervals, p {how})"


def _short(changes: Sequence[Change], alpha: float) -> str:
    """The answer in a few words."""
    kinds = [_kind(change, alpha) for change in changes]
    counts = [(kinds.count(kind), word) for kind, word in ((Found.HIGHER, "more"), (Found.LOWER, "less"))]
    if moved := [word + _share(count, len(kinds)) for count, word in counts if count]:
        return f"Differ {listed(moved)}"
    if Found.UNCLEAR in kinds:
        return "No change found"
    return "Too few words" if FEW in kinds else "Not tested"
