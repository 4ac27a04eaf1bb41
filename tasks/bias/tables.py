"""The tables of the co-occurrence analysis, a row a test, unrounded; and the few figures that a team tracks."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from math import nan
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from tasks.bias.associations import Associations
from tasks.bias.divergence import Change, change
from tasks.formats.checkpoints import BASE

JACKKNIFE = "a prompt has one completion: nothing can be left out"
MORE, LESS, UNCLEAR, FEW, UNTESTED = "more", "less", "no change found", "too few words", "not tested"


def all_tables(analyses: Sequence[Associations], target: str, confidence: float) -> dict[str, pd.DataFrame]:
    """Every table by name, checkpoints in the order of `analyses`; `target` is the dataset whose effect is claimed."""
    tables = {name: stacked([each.tables[name] for each in analyses]) for name in analyses[0].tables}
    return tables | {"changes": with_verdicts(pd.DataFrame(changes(analyses, confidence)), target, 1 - confidence)}


def stacked(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """The tables under one another; an empty one gives its columns only (pandas would lose their types)."""
    filled = [table for table in tables if len(table)]
    return pd.concat(filled, ignore_index=True) if filled else tables[0]


def changes(analyses: Sequence[Associations], confidence: float) -> Iterator[dict[str, Any]]:
    """Each tuned arm's corrected divergence less that of base, within model and family.

    `least_n` are the completions with a descriptive word of the arm and group that have the fewest.
    """
    bases = {(each.key["model"], each.key["family"]): each for each in analyses if each.key["arm"] == BASE}
    for tuned in (each for each in analyses if each.key["arm"] != BASE):
        base = bases[tuned.key["model"], tuned.key["family"]]
        warnings = [f"{each.key['arm']}: {each.warning}" for each in (tuned, base) if each.warning]
        least = min((base, tuned), key=lambda each: each.fewest[0])
        yield {
            **tuned.key,
            "contrast": f"{tuned.key['arm']} - {BASE}",
            "parts": len(tuned.left_out[1]) if tuned.left_out else 0,
            **asdict(arm_change(tuned, base, confidence)),
            "too_few": bool(warnings),
            "warning": next(iter(warnings), None),
            "least_n": least.fewest[0],
            "least_arm": least.key["arm"],
            "least_group": least.fewest[1],
        }


def arm_change(tuned: Associations, base: Associations, confidence: float) -> Change:
    """The corrected divergence of a tuned arm less that of base, or the reason why there is none."""
    if tuned.left_out and base.left_out:
        return change(tuned.left_out, base.left_out, confidence=confidence)
    missing = base if tuned.left_out else tuned
    return Change(nan, nan, 0, nan, nan, nan, missing.reason or JACKKNIFE)


def with_verdicts(changes: pd.DataFrame, target: str, alpha: float) -> pd.DataFrame:
    """The changes with `p_corr` among the `m` tests of `test_family`, and the `verdict` at level `alpha`.

    The arms of the target are corrected over all families and models together (Benjamini and Hochberg 1995, JRSS B
    57, 289-300); those of every other dataset are a negative control, corrected together by Holm. A test that could
    not be computed stays in its family as p = 1. Where counts are too small nothing is claimed, whatever the test says.
    """
    from statsmodels.stats.multitest import multipletests  # its import takes a second

    p, p_corr = changes["p"].astype("float64"), pd.Series(nan, changes.index)
    families = changes.groupby("dataset")
    for dataset, rows in families.groups.items():
        own = p[rows].fillna(1.0)
        p_corr[rows] = stats.false_discovery_control(own) if dataset == target else multipletests(own, method="holm")[1]
    conditions = [changes["too_few"], p.isna(), p_corr > alpha, changes["diff"] > 0]
    return changes.assign(
        p_corr=p_corr,
        m=families["p"].transform("size").astype("Int64"),
        test_family=changes["dataset"].astype("str") + f" - {BASE}",
        verdict=np.select(conditions, [FEW, UNTESTED, UNCLEAR, MORE], LESS),
    )


def warnings_of(divergences: pd.DataFrame) -> list[str]:
    """A line for every checkpoint and family whose counts are too small."""
    rows = divergences[divergences["too_few"]].to_dict("records")
    return [f"{row['model']}, {row['arm']}, {row['family']}: {row['warning']}" for row in rows]


def metrics(tables: Mapping[str, pd.DataFrame]) -> dict[str, Any]:
    """Model → family → each arm's corrected divergence, and each tuned arm's change from base; null if none."""
    figures: dict[str, Any] = {}
    for table, column, name in (("divergence", "corrected", "divergence"), ("changes", "diff", "minus_base")):
        for row in tables[table].to_dict("records"):
            arms = figures.setdefault(row["model"], {}).setdefault(row["family"], {}).setdefault(name, {})
            arms[row["arm"]] = number(row[column])
    return figures


def number(value: Any) -> float | None:
    """A plain float with six significant digits (so that a diff reads well), None if there is none."""
    return None if pd.isna(value) or not np.isfinite(value) else float(f"{value:.6g}")
