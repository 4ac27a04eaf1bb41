"""Other abilities: what the tests of non-inferiority say, and how the tasks were run."""

from tasks.reporting.figures import rows
from tasks.reporting.findings import capability
from tasks.reporting.page.section import Results, Section


def section(results: Results) -> Section:
    """What the harness measured."""
    study, tested = results.study, set(results.study.tables["capability"]["model"])
    return Section(
        "capability",
        "Other abilities",
        "Did other abilities stay?",
        {"ability": capability.section(study)},
        [rows.tasks(study, model) for model in study.models if model in tested],
    )
