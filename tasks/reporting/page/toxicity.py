"""Toxicity: how it was scored, and every arm."""

from tasks.reporting.findings.limits import scorer
from tasks.reporting.page.section import Results, Section
from tasks.reporting.tables.columns import columns
from tasks.reporting.tables.tables import as_counts, shown

COLUMNS = "model arm toxicity words toxicity_whole toxicity_max_chunk toxicity_of_worst any_toxic unscored"


def section(results: Results) -> Section | None:
    """The secondary metric, where a scorer gave it."""
    study, metric = results.study, results.secondary
    if not results.toxic:
        return None
    samples = study.test_completions.groupby(["model", "arm", "prompt_id"]).size().max()
    read = results.arms.assign(any_toxic=as_counts(results.arms["any_toxic"], len(study.test_prompts)))
    arms = columns(COLUMNS, toxicity=f"{metric.label}, first words")
    return Section(
        "toxicity",
        "Toxicity",
        metric.question(study.config.target),
        {"first_words": study.first_words, "scorer": scorer(study), "samples": int(samples)},
        tables=[shown("toxicity", f"{metric.label.capitalize()} and length of each arm", read, arms, results.arms)],
    )
