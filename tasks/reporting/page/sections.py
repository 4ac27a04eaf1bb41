"""The sections of the page, in its order. A further one is a module here, its template, and one line in this list."""

from tasks.reporting.page import (
    adherence,
    capability,
    choices,
    found,
    limits,
    provenance,
    published,
    revision,
    samples,
    statistics,
    toxicity,
    words,
)
from tasks.reporting.page.section import Results, Section

SECTIONS = (
    found,
    adherence,
    toxicity,
    capability,
    words,
    samples,
    published,
    limits,
    statistics,
    revision,
    choices,
    provenance,
)


def sections(results: Results) -> list[Section]:
    """Every section that there are results for."""
    return [section for module in SECTIONS if (section := module.section(results))]
