"""Small CSV files for `dvc plots show` and `dvc plots diff`."""

import pandas as pd

from tasks.reporting.data.measures import prompt_table
from tasks.reporting.data.study import Study


def plots(study: Study, arms: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """File name → table: one row for each mark of a plot, with a label that names it."""
    contrasts = study.tables["contrasts"]
    tested = contrasts[contrasts["metric"].isin([study.config.primary, study.config.secondary])]
    columns = ["label", "metric", "model", "contrast", "diff", "ci_lo", "ci_hi", "p_corr"]
    whole, parts = tested["category"] == "all", tested["category"] != "all"
    primary = tested["metric"] == study.config.primary
    target = tested["contrast"] == f"{study.config.target} - {study.config.control}"
    overall = tested[whole].assign(label=lambda t: t["model"] + ": " + t["contrast"])
    by_category = tested[parts & primary & target].assign(label=lambda t: t["model"] + ": " + t["category"])
    by_task = study.tables["capability"].assign(label=lambda t: t["model"] + " " + t["arm"] + ": " + t["task"])
    prompts = prompt_table(study, study.config.primary, "test")
    return {
        "contrasts": overall.loc[overall["metric"] == study.config.primary, columns],
        "toxicity": overall.loc[overall["metric"] == study.config.secondary, columns],
        "categories": by_category[columns],
        "prompts": prompts.assign(label=prompts["model"] + ": " + prompts["prompt_id"])[["label", "effect", "change"]],
        "capability": by_task[["label", "diff", "ci90_lo", "ci90_hi", "margin", "verdict"]],
        "words": word_divergence(study),
        "arms": arms.assign(label=arms["model"] + ": " + arms["arm"]),
    }


def word_divergence(study: Study) -> pd.DataFrame:
    """How far apart the groups' words are, a row for each family of each arm."""
    table = study.words["divergence"]
    label = table["model"] + ": " + table["family"] + ", " + table["arm"]
    return table.assign(label=label)[["label", "corrected", "raw", "chance", "p"]]
