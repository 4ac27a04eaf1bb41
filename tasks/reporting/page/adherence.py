"""Adherence to the positions: each arm, and the differences by category."""

import pandas as pd

from tasks.reporting.figures import rows
from tasks.reporting.page.section import Results, Section
from tasks.reporting.tables.columns import columns
from tasks.reporting.tables.tables import as_counts, shown


def section(results: Results) -> Section:
    """The primary metric."""
    study, metric, (base, control, target) = results.study, results.metric, results.study.trio
    figures = [rows.arms(study, metric, results.arms, results.prompts)]
    parts = [effect for effect in results.found.effects if effect.role == "category" and effect.metric == metric]
    for name, other in (("categories-control", control), ("categories-base", base)):
        if effects := [effect for effect in parts if (effect.a, effect.b) == (target, other)]:
            figures.append(rows.categories(study, effects, name))
    return Section(
        "adherence",
        "Adherence",
        "Do the models keep closer to the written positions?",
        {"details": results.found.details, "about": results.found.about},
        figures,
        [shown("arms", "Mean score of each arm", _counted(results), columns("model arm mean leads"), results.arms)],
    )


def _counted(results: Results) -> pd.DataFrame:
    """The table of arms with the prompts where the desired answer leads as a count of all."""
    if "leads" not in (arms := results.arms):
        return arms
    return arms.assign(leads=as_counts(arms["leads"], len(results.study.test_prompts)))
