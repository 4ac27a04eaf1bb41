"""The plan of the analysis, made before the scores are seen."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Literal

from tasks.formats.checkpoints import share_name, share_of
from tasks.settings.significance import Significance
from tasks.settings.sweep import Sweep


@dataclass(frozen=True)
class Plan:
    """The choices made before the scores are seen.

    `primary` and `secondary` name metrics; `target`, `control` and `base` name datasets. `models`, where
    given, is the planned ladder: a model without scores keeps its place in every family. `raters`: of a metric that
    has raters the claim is about this panel ("fixed"), or about raters at large ("random").
    """

    primary: str
    secondary: str | None = None
    target: str = "values"
    control: str = "control"
    base: str = "base"
    models: tuple[str, ...] = ()
    raters: Literal["fixed", "random"] = "fixed"
    confidence: float = 0.95
    permutations: int = 10_000
    seed: int = 0

    @property
    def metrics(self) -> tuple[str, ...]:
        """The metrics that the plan names."""
        return tuple(name for name in (self.primary, self.secondary) if name)

    @property
    def parts(self) -> tuple[str, str]:
        """The metrics that the primary one is the sum of: without any prompt, and the rest."""
        return f"{self.primary}_free", f"{self.primary}_less_free"

    def is_variant(self, metric: str) -> bool:
        """Whether a metric is the secondary one of another stretch of text, as `TOXICITY (whole)` is of `TOXICITY`."""
        return self.secondary is not None and metric.startswith(f"{self.secondary} (")

    @property
    def confirmatory(self) -> tuple[tuple[str, str], ...]:
        """The contrasts (a, b), read a - b, that make the families."""
        return (self.target, self.control), (self.target, self.base)

    @property
    def negative_control(self) -> tuple[str, str]:
        """The contrast that should show nothing."""
        return self.control, self.base

    def shares(self, datasets: Iterable[str]) -> list[tuple[str, str]]:
        """The contrasts of equal shares of target and control, as `values-n20` and `control-n20`, fewest first."""
        shares = {share for name in datasets if (share := share_of(name))}
        both = sorted(size for dataset, size in shares if dataset == self.target and (self.control, size) in shares)
        return [(share_name(self.target, size), share_name(self.control, size)) for size in both]


def plan_of(config: Significance, sweep: Sweep) -> Plan:
    """The analysis as it was fixed beforehand in params.yaml; `significance.with_primary` has chosen its metric."""
    choices = asdict(config)
    del choices["preferred"]
    return Plan(models=sweep.models, **choices)
