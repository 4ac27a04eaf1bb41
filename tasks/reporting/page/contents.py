"""Everything the page shows, gathered: what was found, measured and drawn, and the tables."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from tasks.curation.matching import Matching, matching
from tasks.reporting.data.measures import (
    arm_table,
    detectable_effects,
    prompt_table,
    rated,
    similarity_table,
    test_completions,
)
from tasks.reporting.data.study import Study
from tasks.reporting.figures import capability as capability_figure
from tasks.reporting.figures import cooccurrence as word_figures
from tasks.reporting.figures import main as figures
from tasks.reporting.figures import statistical as statistical_figures
from tasks.reporting.figures.drawing import Figure
from tasks.reporting.findings import capability
from tasks.reporting.findings.cooccurrence import Words, words
from tasks.reporting.findings.effects import Effect
from tasks.reporting.findings.limits import limits, scorer
from tasks.reporting.findings.main import Findings, findings
from tasks.reporting.page.samples import Gallery, gallery
from tasks.reporting.tables.page_tables import Revision, others, revision, tables_of
from tasks.reporting.tables.tables import Table
from tasks.reporting.words.terms import LIKELIHOOD, metric_of


@dataclass(frozen=True)
class Page:
    """Everything the template shows but provenance."""

    study: Study
    found: Findings
    arms: pd.DataFrame
    prompts: pd.DataFrame
    figures: Mapping[str, Figure]
    tables: Mapping[str, Table]
    other_tables: Sequence[Table]
    samples: Gallery
    revision: Revision
    words: Words
    matched: Matching
    capability: capability.Section
    frame: Mapping[str, Any]


def compose(study: Study) -> Page:
    """Measures, draws and finds the words."""
    found, arms = findings(study), arm_table(study)
    prompts, near = prompt_table(study, study.config.primary, "test"), similarity_table(study)
    return Page(
        study=study,
        found=found,
        arms=arms,
        prompts=prompts,
        figures={figure.name: figure for figure in draw(study, found, arms, prompts, near)},
        tables=tables_of(study, arms),
        other_tables=others(study),
        samples=gallery(study, prompts),
        revision=revision(study),
        words=words(study),
        matched=matching(*(study.datasets[study.arms_of(name)[0]].samples for name in study.trio[:0:-1])),
        capability=capability.section(study),
        frame=_frame(study),
    )


def _frame(study: Study) -> dict[str, Any]:
    """What was compared, in numbers."""
    own = test_completions(study)
    test = [prompt for prompt in study.prompts.values() if prompt.split == "test"]
    return {
        "prompts": len(test),
        "categories": list(dict.fromkeys(prompt.category for prompt in test)),
        "samples": int(own.groupby(["model", "arm", "prompt_id"]).size().max()),
        "scorer": scorer(study),
        "metric": metric_of(study.config.primary, study.config.primary),
        "limits": limits(study),
        "secondary": metric_of(study.config.secondary, study.config.primary),
        "likelihood": study.config.primary in LIKELIHOOD,
        "first_words": study.first_words,
    }


def draw(study: Study, found: Findings, arms: pd.DataFrame, prompts: pd.DataFrame, near: pd.DataFrame) -> list[Figure]:
    """Every figure there is data for."""
    base, control, target = study.trio
    pairs = ((target, control), (target, base), (control, base))
    confidence = study.config.confidence
    drawn = [figures.arms(study, arms, prompts)]
    drawn.append(figures.contrasts(_all(found, study.config.primary, pairs), "contrasts", confidence))
    for name, (a, b) in (("categories-control", pairs[0]), ("categories-base", pairs[1])):
        own = [e for e in found.effects if e.role == "category" and (e.a, e.b) == (a, b)]
        if own := [e for e in own if e.metric.name == study.config.primary]:
            drawn.append(figures.categories(study, own, name))
    scored = study.config.secondary in set(study.toxicity["attribute"])
    if scored and (toxic := _all(found, study.config.secondary, pairs)):
        drawn.append(figures.contrasts(toxic, "toxicity", confidence))
        drawn.append(figures.toxicity_by_length(study, arms))
        drawn.append(statistical_figures.toxicity_scatter(study))
    drawn += capability_figure.figures(study)
    drawn += word_figures.figures(study)
    drawn += [statistical_figures.prompts(study, prompts, model) for model in study.models]
    drawn += [statistical_figures.ratings(study, metric, scores) for metric, scores in rated(study).items()]
    drawn.append(statistical_figures.lengths(study))
    if study.logs:
        drawn.append(statistical_figures.training(study))
    drawn.append(statistical_figures.matched_lengths(study))
    drawn.append(statistical_figures.similarity(study, near))
    drawn.append(statistical_figures.detectable(detectable_effects(study), prompts["prompt_id"].nunique()))
    return drawn


def _all(found: Findings, metric: str, pairs: Sequence[tuple[str, str]]) -> list[Effect]:
    return [effect for a, b in pairs for effect in found.of(metric, a, b)]
