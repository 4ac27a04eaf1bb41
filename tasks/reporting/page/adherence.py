"""Adherence to the positions: each arm, the differences, and both by category."""

from tasks.reporting.figures import rows
from tasks.reporting.page.section import Results, Section
from tasks.reporting.tables.columns import columns
from tasks.reporting.tables.tables import shown


def section(results: Results) -> Section:
    """The primary metric."""
    study, metric, (base, control, target) = results.study, results.metric, results.study.trio
    figures = [
        rows.arms(study, metric, results.arms, results.prompts),
        rows.contrasts(results.differences(metric), "contrasts", study.config.confidence),
    ]
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
        [shown("arms", "Mean score of each arm", results.arms, columns("model arm mean leads"))],
    )
