"""How well a control dataset matches the values dataset: what differs must be the content, not the length."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb
from statistics import median, stdev

from tasks.formats.samples import Sample
from tasks.settings.curate import Curate
from tasks.text.words import count


@dataclass(frozen=True)
class Matching:
    """Answer lengths, in words, of two datasets side by side."""

    samples: tuple[int, int]
    median: tuple[float, float]
    spread: tuple[float | None, float | None]  # standard deviation; None for a single sample
    median_difference: float  # as a share of the first
    ks_statistic: float
    ks_p: float


def matching(values: Sequence[Sample], control: Sequence[Sample]) -> Matching:
    """Compares the answer lengths of two datasets, both with at least one sample.

    The p-value is of the exact two-sided Kolmogorov-Smirnov test (Hodges 1958); a high one says that the
    lengths could well be draws from one distribution.
    """
    a, b = [[count(sample.answer) for sample in samples] for samples in (values, control)]
    distance, p = kolmogorov_smirnov(a, b)
    medians = (median(a), median(b))
    spreads = (stdev(a) if len(a) > 1 else None, stdev(b) if len(b) > 1 else None)
    difference = abs(medians[1] - medians[0]) / medians[0]
    return Matching((len(a), len(b)), medians, spreads, difference, distance, p)


def mismatches(lengths: Matching, rules: Curate) -> list[tuple[str, str]]:
    """(rule, message) for each way in which the control dataset does not match."""
    problems = []
    if lengths.median_difference > rules.max_median_difference:
        medians = f"median answer {lengths.median[1]:g} words, that of the values dataset {lengths.median[0]:g}"
        problems.append(("match-median", f"{medians}; they may differ by {rules.max_median_difference:.0%}"))
    if lengths.ks_p <= rules.min_ks_p:
        message = f"answer lengths differ (Kolmogorov-Smirnov p = {lengths.ks_p:.3f})"
        problems.append(("match-lengths", f"{message}; p must be above curate.min_ks_p, {rules.min_ks_p:g}"))
    return problems


def kolmogorov_smirnov(a: Sequence[float], b: Sequence[float]) -> tuple[float, float]:
    """The two-sample statistic and its exact two-sided p.

    Written out because importing scipy.stats takes longer than the whole check. The p is the share of orders
    of the pooled sample whose path leaves the band |i/n - j/m| < D; distances are kept in units of 1/nm.
    """
    n, m = len(a), len(b)
    distance = max(abs(m * _up_to(a, x) - n * _up_to(b, x)) for x in {*a, *b})
    if distance == 0:
        return 0.0, 1.0
    inside = [0] * (m + 1)
    for i in range(n + 1):
        for j in range(m + 1):
            start = i == j == 0
            paths = 1 if start else (inside[j] if i else 0) + (inside[j - 1] if j else 0)
            inside[j] = paths if abs(m * i - n * j) < distance else 0
    return distance / (n * m), 1 - inside[m] / comb(n + m, n)


def _up_to(values: Sequence[float], limit: float) -> int:
    return sum(value <= limit for value in values)
