"""What has no score: missing stays missing, and is counted."""

import pandas as pd

from tasks.stats.scores import checked

COLUMNS = ("metric", "arm", "model", "reason", "count")


def missing(scores: pd.DataFrame) -> pd.DataFrame:
    """Count the scores that are not there, with `COLUMNS`, by the scores' own `reason` where they have one.

    Two kinds: a row whose score is null, and a row that another arm of the metric has (prompt and sample) and
    this arm at this model has not ("no row"; an arm without any row at a model misses them all). An arm is
    expected at every model that has scores. Ratings count by text: a text with one rating is not missing.
    """
    table = checked(scores)
    given = table["reason"] if "reason" in table else pd.Series(pd.NA, table.index, dtype="string")
    table["why"] = given.fillna("no reason given").astype(str)
    texts = ["metric", "model", "arm", "prompt_id", "sample"]
    table["there"] = table["score"].notna()
    best = table.sort_values("there", ascending=False, kind="stable").drop_duplicates(texts)
    null = best[~best["there"]].groupby(["metric", "arm", "model", "why"]).size()
    rows = [(*key, int(count)) for key, count in null.items()]  # type: ignore[misc]
    models = table["model"].unique()
    for metric, part in best.groupby("metric"):
        expected = len(part.drop_duplicates(["prompt_id", "sample"]))
        have = part.groupby(["arm", "model"]).size()
        for arm in part["arm"].unique():
            for model in models:
                absent = expected - int(have.get((arm, model), 0))
                if absent:
                    rows.append((metric, arm, model, "no row", absent))
    return pd.DataFrame(sorted(rows, key=str), columns=list(COLUMNS))
