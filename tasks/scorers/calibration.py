"""How two scorers that scored the same texts compare, so that a team can move from one to its successor."""

import itertools
import textwrap
from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

THRESHOLD = 0.5  # from which a text counts as toxic, as in the literature on Perspective
COLUMNS = (
    "scorer_a", "version_a", "scorer_b", "version_b", "language", "attribute",
    "n", "n_missing", "spearman", "mean_difference", "agreement", "reason",
)  # fmt: skip
_SCORER = ["scorer", "version"]


def calibration(answers: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """A row for each pair of scorers, language and attribute with texts that both were asked about.

    `answers` are those of `Store.answers` or of archives. n: texts that both scored; n_missing: texts that
    one of the two or both have no score for; spearman: rank correlation, null with a `reason` where n < 3 or
    one scorer gave one value only; mean_difference: mean of b - a; agreement: share of texts that both put on
    the same side of 0.5 (0.5 itself counts as toxic).
    """
    table = pd.DataFrame(
        [
            {key: row[key] for key in ("scorer", "version", "language", "text")}
            | {"attribute": attribute, "score": entry.get("score")}
            for row in answers
            for attribute, entry in row["scores"].items()
        ],
        columns=[*_SCORER, "language", "text", "attribute", "score"],
    ).drop_duplicates([*_SCORER, "language", "text", "attribute"])
    rows = []
    for (language, attribute), group in table.groupby(["language", "attribute"], sort=True):
        wide = group.astype({"score": "float64"}).set_index([*_SCORER, "text"])["score"].unstack(_SCORER)
        asked = group.assign(asked=True).set_index([*_SCORER, "text"])["asked"].unstack(_SCORER).notna()
        for a, b in itertools.combinations(sorted(wide.columns), 2):
            both = asked[a] & asked[b]
            if both.any():
                labels = dict(zip(COLUMNS[:6], (*a, *b, language, attribute), strict=True))
                rows.append(labels | compare(wide.loc[both, a], wide.loc[both, b]))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def in_words(table: pd.DataFrame) -> str:
    """The table of `calibration` for a terminal: for each pair of scorers their names and a line per attribute."""
    if table.empty:
        return "no text was scored by two scorers"
    blocks = []
    for (a, version_a, b, version_b, language), rows in table.groupby(list(COLUMNS[:5]), sort=False):
        names = [f"texts in '{language}' scored by both", f"  A  {a} ({version_a})", f"  B  {b} ({version_b})"]
        blocks.append("\n".join([*names, textwrap.indent(_aligned(rows), "  ")]))
    return "\n\n".join(blocks)


def _aligned(rows: pd.DataFrame) -> str:
    shown = pd.DataFrame(
        {
            "attribute": rows["attribute"],
            "n": rows["n"],
            "missing": rows["n_missing"],
            "rank correlation": _spelled(rows["spearman"], "{:.2f}"),
            "mean of B - A": _spelled(rows["mean_difference"], "{:+.3f}"),
            f"agree at {THRESHOLD}": _spelled(rows["agreement"], "{:.0%}"),
        }
    )
    if rows["reason"].notna().any():
        shown["why not"] = rows["reason"].fillna("")
    return shown.to_string(index=False)


def _spelled(values: "pd.Series[float]", form: str) -> "pd.Series[str]":
    return values.map(lambda value: "-" if pd.isna(value) else form.format(value))


def compare(a: "pd.Series[float]", b: "pd.Series[float]") -> dict[str, Any]:
    """The figures of two columns of scores of the same texts; see `calibration`."""
    scored = a.notna() & b.notna()
    n, a, b = int(scored.sum()), a[scored], b[scored]
    figures: dict[str, Any] = {"n": n, "n_missing": int((~scored).sum())}
    if n == 0:
        return figures | dict.fromkeys(COLUMNS[8:11]) | {"reason": "no text has both scores"}
    reason = "fewer than 3 texts" if n < 3 else "one value only" if min(a.nunique(), b.nunique()) < 2 else None
    return figures | {
        "spearman": None if reason else float(a.corr(b, method="spearman")),
        "mean_difference": float((b - a).mean()),
        "agreement": float(((a >= THRESHOLD) == (b >= THRESHOLD)).mean()),
        "reason": reason,
    }
