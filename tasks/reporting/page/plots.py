"""Small CSV files for `dvc plots show` and `dvc plots diff`."""

import pandas as pd

from tasks.reporting.page.section import Results

TESTS = "metric model contrast diff ci_lo ci_hi p_corr"


def plots(results: Results) -> dict[str, pd.DataFrame]:
    """File name → table: one row for each mark of a plot, with a label that names it."""
    study, contrasts = results.study, results.study.tables["contrasts"]
    overall, primary = contrasts["category"] == "all", contrasts["metric"] == results.metric.name
    secondary = contrasts["metric"] == results.secondary.name
    target = contrasts["contrast"] == f"{study.config.target} - {study.config.control}"
    return {
        "contrasts": _labelled(contrasts[overall & primary], "{model}: {contrast}", TESTS),
        "toxicity": _labelled(contrasts[overall & secondary], "{model}: {contrast}", TESTS),
        "categories": _labelled(contrasts[~overall & primary & target], "{model}: {category}", TESTS),
        "prompts": _labelled(results.prompts, "{model}: {prompt_id}", "effect change"),
        "capability": _labelled(
            study.tables["capability"], "{model} {arm} − {against_arm}: {task}", "diff ci90_lo ci90_hi margin verdict"
        ),
        "words": _labelled(study.words["divergence"], "{model}: {family}, {arm}", "corrected raw chance p"),
        "arms": results.arms.assign(label=results.arms["model"] + ": " + results.arms["arm"]),
    }


def _labelled(table: pd.DataFrame, label: str, columns: str) -> pd.DataFrame:
    """Some columns of the table behind a label for each row, which is filled from the row."""
    labels = [label.format_map(row) for row in table.to_dict("records")]
    return table.assign(label=labels)[["label", *columns.split()]]
