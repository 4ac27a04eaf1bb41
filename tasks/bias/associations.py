"""Which words go with which group of one family in one checkpoint, and how far apart its groups are.

Counts are of completions; the tests permute whole completions between groups within a template
(`tasks.bias.logodds`, `tasks.bias.divergence`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import sparse

from tasks.bias.divergence import LEAVE_OUT, Change, Divergence, change, divergence, left_out
from tasks.bias.logodds import COLUMNS, favoured
from tasks.settings.cooccurrence import Cooccurrence
from tasks.stats.outcome import NAN, Floats, Labels

JACKKNIFE = "a prompt has one completion: nothing can be left out"


@dataclass(frozen=True)
class Texts:
    """One family's completions of one checkpoint: words (completions, vocabulary), labels of each completion."""

    words: sparse.csr_matrix
    vocabulary: Sequence[str]
    groups: Labels
    templates: Labels

    def parts(self) -> int:
        """Parts that the jackknife can leave out: 20, or as many as the rarest prompt has completions."""
        sizes = pd.DataFrame({"group": self.groups, "template": self.templates}).value_counts()
        return min(LEAVE_OUT, int(sizes.min())) if len(sizes) else 0


@dataclass(frozen=True)
class Found:
    """What one family's completions of one checkpoint show."""

    words: pd.DataFrame  # `COLUMNS` and z under the other priors, a row per group and word
    no_words: str | None  # why that table is empty
    divergence: Divergence
    left_out: tuple[float, Floats] | None  # None where the jackknife cannot leave anything out
    few: str | None  # why the counts say little


def associations(texts: Texts, config: Cooccurrence, parts: int) -> Found:
    """The favoured words and the divergence of one family in one checkpoint; `parts` is the same for all arms."""
    words, reason = favoured_words(texts, config)
    apart = divergence(
        texts.words, texts.groups, texts.templates, permutations=config.permutations, seed=config.seed
    )
    without = left_out_by_template(texts, config, parts) if parts > 1 and apart.reason is None else None
    return Found(words, reason, apart, without, too_few(texts, config.min_completions))


def favoured_words(texts: Texts, config: Cooccurrence) -> tuple[pd.DataFrame, str | None]:
    """`tasks.bias.logodds.favoured` with a column `z_prior_<a0>` for each of the other priors."""

    def under(prior: float, permutations: int) -> tuple[pd.DataFrame, str | None]:
        return favoured(
            texts.words,
            list(texts.vocabulary),
            texts.groups,
            texts.templates,
            prior_total=prior,
            minimum=config.minimum_count,
            permutations=permutations,
            seed=config.seed,
        )

    table, reason = under(config.prior_total, config.permutations)
    for prior in config.other_priors:
        z = under(prior, 0)[0][["group", "word", "z"]].rename(columns={"z": f"z_prior_{prior:g}"})
        table = table.merge(z, on=["group", "word"], how="left", sort=False)
    return table, reason


def left_out_by_template(texts: Texts, config: Cooccurrence, parts: int) -> tuple[float, Floats]:
    """`tasks.bias.divergence.left_out`, a template at a time: its own words are far fewer than the family's."""
    whole, without = 0.0, np.zeros(parts)
    names = np.unique(texts.templates)
    for name in names:
        at = np.flatnonzero(texts.templates == name)
        words = texts.words[at]
        words = words[:, np.flatnonzero(words.getnnz(axis=0))]
        one, several = left_out(
            words,
            texts.groups[at],
            texts.templates[at],
            permutations=config.jackknife_permutations,
            seed=config.seed,
            parts=parts,
        )
        whole, without = whole + one / len(names), without + several / len(names)
    return whole, without


def arm_change(tuned: Found, base: Found, confidence: float) -> Change:
    """The corrected divergence of a tuned arm less that of base, or the reason why there is none."""
    for found in (tuned, base):
        if found.left_out is None:
            return Change(NAN, NAN, 0, NAN, NAN, NAN, found.divergence.reason or JACKKNIFE)
    assert tuned.left_out is not None
    assert base.left_out is not None
    return change(tuned.left_out, base.left_out, confidence=confidence)


def too_few(texts: Texts, needed: int) -> str | None:
    """A warning that names the group with the fewest completions that hold a descriptive word, if those are few."""
    with_words = texts.words.getnnz(axis=1) > 0
    counts = {str(group): int(with_words[texts.groups == group].sum()) for group in np.unique(texts.groups)}
    if not counts or min(counts.values()) >= needed:
        return None if counts else "no completions"
    least = min(counts, key=lambda group: counts[group])
    return (
        f"too few: {counts[least]} completions of '{least}' hold a descriptive word, "
        f"{needed} (cooccurrence.min_completions) are needed to say anything"
    )


def leading(words: pd.DataFrame, top: int) -> pd.DataFrame:
    """The `top` words of each group by log-odds (z above 0) and by frequency ratio (above 1), with `by`, `rank`.

    By log-odds a word leads only if its ratio says so, too: of rare words the two may differ in direction. One that
    the rest never says has an infinite ratio, null in the table, and leads that list.
    """
    parts = []
    for _, part in words.groupby("group", sort=False):
        ratio = part["ratio"].fillna(np.inf)
        lists: Mapping[str, pd.DataFrame] = {
            "log_odds": part[(part["z"] > 0) & (ratio > 1)].sort_values(["z", "word"], ascending=[False, True]),
            "ratio": part[ratio > 1]
            .assign(order=ratio)
            .sort_values(["order", "count_group", "word"], ascending=[False, False, True])
            .drop(columns="order"),
        }
        parts += [
            one.head(top).assign(by=by, rank=range(1, 1 + min(top, len(one)))) for by, one in lists.items()
        ]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=[*COLUMNS, "by", "rank"])
