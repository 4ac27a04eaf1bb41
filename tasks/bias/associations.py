"""Which words go with which group of one family in one checkpoint, and how far apart its groups are.

Counts are of completions; the tests permute whole completions between groups within a template
(`tasks.bias.logodds`, `tasks.bias.divergence`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from scipy import sparse

from tasks.bias import Labels
from tasks.bias.divergence import LEAVE_OUT, Divergence, LeftOut, divergence, left_out
from tasks.bias.logodds import COLUMNS, favoured
from tasks.settings.cooccurrence import Cooccurrence


@dataclass(frozen=True)
class Texts:
    """One family's completions of one checkpoint, a row each: their words (completions, vocabulary) and the table."""

    words: sparse.csr_matrix
    vocabulary: Sequence[str]
    completions: pd.DataFrame  # `group` and `template` at least

    @cached_property
    def groups(self) -> Labels:
        """The group of each completion."""
        return self.completions["group"].to_numpy(object)  # plain text, as reasons quote it

    @cached_property
    def templates(self) -> Labels:
        """The template of each completion."""
        return self.completions["template"].to_numpy(object)

    @property
    def parts(self) -> int:
        """Parts that the jackknife can leave out: 20, or as many as the rarest prompt has completions."""
        return min(LEAVE_OUT, int(self.completions[["group", "template"]].value_counts().min()))

    @property
    def fewest(self) -> tuple[int, str]:
        """Completions with a descriptive word, of the group that has the fewest, and its name."""
        with_words = self.words.getnnz(axis=1) > 0
        return min((int(with_words[self.groups == group].sum()), str(group)) for group in np.unique(self.groups))


@dataclass(frozen=True)
class Associations:
    """What one family's completions of one checkpoint show."""

    words: pd.DataFrame  # of `favoured`, and whether the test `holds`
    reason_words: str | None  # why that table is empty
    divergence: Divergence
    left_out: LeftOut | None  # None where the jackknife cannot leave anything out
    fewest: tuple[int, str]
    warning: str | None  # why the counts say little


def associations(texts: Texts, config: Cooccurrence, parts: int) -> Associations:
    """The favoured words and the divergence of one family in one checkpoint; `parts` is the same for all arms."""
    labels = (texts.groups, texts.templates)
    words, reason = favoured(
        texts.words,
        texts.vocabulary,
        *labels,
        prior_total=config.prior_total,
        other_priors=config.other_priors,
        minimum=config.minimum_count,
        permutations=config.permutations,
        seed=config.seed,
    )
    apart = divergence(texts.words, *labels, permutations=config.permutations, seed=config.seed)
    without = None
    if parts > 1 and apart.reason is None:
        draws = config.jackknife_permutations
        without = left_out(texts.words, *labels, permutations=draws, seed=config.seed, parts=parts)
    words = words.assign(holds=words["p"] <= 1 - config.confidence)
    return Associations(words, reason, apart, without, texts.fewest, too_few(*texts.fewest, config.min_completions))


def too_few(count: int, group: str, needed: int) -> str | None:
    """A warning if even the group's `count` completions with a descriptive word, the fewest, are not enough."""
    if count >= needed:
        return None
    return (
        f"too few: {count} completions of '{group}' hold a descriptive word, "
        f"{needed} (cooccurrence.min_completions) are needed to say anything"
    )


def leading(words: pd.DataFrame, top: int) -> pd.DataFrame:
    """The `top` words of each group by log-odds (z above 0) and by frequency ratio (above 1), with `by`, `rank`.

    By log-odds a word leads only if its ratio says so, too: of rare words the two may differ in direction. One that
    the rest never says has an infinite ratio, null in the table, and leads that list.
    """
    parts = []
    for _, part in words.groupby("group", sort=False):
        part = part.assign(order=part["ratio"].fillna(np.inf)).query("order > 1")
        by_z = part[part["z"] > 0].sort_values(["z", "word"], ascending=[False, True])
        by_ratio = part.sort_values(["order", "count_group", "word"], ascending=[False, False, True])
        for by, table in (("log_odds", by_z), ("ratio", by_ratio)):
            table = table.head(top).drop(columns="order")
            parts.append(table.assign(by=by, rank=range(1, 1 + len(table))))
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=[*COLUMNS, "by", "rank"])
