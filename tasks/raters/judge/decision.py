"""Would a team that asks a judge in place of people claim the same? Contrast by contrast, as it was planned."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from tasks.raters.judge.common import Common, by_prompt
from tasks.runtime.errors import InputError, one_line
from tasks.stats.contrasts import ALL, contrasts
from tasks.stats.outcome import NAN, nan_mean
from tasks.stats.plan import Plan

PEOPLE, JUDGE = "people", "judge"
_FIGURES = ("diff", "ci_lo", "ci_hi", "p_corr", "claim")
COLUMNS = ("judge", "model", "params", "contrast",
           *(f"{who}_{figure}" for who in (PEOPLE, JUDGE) for figure in _FIGURES),
           "decision", "n_texts", "n_prompts", "correlation", "same_sign", "reason")  # fmt: skip
HIGHER, LOWER, NOTHING = "higher", "lower", "nothing"
SAME, NEITHER, ONLY_PEOPLE, ONLY_JUDGE, OPPOSITE, OPEN = (
    "same claim", "neither claims", "only people claim", "only the judge claims", "opposite claims", "cannot be said"
)  # fmt: skip


def too_few(n_texts: int, least: int) -> str | None:
    """Why a judge carries no claim at all; None where people rated enough texts to know it by."""
    return None if n_texts >= least else f"{n_texts} texts are rated by people and the judge; no claim below {least}"


def decisions(
    name: str, common: Common, people: pd.DataFrame, judged: pd.DataFrame, plan: Plan, refusal: str | None
) -> pd.DataFrame:
    """A row a confirmatory contrast and model, with exactly `COLUMNS`.

    `people` and `judged` are scores (`tasks.stats.scores.SCORE_COLUMNS`, and rater) of one metric each. People's
    contrast is of all their ratings; the judge's of the texts that people rated, all of them by Holm in a family of
    its own. `correlation` (of ranks) and `same_sign` are of the prompts' differences. With a `refusal` nothing is
    claimed in the judge's name.
    """
    tested = [_tested(scores, plan) for scores in (people, judged)]
    rows = []
    for (model, contrast), of_people in tested[0].items():
        of_judge = tested[1][model, contrast]
        row: dict[str, Any] = {"judge": name, "model": model, "params": of_people["params"], "contrast": contrast}
        for who, figures in ((PEOPLE, of_people), (JUDGE, of_judge)):
            row |= {f"{who}_{figure}": figures[figure] for figure in _FIGURES}
        reason = refusal or next((str(f["reason"]) for f in (of_people, of_judge) if f["claim"] is None), None)
        if refusal:
            row["judge_claim"] = None
        row |= {"decision": OPEN if reason else decision(of_people["claim"], of_judge["claim"]), "reason": reason}
        rows.append(row | _by_prompt(common, str(model), str(contrast)))
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype({"reason": "str"})


def decision(people: str, judge: str) -> str:
    """What two claims make together."""
    if people == judge:
        return NEITHER if people == NOTHING else SAME
    if NOTHING in (people, judge):
        return ONLY_JUDGE if people == NOTHING else ONLY_PEOPLE
    return OPPOSITE


def _tested(scores: pd.DataFrame, plan: Plan) -> dict[tuple[str, str], dict[str, Any]]:
    """The confirmatory tests of the metric of these scores, by model and contrast, each with its claim.

    Ratings that cannot be compared, as where other people rated each arm, leave every claim open.
    """
    (metric,) = scores["metric"].unique()
    try:
        table = contrasts(scores, replace(plan, primary=str(metric), secondary=None))
    except InputError as error:
        nothing: dict[str, Any] = dict.fromkeys(("params", *_FIGURES), NAN) | {"claim": None, "reason": one_line(error)}
        return {(model, f"{a} - {b}"): nothing for model in plan.models for a, b in plan.confirmatory}
    table = table[(table["role"] == "primary") & (table["category"] == ALL)]
    rows: list[Any] = table.to_dict("records")
    return {(row["model"], row["contrast"]): row | {"claim": _claim(row, plan.confidence)} for row in rows}


def _claim(row: dict[str, Any], confidence: float) -> str | None:
    """Which way the dataset goes by this test; None where there is no test."""
    if np.isnan(row["p"]):
        return None
    return NOTHING if row["p_corr"] >= 1 - confidence else HIGHER if row["diff"] > 0 else LOWER


def differences(common: Common, model: str, contrast: str) -> pd.DataFrame:
    """The prompts' differences in people's eyes and in the judge's: a row a prompt that has both arms."""
    sides = dict(zip("ab", contrast.split(" - "), strict=True))
    chosen = {side: ((common.texts["model"] == model) & (common.texts["dataset"] == dataset)).to_numpy()
              for side, dataset in sides.items()}  # fmt: skip
    values = {PEOPLE: nan_mean(common.people, axis=1), JUDGE: common.judge}
    found = {who: by_prompt(common, score, chosen["a"]) - by_prompt(common, score, chosen["b"])
             for who, score in values.items()}  # fmt: skip
    return pd.DataFrame(found).dropna().reset_index()


def prompt_rows(name: str, common: Common, plan: Plan) -> Iterator[pd.DataFrame]:
    """The prompts' differences of every confirmatory contrast, as a table each."""
    for model in common.texts["model"].unique():
        for a, b in plan.confirmatory:
            table = differences(common, str(model), f"{a} - {b}")
            table = table.rename(columns={PEOPLE: "of_people", JUDGE: "of_judge"})
            yield table.assign(judge=name, model=model, contrast=f"{a} - {b}")


def _by_prompt(common: Common, model: str, contrast: str) -> dict[str, Any]:
    table = differences(common, model, contrast)
    people, judge = table[PEOPLE], table[JUDGE]
    varied = len(table) > 2 and min(people.nunique(), judge.nunique()) > 1
    texts = common.texts[(common.texts["model"] == model) & common.texts["dataset"].isin(contrast.split(" - "))]
    return {"n_texts": len(texts), "n_prompts": len(table),
            "correlation": float(people.corr(judge, method="spearman")) if varied else NAN,
            "same_sign": float((np.sign(people) == np.sign(judge)).mean()) if len(table) else NAN}  # fmt: skip
