"""What the results do not show."""

from tasks.reporting.findings import limits
from tasks.reporting.page.section import Results, Section


def section(results: Results) -> Section:
    """Every limit, in a word and in a sentence."""
    return Section("limits", "Limits", "What this does not show", {"limits": limits.limits(results.study)})
