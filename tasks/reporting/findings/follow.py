"""What follows from the findings: what to do next, and what it takes to know more. No sentence here tells a result."""

from collections.abc import Iterator, Sequence

import pandas as pd

from tasks.formats.checkpoints import BASE
from tasks.reporting.findings import capability
from tasks.reporting.findings.effects import Effect
from tasks.reporting.words.sentences import say
from tasks.reporting.words.terms import LIKELIHOOD, known

FEW = 2  # tasks that are named one by one


def steps(
    main: Sequence[Effect],
    harmed: bool,
    own: pd.DataFrame,
    variance: pd.DataFrame,
    primary: str,
    *,
    closed: bool = False,
) -> Iterator[str]:
    """`main` are the target's effects in the primary metric, `own` its rows of the capability table, and `variance`
    that table, which says what could be found. Where ratings are `closed`, nobody can be asked for more."""
    if not main:
        return
    target, models = main[0].a, list(dict.fromkeys(effect.model for effect in main))
    gain, worse = any(effect.better > 0 for effect in main), any(effect.better < 0 for effect in main)
    if harmed or worse:
        only_toxic = not worse and not capability.lost(own)  # which no recipe is chosen by
        yield say("next.harm", target, BASE, models, only_toxic)
    else:
        yield say("next.gain") if gain else say("next.nothing", target, BASE)
    if not all(effect.dataset_claim for effect in main):
        yield say("next.seeds")
    if primary in LIKELIHOOD and not closed:
        yield say("next.ratings")
    open_tasks = capability.undecided(own[own["against"] == BASE])
    if open_tasks and not harmed:  # a loss that was found comes first
        needed = [task.needed for task in open_tasks if task.needed is not None]
        few = len(open_tasks) <= FEW
        yield say("next.items", open_tasks) if few else say("next.more_items", len(needed), min(needed), max(needed))
    if not gain and "detectable_family" in variance:
        found = variance.loc[variance["metric"] == primary, "detectable_family"].max()
        if known(found):
            yield say("next.prompts", found, main[0].unit)
