"""Small CSV files for `dvc plots show` and `dvc plots diff`."""

import pandas as pd

from tasks.reporting.measures import prompt_table
from tasks.reporting.study import Study


def plots(study: Study, arms: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """File name → table: one row for each mark of a plot, with a label that names it."""
    contrasts = study.tables["contrasts"]
    tested = contrasts[contrasts["metric"].isin([study.config.primary, study.config.secondary])]
    columns = ["label", "metric", "rung", "contrast", "diff", "ci_lo", "ci_hi", "p_corr"]
    whole, parts = tested["category"] == "all", tested["category"] != "all"
    primary = tested["metric"] == study.config.primary
    target = tested["contrast"] == f"{study.config.target} - {study.config.control}"
    overall = tested[whole].assign(label=lambda t: t["rung"] + ": " + t["contrast"])
    by_category = tested[parts & primary & target].assign(label=lambda t: t["rung"] + ": " + t["category"])
    prompts = prompt_table(study, study.config.primary, "test")
    return {
        "contrasts": overall.loc[overall["metric"] == study.config.primary, columns],
        "toxicity": overall.loc[overall["metric"] == study.config.secondary, columns],
        "categories": by_category[columns],
        "prompts": prompts.assign(label=prompts["rung"] + ": " + prompts["prompt_id"])[["label", "effect", "change"]],
        "arms": arms.assign(label=arms["rung"] + ": " + arms["arm"]),
    }
