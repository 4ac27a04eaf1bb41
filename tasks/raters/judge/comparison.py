"""Every table about judges and people."""

from collections.abc import Mapping, Sequence

import pandas as pd

from tasks.raters.judge import UNSURE, agreement, bias, decision
from tasks.raters.judge.common import TEXT, common_texts
from tasks.stats.plan import Plan

JUDGES = ("judge", "model", "revision", "rubric", "answered_by", "texts", "rated", "unsure", "missing", "reasons",
          "tokens_in", "tokens_out", "rated_by_people", "claims", "reason")  # fmt: skip
PROMPTS = ("judge", "model", "contrast", "category", "prompt_id", "of_people", "of_judge")
TABLES: Mapping[str, Sequence[str]] = {
    "judges": JUDGES, "agreement": agreement.COLUMNS, "bias": bias.COLUMNS, "decisions": decision.COLUMNS,
    "prompts": PROMPTS,
}  # fmt: skip


def empty_tables() -> dict[str, pd.DataFrame]:
    """The tables of a sweep without a judge."""
    return {name: pd.DataFrame(columns=list(columns)) for name, columns in TABLES.items()}


def judge_row(name: str, ratings: pd.DataFrame, replies: pd.DataFrame, about: Mapping[str, str]) -> dict[str, object]:
    """What a judge did: a row of `judges` without what people say of it. Texts count once, whoever wrote them."""
    texts = ratings.drop_duplicates("text_id")
    reasons = texts["reason"].dropna().value_counts()
    return {"judge": name, **about, "answered_by": ", ".join(sorted(set(replies["answered_by"].dropna()) - {""})),
            "texts": len(texts), "rated": int(texts["score"].notna().sum()), "unsure": int(reasons.get(UNSURE, 0)),
            "missing": int(reasons.drop(UNSURE, errors="ignore").sum()),
            "reasons": ", ".join(f"{count} {reason}" for reason, count in reasons.items()),
            "tokens_in": int(replies["tokens_in"].sum()), "tokens_out": int(replies["tokens_out"].sum())}  # fmt: skip


def against_people(
    name: str, judged: pd.DataFrame, people: pd.DataFrame, plan: Plan, least: int
) -> tuple[dict[str, pd.DataFrame], dict[str, object]]:
    """The tables about one judge, and the columns that they add to its row of `judges`.

    `judged`: the judge's scores with dataset, seed, params, model_family, words and text_id; `people`: theirs, with
    rater. Without any rating by people the tables are empty.
    """
    common = common_texts(judged, people)
    kept = judged.merge(common.texts[TEXT], on=TEXT)
    n_texts = int(kept["text_id"].nunique())
    refusal = decision.too_few(n_texts, least)
    row: dict[str, object] = {"rated_by_people": n_texts, "claims": refusal is None, "reason": refusal}
    if common.texts.empty:
        return empty_tables(), row
    by_prompt = pd.concat(decision.prompt_rows(name, common, plan), ignore_index=True)
    return {
        "agreement": agreement.agreement(name, common, confidence=plan.confidence, seed=plan.seed),
        "bias": bias.bias(name, common, plan),
        "decisions": decision.decisions(name, common, people, kept.drop(columns="rater"), plan, refusal),
        "prompts": by_prompt.reindex(columns=list(PROMPTS)),
    }, row
