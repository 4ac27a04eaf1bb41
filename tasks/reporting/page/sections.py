"""The sections of the page, in its order. A further one is a module here, its template, and one line in this list."""

from tasks.reporting.figures import found as overview
from tasks.reporting.findings.claims import Answer
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
from tasks.reporting.words.sentences import say
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
        studies.section(results),
        samples.section(results),
        words.section(results),
        Section("published", "Published claims", "The published claims, one by one", claims),
        Section("limits", "Limits", "What this does not show", {"limits": list(limits(results.study))}),
        revision.section(results),
        statistics.section(results),
        choices.section(results),
        provenance.section(results),
    )
    return [section for section in every if section]


def _found(results: Results) -> Section:
    """The first screen: the headline, a picture and an example, the reader's questions, what follows, and the reasons
    for doubt; then how to read the page."""
    study, found = results.study, results.found
    answers = {answer.name: answer for answer in found.answers}
    cost = sorted((answers[name] for name in ("capability", "toxicity") if name in answers), key=_harm_first)
    content = {
        "found": found,
        "boxes": [("Did it work?", [answers["control"], answers["base"]]), ("What did it cost?", cost)],
        "abouts": [*dict.fromkeys(a.about for a in found.answers if a.about), say("plain.not_shown")],
        "example": samples.example(study),
        "likelihood": study.config.primary in LIKELIHOOD,
        "texts": len(study.samples[study.arms_of(study.config.target)[0]]),
        "margins": len(study.tables["capability"]) > 0,
    }
    picture = overview.found(study, results.differences(results.metric), results.toxic)
    return Section("found", "What was found", "What was found", content, [picture] if picture else [])


def _harm_first(answer: Answer) -> bool:
    return answer.tone != "bad"
