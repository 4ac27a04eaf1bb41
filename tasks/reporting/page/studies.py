"""What further arms of a sweep tell: how far training seeds spread, and how few samples suffice."""

from collections.abc import Iterator, Sequence

import pandas as pd

from tasks.formats.checkpoints import share_name, share_of
from tasks.reporting.figures import rows
from tasks.reporting.findings.claims import sentence
from tasks.reporting.findings.effects import Effect, chosen
from tasks.reporting.page.section import Results, Section
from tasks.reporting.tables.columns import columns
from tasks.reporting.tables.tables import shown

SEEDS = "model contrast seed diff ci_lo ci_hi p reason"


def section(results: Results) -> Section | None:
    """The part of each study that the sweep has arms for; none where it has none."""
    study, metric = results.study, results.metric
    by_seed, shares = study.tables.get("by_seed", pd.DataFrame()), list(_shares(results))
    if not len(by_seed) and not shares:
        return None
    figures, tables = [], []
    if len(by_seed):
        whole = [effect for effect in results.differences(metric) if effect.role == "primary"]
        figures.append(rows.seeds(by_seed, whole, metric, study.config.confidence))
        read = by_seed.assign(contrast=by_seed["contrast"].str.replace(" - ", " − ", regex=False))
        tables.append(shown("by_seed", "Each training seed by itself (not corrected)", read, columns(SEEDS), by_seed))
    if shares:
        figures.append(rows.shares(shares, metric, study.config.confidence))
    content = {"sentences": [sentence(effect, where=len(study.models) > 1) for _, effect in shares]}
    return Section("studies", "Seeds and samples", "What further trainings show", content, figures, tables)


def _shares(results: Results) -> Iterator[tuple[int, Effect]]:
    """The number of samples and the effect: target against control of as many, then against base, fewest first; with
    the whole datasets last. Nothing where no share of the target was trained."""
    study, (base, control, target) = results.study, results.study.trio
    found = [share_of(name) for name in study.named]
    sizes = sorted(share[1] for share in found if share and share[0] == target)
    whole = len(study.samples[study.arms_of(target)[0]])
    pairs = [(size, share_name(target, size), share_name(control, size)) for size in sizes]
    for against in (control, base) if sizes else ():
        for size, a, share in [*pairs, (whole, target, control)]:
            b = share if against == control else base
            yield from ((size, effect) for effect in _found(results, a, b))


def _found(results: Results, a: str, b: str) -> Sequence[Effect]:
    return chosen(results.found.effects, results.metric.name, a, b)
