"""Where the dataset fell short on the validation prompts: categories and prompts, the worst first, with the nearest
training sample and what raters noted."""

import pandas as pd

from tasks.formats.ratings import METRIC
from tasks.reporting.page.section import Results, Section
from tasks.reporting.tables.columns import COLUMNS, Column, columns
from tasks.reporting.tables.tables import shown
from tasks.reporting.words.sentences import say
from tasks.reporting.words.terms import LIKELIHOOD, Metric, metric_of
from tasks.text.shown import safe

LISTED = 8  # prompts
NOTES = "prompt model arm rater score note"


def section(results: Results) -> Section:
    """The smallest gains over control, all models together; `none` says why there is nothing to list."""
    study, (base, control, target) = results.study, results.study.trio
    scores = [*study.named, "effect", "change"]
    metric, table = _measured(results)
    means = table.groupby(["prompt_id", "category"], sort=False)[scores].mean().reset_index()
    means = means.dropna(subset="effect")  # without a gain there is no order to list them in
    worst = means.sort_values("effect", kind="stable").head(LISTED)
    nearest = table.drop_duplicates("prompt_id").set_index("prompt_id")[["similarity", "sample_id"]]
    worst = worst.join(nearest, on="prompt_id")
    worst = worst.assign(prompt=[safe(study.prompts[name].prompt) for name in worst["prompt_id"]])
    by_category = means.groupby("category")[scores].mean().reset_index().sort_values("effect", kind="stable")
    by_category["title"] = [study.title_of(name) for name in by_category["category"]]
    gains = [Column("effect", f"{target} − {control}", "signed"), Column("change", f"{target} − {base}", "signed")]
    gains += [Column(name, name, "signed") for name in study.named]
    none = f"No validation prompt has scores of both {target} and {control} in {metric.label}."
    of_prompt = [*columns("prompt", prompt="prompt"), *gains, *columns("sample_id similarity")]
    tables = [
        shown("revision-categories", "Categories, smallest gain first", by_category, [COLUMNS["title"], *gains]),
        shown("revision-prompts", "Prompts, smallest gain first", worst, of_prompt, means),
    ]
    notes = study.ratings["notes"]
    notes = notes[notes["split"] == "validation"]
    if len(notes):
        place = {name: at for at, name in enumerate(means.sort_values("effect", kind="stable")["prompt_id"])}
        notes = notes.sort_values("prompt_id", key=lambda names: names.map(place), kind="stable")
        words = [safe(study.prompts[name].prompt) for name in notes["prompt_id"]]
        read = notes.assign(note=notes["note"].fillna(notes["reason"]).map(safe), prompt=words)
        headings = columns(NOTES, prompt="prompt")
        tables.append(shown("revision-notes", "What raters noted on them", read, headings, notes))
    return Section(
        "revision",
        "What to revise",
        "What to revise in the dataset",
        {"none": "" if len(means) else none, "measure": metric.label,
         "looks": say("revision.looks", len(study.looks), study.looks["dataset"].nunique())},
        tables=tables,
    )


def _measured(results: Results) -> tuple[Metric, pd.DataFrame]:
    """What the dataset is judged by: people's ratings of validation prompts where there are any, else the primary
    metric, else likelihood; and its scores."""
    for name in (METRIC, results.metric.name, LIKELIHOOD[0]):
        table = results.study.prompt_scores(name, "validation")
        if table["effect"].notna().any():
            return metric_of(name, results.metric.name), table
    return results.metric, results.study.prompt_scores(results.metric.name, "validation")
