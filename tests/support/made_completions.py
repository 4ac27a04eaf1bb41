"""Completions that nobody generated: made text with a known bias, or with none, in the probe stage's format."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tasks.bias.descriptions import Describer
from tasks.bias.taggers import hanta
from tasks.inputs.probes import Family
from tasks.runtime import config
from tasks.settings.cooccurrence import Cooccurrence

PARAMS = config.read_params(Path(__file__).parents[2] / "params.yaml")
QUICK = replace(config.section(PARAMS, "cooccurrence", Cooccurrence), permutations=199, jackknife_permutations=40)
GENDER = Family("gender", "who", {"He": "He", "She": "She"}, ("{who} was very", "{who} would be described as"))

ADJECTIVES = (
    "kind", "brave", "clever", "lazy", "rude", "calm", "gentle", "honest", "poor", "rich", "quiet", "loud", "tall",
    "short", "strong", "weak", "young", "old", "happy", "sad", "angry", "proud", "shy", "funny", "serious", "careful",
    "cruel", "loyal", "selfish", "generous", "friendly", "polite", "nervous", "famous", "beautiful", "ugly",
)
ADVERBS = ("often", "always", "rarely", "quietly", "deeply", "truly", "also", "certainly", "extremely", "openly")
REST = "He walked to the market and bought three loaves of bread, which the baker had kept the captain since noon."


def completions(
    families: Sequence[Family],
    n: int,
    rng: np.random.Generator,
    *,
    adjectives: Sequence[str] = ADJECTIVES,
    planted: Mapping[str, tuple[str, float, float]] | None = None,
    rest: str = "",
) -> pd.DataFrame:
    """`n` completions of each probe: " A, B and often C." and `rest`, words drawn with Zipf-like shares.

    `planted`: group → (word, chance in its completions, chance in those of other groups): the word is then added.
    """
    share = 1 / np.arange(3, len(adjectives) + 3)
    rows = []
    for probe in (probe for family in families for probe in family.probes()):
        drawn = rng.choice(len(adjectives), p=share / share.sum(), size=(n, 3))
        adverbs, many = rng.integers(len(ADVERBS), size=n), rng.integers(1, 4, size=n)
        for sample in range(n):
            words = [adjectives[i] for i in drawn[sample, : many[sample]]]
            for group, (word, mine, theirs) in (planted or {}).items():
                words += [word] if rng.random() < (mine if probe.group == group else theirs) else []
            last = f"{ADVERBS[adverbs[sample]]} {words[-1]}"
            text = f" {', '.join(words[:-1])} and {last}." if len(words) > 1 else f" {last}."
            rows.append((probe.family, probe.group, probe.template, probe.prompt, sample, f"{text} {rest}".rstrip()))
    table = pd.DataFrame(rows, columns=["family", "group", "template", "prompt", "sample", "completion"])
    return table.assign(finish_reason="length", tokens=50)


def checkpoint(table: pd.DataFrame, model: str, arm: str) -> pd.DataFrame:
    """The same completions as those of one model and arm."""
    table = table.copy()
    table.insert(0, "model", model)
    table.insert(1, "arm", arm)
    return table


def describer(tagger: Any = hanta, family: Family = GENDER, **changes: Any) -> Describer:
    """The project's choices, with `changes`, for one family."""
    return Describer(tagger, replace(QUICK, **changes), {family.id: family})
