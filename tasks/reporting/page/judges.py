"""Judges: language models that rated, held against people. No claim of the page rests on them."""

from collections.abc import Iterator
from typing import Any

import pandas as pd

from tasks.reporting.data.study import Study
from tasks.reporting.page.section import Results, Section
from tasks.reporting.tables.columns import columns
from tasks.reporting.tables.tables import Table, shown
from tasks.reporting.words.sentences import say
from tasks.reporting.words.terms import MINUS
from tasks.text.shown import safe

WHO = {
    "person": "one person", "judge": "the judge", "constant": "always the same rating",
    "longer": "the longer, the better", "judge - person": "the judge − one person",
}  # fmt: skip
JUDGES = (
    "judge asked revision answered_by texts rated_texts unsure missing reasons tokens_in tokens_out rated_by_people"
)
AGREEMENT = (
    "judge scope who correlation correlation_lo correlation_hi difference difference_lo difference_hi order order_lo "
    "order_hi alpha n_texts n_prompts n_pairs reason"
)
BIAS = "judge model of estimate ci_lo ci_hi p n_texts n_prompts reason"
DECISIONS = (
    "judge model contrast decision people_diff people_p_corr people_claim judge_diff judge_p_corr judge_claim "
    "correlation same_sign n_texts n_prompts reason"
)


def section(results: Results) -> Section | None:
    """What judges did, and whether a team that asked one in place of people would claim the same; None without any."""
    study = results.study
    judges = study.judges["judges"]
    if not len(judges):
        return None
    content = {"sentences": list(_sentences(study)), "several": len(judges) > 1}
    return Section("judges", "Judges", "Do judge models decide as people do?", content, tables=list(_tables(study)))


def _sentences(study: Study) -> Iterator[str]:
    """For each judge: why it carries no claim, or what it says of each contrast beside people; and how close it is."""
    decisions, agreement = study.judges["decisions"], study.judges["agreement"]
    for judge in study.judges["judges"].to_dict("records"):
        if not judge["claims"]:
            yield say("judges.no_claim", judge["judge"], judge["reason"])
            continue
        for row in decisions[decisions["judge"] == judge["judge"]].to_dict("records"):
            yield say("judges.decision", _plain(row), len(study.models) > 1)
        every = agreement[(agreement["judge"] == judge["judge"]) & (agreement["scope"] == "all")].set_index("who")
        yield say("judges.agreement", judge["judge"], *(_plain(every.loc[who].to_dict()) for who in WHO))


def _plain(row: dict[Any, Any]) -> dict[str, Any]:
    """The row with None where it has no figure."""
    return {str(key): None if pd.isna(value) else value for key, value in row.items()}


def _tables(study: Study) -> Iterator[Table]:
    table = study.judges["judges"].rename(columns={"model": "asked", "rated": "rated_texts"})
    judges = table.assign(answered_by=[safe(str(name)) for name in table["answered_by"].fillna("")])  # a service's word
    yield shown("judges", "The judges, and what they were able to rate", judges, columns(JUDGES, reason="remark"))
    decisions, agreement = study.judges["decisions"], study.judges["agreement"]
    if len(decisions):
        read = decisions.assign(contrast=_minus(decisions["contrast"]))
        yield shown("judges-decisions", "Every confirmatory contrast, by people and by judges", read,
                    columns(DECISIONS, reason="why it cannot be said"), decisions)  # fmt: skip
    if len(agreement):
        caption = "How close each comes to the mean of the other people who rated the text"
        read = agreement.assign(who=agreement["who"].map(WHO))
        yield shown("judges-agreement", caption, read, columns(AGREEMENT, reason="remark"), agreement)
    if len(bias := study.judges["bias"]):
        read = bias.assign(of=_minus(bias["of"]))
        yield shown("judges-bias", "Where judges rate higher than people (not corrected)", read, columns(BIAS), bias)


def _minus(names: "pd.Series[str]") -> "pd.Series[str]":
    return names.str.replace(" - ", f" {MINUS} ", regex=False)
