"""What has no score: missing stays missing, and is counted."""

import pandas as pd

from tasks.stats.cells import checked

COLUMNS = ("metric", "arm", "rung", "reason", "count")


def missing(scores: pd.DataFrame) -> pd.DataFrame:
    """Count the scores that are not there, with `COLUMNS`, by the scores' own `reason` where they have one.

    Two kinds: a row whose score is null, and a row that another arm of the metric has (prompt and sample) and
    this arm at this rung has not ("no row"; an arm without any row at a rung misses them all). An arm is
    expected at every rung that has scores. Ratings count by text: a text with one rating is not missing.
    """
    table = checked(scores)
    given = table["reason"] if "reason" in table else pd.Series(pd.NA, table.index, dtype="string")
    table["why"] = given.fillna("no reason given").astype(str)
    texts = ["metric", "rung", "arm", "prompt_id", "sample"]
    table["there"] = table["score"].notna()
    best = table.sort_values("there", ascending=False, kind="stable").drop_duplicates(texts)
    null = best[~best["there"]].groupby(["metric", "arm", "rung", "why"]).size()
    rows = [(*key, int(count)) for key, count in null.items()]  # type: ignore[misc]
    rungs = table["rung"].unique()
    for metric, part in best.groupby("metric"):
        expected = len(part.drop_duplicates(["prompt_id", "sample"]))
        have = part.groupby(["arm", "rung"]).size()
        for arm in part["arm"].unique():
            for rung in rungs:
                absent = expected - int(have.get((arm, rung), 0))
                if absent:
                    rows.append((metric, arm, rung, "no row", absent))
    return pd.DataFrame(sorted(rows, key=str), columns=list(COLUMNS))
