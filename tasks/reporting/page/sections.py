"""The sections of the page, in its order. A further one is a module here, its template, and one line in this list."""

from tasks.reporting.findings.limits import limits
from tasks.reporting.page import (
    adherence,
    capability,
    choices,
    judges,
    provenance,
    ratings,
    revision,
    samples,
    statistics,
    studies,
    toxicity,
    words,
)
from tasks.reporting.page.section import Results, Section
from tasks.reporting.words.terms import LIKELIHOOD


def sections(results: Results) -> list[Section]:
    """Every section that there are results for."""
    claims = {"verdicts": results.found.verdicts}
    every = (
        _found(results),
        adherence.section(results),
        ratings.section(results),
        judges.section(results),
        toxicity.section(results),
        capability.section(results),
        words.section(results),
        studies.section(results),
        samples.section(results),
        Section("published", "Published claims", "The published claims, one by one", claims),
        Section("limits", "Limits", "What this does not show", {"limits": list(limits(results.study))}),
        statistics.section(results),
        revision.section(results),
        choices.section(results),
        provenance.section(results),
    )
    return [section for section in every if section]


def _found(results: Results) -> Section:
    """The first screen: the headline, the answers, the reasons for doubt, and how to read the page."""
    study = results.study
    content = {
        "found": results.found,
        "likelihood": study.config.primary in LIKELIHOOD,
        "texts": len(study.samples[study.arms_of(study.config.target)[0]]),
        "margins": len(study.tables["capability"]) > 0,
    }
    return Section("found", "What was found", "What was found", content, within={"reading": "How to read this page"})
