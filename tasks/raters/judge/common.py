"""The texts that both people and a judge rated, and how close anyone comes to the other raters."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from tasks.stats.outcome import NAN, Floats, Labels, nan_mean

TEXT = ["model", "arm", "prompt_id", "sample"]


@dataclass(frozen=True)
class Common:
    """Texts (n,) with a rating by a judge and by people (n, raters), NaN where one did not rate.

    `texts` has the columns `TEXT`, category, dataset and words (how long the completion is).
    """

    texts: pd.DataFrame
    judge: Floats
    people: Floats
    raters: tuple[str, ...]

    def of(self, chosen: Labels) -> "Common":
        """These texts only."""
        return Common(self.texts[chosen].reset_index(drop=True), self.judge[chosen], self.people[chosen], self.raters)

    @cached_property
    def gaps(self) -> Floats:
        """(n,): the judge's rating less the mean of people's."""
        return self.judge - nan_mean(self.people, axis=1)

    @cached_property
    def length(self) -> Floats:
        """(n,): on a scale on which a doubling counts the same everywhere."""
        return np.asarray(np.log2(1 + self.texts["words"].to_numpy(np.float64)), dtype=np.float64)

    @cached_property
    def others(self) -> Floats:
        """(n, raters): for each rating the mean of the others of this text; NaN where nobody else rated it."""
        rated = ~np.isnan(self.people)
        total, count = np.where(rated, self.people, 0).sum(axis=1, keepdims=True), rated.sum(axis=1, keepdims=True)
        alone = count < 2
        means = (total - np.where(rated, self.people, 0)) / np.maximum(count - 1, 1)
        return np.where(rated & ~alone, means, NAN)


def common_texts(judged: pd.DataFrame, people: pd.DataFrame) -> Common:
    """`judged`: a row a completion, with `TEXT`, category, dataset, words and score. `people`: a row a rating, with
    `TEXT`, rater and score. Texts without a rating on either side are left out."""
    rated = people[people["score"].notna()]
    if rated.empty:
        return Common(judged[[*TEXT, "category", "dataset", "words"]].iloc[:0], np.empty(0), np.empty((0, 0)), ())
    wide = rated.pivot(index=TEXT, columns="rater", values="score").sort_index(axis=1)
    kept = judged[judged["score"].notna()].set_index(TEXT)
    kept = kept[kept.index.isin(wide.index)]
    values = wide.reindex(kept.index).to_numpy(np.float64).reshape(len(kept), wide.shape[1])
    texts = kept.reset_index()[[*TEXT, "category", "dataset", "words"]]
    return Common(texts, kept["score"].to_numpy(np.float64), values, tuple(map(str, wide.columns)))


def by_prompt(common: Common, values: Floats, rows: Labels) -> "pd.Series[float]":
    """The mean of `values` (n,) over the chosen rows of each prompt; its index is (category, prompt_id)."""
    texts = common.texts[rows].assign(value=values[rows])
    return texts.groupby(["category", "prompt_id"], sort=False)["value"].mean()


def codes(labels: Iterable[object]) -> tuple[Labels, int]:
    """Numbers for labels, and how many different ones there are."""
    numbers, unique = pd.factorize(pd.Series(list(labels), dtype=object))
    return numbers, len(unique)
