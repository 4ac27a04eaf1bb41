"""The claims of the published work, one by one."""

from tasks.reporting.page.section import Results, Section


def section(results: Results) -> Section:
    """A verdict for each claim."""
    content = {"verdicts": results.found.verdicts}
    return Section("published", "Published claims", "The published claims, one by one", content)
