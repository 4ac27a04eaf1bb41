"""The words that follow each group of people, and how kind they are."""

from tasks.reporting.figures import cooccurrence as figures
from tasks.reporting.findings import cooccurrence
from tasks.reporting.page.section import Results, Section


def section(results: Results) -> Section:
    """What the probes showed."""
    study = results.study
    content = {"words": cooccurrence.words(study), "used": study.words_used}
    return Section("words", "Words", "Words that follow each group", content, figures.figures(study))
