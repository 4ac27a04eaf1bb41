"""The first words of the page: what the target did worse, and the main result, each with what it is a claim about."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import pandas as pd

from tasks.reporting.findings import capability
from tasks.reporting.findings.comparison import Found
from tasks.reporting.findings.effects import Effect
from tasks.reporting.words.sentences import phrase, say


@dataclass(frozen=True)
class Harm:
    """Something that the target did worse by a corrected test."""

    text: str  # after "the values model"
    who: str  # model or models
    seeds: int  # the fewest training seeds behind it; 0: a claim about these checkpoints


def headline(control: Sequence[Effect], base: Sequence[Effect], harms: Sequence[Harm] = ()) -> list[str]:
    """A sentence for each thing that it is a claim about, harm first; `control` and `base` are the target's effects in
    the primary metric against these arms, one for each size."""
    name, facts = _main(control, base)
    main, effects = phrase(f"headline.{name}", *facts), [*control, *base]
    if name in ("no_scores", "untested"):
        return [*_alone(harms, effects), say("headline.bare", main)]
    seeds = seeds_of(effects)
    shared, apart = ([h for h in harms if (h.seeds == seeds) == same] for same in (True, False))
    gain = any(effect.better > 0 for effect in effects)
    words = phrase("headline.harmed", shared, control[0].a, main, gain) if shared else main
    sentences = [say("headline.scoped", seeds, words), *_alone(apart, effects)]
    return sentences if any(effect.better < 0 for effect in effects) else sentences[1:] + sentences[:1]


def _alone(harms: Sequence[Harm], effects: Sequence[Effect]) -> list[str]:
    """Harms without the main result."""
    target = effects[0].a if effects else ""
    groups = groupby(sorted(harms, key=lambda harm: harm.seeds), key=lambda harm: harm.seeds)
    return [say("headline.scoped", n, phrase("headline.harmed", list(own), target, "", False)) for n, own in groups]


def _main(control: Sequence[Effect], base: Sequence[Effect]) -> tuple[str, tuple[object, ...]]:
    """Which clause tells the main result, and its facts."""
    if not control or not base:
        return "no_scores", ()
    sides, every = (_by_result(control), _by_result(base)), len(control) + len(base)
    better, worse, _, untested = (sum(map(len, results)) for results in zip(*sides, strict=True))
    if untested == every:
        return "untested", (control, base)
    if better == every:
        return "better", (control, base)
    if not (better or worse or untested):
        return "unclear", (control, base)
    better_than_control, better_than_base = sides[0][0], sides[1][0]
    if not (better_than_control or worse or untested):
        return "better_than_base_only", (control, base, better_than_base)
    return "mixed", (control, base, [*zip(sides, (control, base), strict=True)])


def _by_result(effects: Sequence[Effect]) -> tuple[list[Effect], ...]:
    """The effects that are better, worse, not found and not tested; one of unknown direction is none of these."""
    return (
        [e for e in effects if e.better > 0],
        [e for e in effects if e.better < 0],
        [e for e in effects if e.found is Found.UNCLEAR],
        [e for e in effects if e.found is Found.UNTESTED],
    )


def seeds_of(effects: Sequence[Effect]) -> int:
    """The fewest training seeds behind effects that are claims about the dataset; 0 where one is about checkpoints."""
    return min(e.seeds for e in effects) if effects and all(e.dataset_claim for e in effects) else 0


def harms_of(own: pd.DataFrame, toxic: Sequence[Effect], variants: Sequence[Effect]) -> list[Harm]:
    """What was lost (`own`: the target's rows of the capability table), and in which readings a text became more toxic:
    by the planned one, or else by another."""
    harms = []
    places = own.groupby(["model", "arm"], sort=False).ngroups
    if tasks := capability.lost(own):
        harms.append(Harm(phrase("headline.lost", tasks, places), "models" if places > 1 else "model", 0))
    every = len({effect.model for effect in toxic})
    planned, other = ([e for e in effects if e.better < 0] for effects in (toxic, variants))
    if worse := planned or other:
        reading = [] if planned else list(dict.fromkeys(e.metric.reading for e in other))
        text = phrase("headline.worse", worse, every, reading)
        harms.append(Harm(text, "models" if every > 1 else "model", seeds_of(worse)))
    return harms
