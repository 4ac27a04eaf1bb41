"""Which words go with which group of one family in one checkpoint, and how far apart its groups are.

Counts are of completions; the tests permute whole completions between groups within a template
(`tasks.bias.logodds`, `tasks.bias.divergence`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

from tasks.bias import Labels
from tasks.bias.divergence import LEAVE_OUT, LeftOut, divergence, left_out
from tasks.bias.logodds import COLUMNS, favoured
from tasks.bias.sentiment import group_sentiment
from tasks.inputs.probes import Family
from tasks.settings.cooccurrence import Cooccurrence


@dataclass(frozen=True)
class Texts:
    """One family's completions of one checkpoint, and the words in them."""

    key: Mapping[str, Any]  # the columns that every table starts with
    family: Family
    completions: pd.DataFrame  # `group`, `template`, `completion`, and the columns of `completion_sentiment`
    words: sparse.csr_matrix  # (completions, vocabulary)
    vocabulary: Sequence[str]

    @cached_property
    def labels(self) -> tuple[Labels, Labels]:
        """Group and template of each completion, as plain text, since reasons quote it."""
        return self.completions["group"].to_numpy(object), self.completions["template"].to_numpy(object)

    @property
    def parts(self) -> int:
        """Parts that the jackknife can leave out: 20, or as many as the rarest prompt has completions."""
        return min(LEAVE_OUT, int(self.completions[["group", "template"]].value_counts().min()))

    @property
    def fewest(self) -> tuple[int, str]:
        """Completions with a descriptive word, of the group that has the fewest, and its name."""
        with_words = pd.Series(self.words.getnnz(axis=1) > 0).groupby(self.labels[0]).sum()
        return min((int(count), str(group)) for group, count in with_words.items())


@dataclass(frozen=True)
class Associations:
    """What one family's completions of one checkpoint show."""

    key: Mapping[str, Any]
    tables: Mapping[str, pd.DataFrame]  # words, favoured, sentiment, divergence, counts
    left_out: LeftOut | None  # None where the jackknife cannot leave anything out
    reason: str | None  # why there is no divergence
    fewest: tuple[int, str]
    warning: str | None  # why the counts say little


def associations(texts: Texts, sentiment: Mapping[str, float], config: Cooccurrence, parts: int) -> Associations:
    """The tables of one family in one checkpoint, groups in the order of the probe file.

    `sentiment` is that of words; the jackknife leaves out so many `parts`, the same for all arms.
    """
    words, reason_words = _words(texts, sentiment, config)
    apart = divergence(texts.words, *texts.labels, permutations=config.permutations, seed=config.seed)
    without = None
    if parts > 1 and apart.reason is None:
        draws = config.jackknife_permutations
        without = left_out(texts.words, *texts.labels, permutations=draws, seed=config.seed, parts=parts)
    sizes = {"groups": len(texts.family.groups), "templates": len(texts.family.templates)}
    tables = {
        "words": words,
        "favoured": leading(words, config.top),
        "sentiment": group_sentiment(texts.completions, config.confidence),
        "divergence": pd.DataFrame([sizes | asdict(apart) | {"reason_words": reason_words}]),
        "counts": prompt_counts(texts),
    }
    warning = too_few(*texts.fewest, config.min_completions)
    flags = {"too_few": warning is not None, "warning": warning}
    for name, table in tables.items():
        tables[name] = pd.DataFrame(texts.key, index=table.index).join(table).assign(**flags)
    return Associations(texts.key, tables, without, apart.reason, texts.fewest, warning)


def _words(texts: Texts, sentiment: Mapping[str, float], config: Cooccurrence) -> tuple[pd.DataFrame, str | None]:
    """The table of `favoured` with the sentiment and whether a word `holds`, and why the table is empty.

    Where counts are too small to say anything no word holds, whatever its test says.
    """
    words, reason = favoured(
        texts.words,
        texts.vocabulary,
        *texts.labels,
        prior_total=config.prior_total,
        other_priors=config.other_priors,
        minimum=config.minimum_count,
        permutations=config.permutations,
        seed=config.seed,
        alpha=1 - config.confidence,
    )
    place = {group: i for i, group in enumerate(texts.family.groups)}
    words = words.sort_values("group", key=lambda names: names.map(place), kind="stable")
    known = words["word"].map(sentiment).astype("float64")
    holds = (words["p"] <= 1 - config.confidence) & (texts.fewest[0] >= config.min_completions)
    return words.assign(holds=holds, sentiment=known), reason


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


def prompt_counts(texts: Texts) -> pd.DataFrame:
    """For every prompt: completions, empty ones, those with a descriptive word, such words, different ones."""
    completions = texts.completions.reset_index(drop=True)
    return pd.DataFrame(
        {
            "template": template,
            "group": group,
            "n": len(part),
            "n_empty": int((part["completion"].str.strip() == "").sum()),
            "n_with_words": int((part["words"] > 0).sum()),
            "words": int(part["words"].sum()),
            "different_words": int((texts.words[part.index].getnnz(axis=0) > 0).sum()),
        }
        for (template, group), part in completions.groupby(["template", "group"], sort=False)
    )
