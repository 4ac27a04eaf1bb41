"""Where the dataset fell short on the validation prompts: categories and prompts, the worst first."""

from tasks.reporting.page.section import Results, Section
from tasks.reporting.tables.columns import COLUMNS, Column
from tasks.reporting.tables.tables import shown
from tasks.text.shown import safe

LISTED = 8  # prompts


def section(results: Results) -> Section:
    """The smallest gains over control, all models together; `none` says why there is nothing to list."""
    study, (base, control, target) = results.study, results.study.trio
    scores = [*study.named, "effect", "change"]
    table = study.prompt_scores(results.metric.name, "validation")
    means = table.groupby(["prompt_id", "category"], sort=False)[scores].mean().reset_index()
    means = means.dropna(subset="effect")  # without a gain there is no order to list them in
    worst = means.sort_values("effect", kind="stable").head(LISTED)
    worst = worst.assign(prompt=[safe(study.prompts[name].prompt) for name in worst["prompt_id"]])
    by_category = means.groupby("category")[scores].mean().reset_index().sort_values("effect", kind="stable")
    by_category["title"] = [study.title_of(name) for name in by_category["category"]]
    gains = [Column("effect", f"{target} − {control}", "signed"), Column("change", f"{target} − {base}", "signed")]
    gains += [Column(name, name, "signed") for name in study.named]
    none = f"No validation prompt has scores of both {target} and {control} in {results.metric.label}."
    of_prompt = [COLUMNS["prompt_id"], COLUMNS["prompt"], *gains]
    return Section(
        "revision",
        "What to revise",
        "What to revise in the dataset",
        {"none": "" if len(means) else none},
        tables=[
            shown("revision-categories", "Categories, smallest gain first", by_category, [COLUMNS["title"], *gains]),
            shown("revision-prompts", "Prompts, smallest gain first", worst, of_prompt, means),
        ],
    )
