"""The first screen: the headline, the answers, the reasons for doubt, and how to read the page."""

from tasks.reporting.page.section import Results, Section
from tasks.reporting.words.terms import LIKELIHOOD


def section(results: Results) -> Section:
    """What was found."""
    study = results.study
    return Section(
        "found",
        "What was found",
        "What was found",
        content={
            "found": results.found,
            "likelihood": study.config.primary in LIKELIHOOD,
            "texts": len(study.datasets[study.arms_of(study.config.target)[0]].samples),
            "margins": len(study.tables["capability"]) > 0,
        },
        within={"reading": "How to read this page"},
    )
