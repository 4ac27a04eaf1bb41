"""What a section of the page is, and what all sections are made of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import pandas as pd

from tasks.reporting.data.study import Study
from tasks.reporting.figures.drawing import Figure
from tasks.reporting.findings.effects import Effect, chosen
from tasks.reporting.findings.main import Findings, findings
from tasks.reporting.tables.tables import Table
from tasks.reporting.words.terms import LIKELIHOOD, Metric, metric_of
from tasks.runtime.command import Job


@dataclass(frozen=True)
class Results:
    """A study and what several sections read in it, each found once."""

    job: Job
    study: Study

    @cached_property
    def found(self) -> Findings:
        """What the tests found, in words."""
        scorers = list(self.study.toxicity["scorer"].unique())
        closed = bool(self.study.ratings["progress"]["closed_at"].notna().any())
        return findings(self.study.tables, self.study.config, scorers, closed=closed)

    @cached_property
    def arms(self) -> pd.DataFrame:
        """A row per model and arm, on the test prompts: size, mean score, length, rates, toxicity."""
        table = self.study.measured["arms"]
        return table if self.study.config.primary in LIKELIHOOD else table.drop(columns="leads")

    @cached_property
    def prompts(self) -> pd.DataFrame:
        """A row per model and test prompt: the primary score of each dataset, the gains, the nearest training text."""
        return self.study.prompt_scores(self.study.config.primary, "test")

    @property
    def metric(self) -> Metric:
        """The primary one."""
        return metric_of(self.study.config.primary, self.study.config.primary)

    @property
    def secondary(self) -> Metric:
        """The attribute of toxicity."""
        return metric_of(self.study.config.secondary, self.study.config.primary)

    @property
    def toxic(self) -> list[Effect]:
        """The `differences` in toxicity; none where no text was scored for it."""
        scored = self.secondary.name in set(self.study.toxicity.dropna(subset="score")["attribute"])
        return self.differences(self.secondary) if scored else []

    def differences(self, metric: Metric) -> list[Effect]:
        """Target against control, target against base and control against base over all prompts, at every model."""
        base, control, target = self.study.trio
        pairs = ((target, control), (target, base), (control, base))
        return [effect for a, b in pairs for effect in chosen(self.found.effects, metric.name, a, b)]


@dataclass(frozen=True)
class Section:
    """A section of the page. Its template is `<name>.html.j2`, which reads `figures` and `tables` by their names, the
    keys of `content`, and what every template reads (`render._render`)."""

    name: str  # its id
    entry: str  # in the navigation
    title: str
    content: Mapping[str, Any] = field(default_factory=dict)
    figures: Sequence[Figure] = ()
    tables: Sequence[Table] = ()
    footer: bool = False  # below the main part of the page
