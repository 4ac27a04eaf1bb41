"""The section on the words that follow each group: what changed, the leading words, their sentiment, the tables."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from tasks.formats.checkpoints import BASE
from tasks.reporting.data.study import Study
from tasks.reporting.findings.comparison import Row
from tasks.reporting.findings.word_changes import Finding, finding
from tasks.reporting.tables.columns import columns
from tasks.reporting.tables.tables import Table, csv_address, csv_text, shown
from tasks.reporting.words.terms import known, listed, number
from tasks.reporting.words.text import excerpt

LONGEST = 40  # characters of one word that the page shows
SLOT = re.compile(r"\{[^{}]*\}")
SENTIMENT = columns(
    "model arm group mean ci_lo ci_hi n n_with_words n_scored share_scored reason",
    digits=1,
    mean="mean sentiment",
    n="completions",
    reason="remark",
)
DIVERGENCE = columns(
    "model arm family seed corrected raw chance p n groups templates reason reason_words warning",
    digits=4,
    chance=("by chance", "number"),
    n="completions",
    reason="why not",
)
CHANGES = columns(
    "model contrast family diff ci_lo ci_hi p p_corr m se df parts reason warning", digits=4, df=("df", "count")
)


@dataclass(frozen=True)
class Word:
    """A favoured word: safe to show, with z and the ratio of frequencies as they are read."""

    text: str
    z: str
    ratio: str
    holds: bool  # the permutation test of all words together finds it


@dataclass(frozen=True)
class Favoured:
    """A group's favoured words in one arm, the first the most favoured, or why there are none."""

    words: Sequence[Word]
    none: str


@dataclass(frozen=True)
class WordTable:
    """Favoured words at one model: for each group, those of base beside those of the target."""

    name: str
    caption: str
    arms: Sequence[str]
    rows: Sequence[tuple[str, Sequence[Favoured]]]
    csv: str

    @property
    def address(self) -> str:
        """The CSV as a data: address."""
        return csv_address(self.csv)


@dataclass(frozen=True)
class FamilyView:
    """One family: what changed, its prompts, its words (largest model first), its sentiment, and what is too small."""

    title: str
    finding: Finding
    figure: str  # its name, if there is one
    templates: Sequence[str]
    words: Sequence[WordTable]
    sentiment: Table
    no_sentiment: str  # why there is no figure
    warnings: Sequence[str]


@dataclass(frozen=True)
class Words:
    """The section, ready for the template."""

    families: Sequence[FamilyView]
    completions: str  # of each prompt
    divergence: Table
    changes: Table
    used: Sequence[tuple[str, str]]


def words(study: Study) -> Words:
    """Puts the section together."""
    tables = study.words
    drawn = tables["counts"]["n"]
    return Words(
        families=[_family(study, name) for name in tables["divergence"]["family"].unique()],
        completions=" to ".join(dict.fromkeys(f"{count:.0f}" for count in (drawn.min(), drawn.max()))),
        divergence=shown("divergence", "How far apart the groups' words are", tables["divergence"], DIVERGENCE),
        changes=shown("changes", "Changes of the corrected divergence from base", tables["changes"], CHANGES),
        used=list(_used(study.words_used)),
    )


def rows_of(study: Study, name: str, family: str) -> pd.DataFrame:
    """The rows of one family in a table of cooccurrence, smallest model first, arms in the order of the page."""
    table = study.words[name]
    arms = [arm for dataset in study.named for arm in study.arms_of(dataset)]
    table = table[table["family"] == family]
    place = table["model"].map(study.models.index) * len(arms) + table["arm"].map(arms.index)
    return table.loc[place.sort_values(kind="stable").index]


def _family(study: Study, name: str) -> FamilyView:
    sentiment, counts, apart = (rows_of(study, table, name) for table in ("sentiment", "counts", "divergence"))
    flagged = apart[apart["warning"].notna()].to_dict("records")
    title = name.replace("_", " ")
    return FamilyView(
        title=title[:1].upper() + title[1:],
        finding=finding(study, name),
        figure=figure_name(name),
        templates=[SLOT.sub("…", text) for text in counts["template"].unique()],
        words=[_word_table(study, name, model) for model in study.models[::-1]],
        sentiment=shown(f"sentiment-{name}", f"Sentiment of the words: {name}", sentiment, SENTIMENT),
        no_sentiment="" if sentiment["mean"].notna().any() else listed([*sentiment["reason"].dropna().unique()]),
        warnings=[f"{row['model']}, {row['arm']}: {row['warning']}" for row in flagged],
    )


def figure_name(family: str) -> str:
    """The name of the figure of the family's sentiment."""
    return f"sentiment-{family}"


def _word_table(study: Study, family: str, model: str) -> WordTable:
    arms = [BASE, *study.arms_of(study.config.target)[:1]]
    favoured, apart, sentiment = (rows_of(study, table, family) for table in ("favoured", "divergence", "sentiment"))
    leading = favoured[(favoured["model"] == model) & (favoured["by"] == "log_odds") & favoured["arm"].isin(arms)]
    no_words = apart[apart["model"] == model].set_index("arm")["reason_words"].fillna("no word leads")

    def cell(group: str, arm: str) -> Favoured:
        rows = leading[(leading["group"] == group) & (leading["arm"] == arm)].sort_values("rank").to_dict("records")
        return Favoured([_word(row) for row in rows], "" if rows else str(no_words[arm]))

    return WordTable(
        name=f"words-{family}-{model}",
        caption=f"Favoured words: {family}, {model}",
        arms=arms,
        rows=[(group, [cell(group, arm) for arm in arms]) for group in sentiment["group"].unique()],
        csv=csv_text(leading),
    )


def _word(row: Row) -> Word:
    text, left = excerpt(str(row["word"]), LONGEST)
    ratio = f"{number(row['ratio'], 1)}×" if known(row["ratio"]) else "only here"
    return Word(text + "…" * bool(left), number(row["z"], 1), ratio, bool(row["holds"]))


def _used(used: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Every choice that the figures rest on, but the warnings, which stand with each family."""
    for key, value in used.items():
        if key != "warnings":
            text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
            yield key.replace("_", " "), {"True": "yes", "False": "no"}.get(text, text)
