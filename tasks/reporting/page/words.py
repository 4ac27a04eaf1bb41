"""The words that follow each group of people: what changed, the leading words, their sentiment, the tables."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from tasks.formats.checkpoints import BASE
from tasks.reporting.data.study import Study
from tasks.reporting.figures import cooccurrence as figures
from tasks.reporting.findings.comparison import Row
from tasks.reporting.findings.word_changes import findings
from tasks.reporting.page.section import Results, Section
from tasks.reporting.tables.columns import columns
from tasks.reporting.tables.tables import csv_text, shown
from tasks.reporting.words.terms import known, listed, number
from tasks.text.shown import excerpt

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
    "model arm family corrected raw chance p n groups templates reason reason_words",
    digits=4,
    chance=("by chance", "number"),
    n="completions",
    reason="why not",
)
CHANGES = columns(
    "model contrast family diff ci_lo ci_hi p p_corr m parts reason", digits=4
)


class Word(NamedTuple):
    """A favoured word: safe to show, with z and the ratio of frequencies as they are read."""

    text: str
    z: str
    ratio: str
    holds: bool  # the permutation test of all words together finds it


@dataclass(frozen=True)
class WordTable:
    """Favoured words at one model: a row has a group and, for each arm, its words, the most favoured first, or why
    there are none."""

    name: str
    caption: str
    arms: Sequence[str]
    rows: Sequence[tuple[str, Sequence[Sequence[Word] | str]]]
    csv: str


def section(results: Results) -> Section:
    """What the probes showed, by family."""
    study = results.study
    divergence, drawn = study.words["divergence"], study.words["counts"]["n"]
    families = list(divergence["family"].unique())
    content = {
        "families": [_family(study, family) for family in families],
        "completions": " to ".join(dict.fromkeys(f"{count:.0f}" for count in (drawn.min(), drawn.max()))),
        "few": _fewest(study),
        "used": study.words_used,
        "choices": list(_choices(study.words_used)),
    }
    tables = [
        shown("divergence", "How far apart the groups' words are", divergence, DIVERGENCE),
        shown("changes", "Changes of the corrected divergence from base", study.words["changes"], CHANGES),
    ]
    for name in families:
        sentiment = study.words_of("sentiment", name)
        tables.append(shown(f"sentiment-{name}", f"Sentiment of the words: {name}", sentiment, SENTIMENT))
    drawings = [drawing for family in families if (drawing := figures.sentiment(study, family))]
    return Section("words", "Words", "Words that follow each group", content, drawings, tables)


def _fewest(study: Study) -> int | None:
    """The fewest completions with a descriptive word, where every change of the target has too few; else None."""
    changes = study.words["changes"]
    own = changes[changes["dataset"] == study.config.target]
    return int(own["least_n"].min()) if len(own) and (own["verdict"] == "too few words").all() else None


def _family(study: Study, name: str) -> dict[str, Any]:
    """What changed, the prompts, the words (largest model first), why there is no figure, and what is too small."""
    sentiment, counts, apart = (study.words_of(table, name) for table in ("sentiment", "counts", "divergence"))
    flagged = apart[apart["warning"].notna()].to_dict("records")
    title = name.replace("_", " ")
    return findings(study, name) | {
        "title": title[:1].upper() + title[1:],
        "sentiment": f"sentiment-{name}",
        "templates": [SLOT.sub("…", text) for text in counts["template"].unique()],
        "words": [_word_table(study, name, model) for model in study.models[::-1]],
        "no_sentiment": listed([*sentiment["reason"].dropna().unique()]),
        "warnings": [f"{row['model']}, {row['arm']}: {row['warning']}" for row in flagged],
    }


def _word_table(study: Study, family: str, model: str) -> WordTable:
    arms = [BASE, *study.arms_of(study.config.target)[:1]]
    favoured, apart, sentiment = (study.words_of(table, family) for table in ("favoured", "divergence", "sentiment"))
    leading = favoured[(favoured["model"] == model) & (favoured["by"] == "log_odds") & favoured["arm"].isin(arms)]
    no_words = apart[apart["model"] == model].set_index("arm")["reason_words"].fillna("no word leads")

    def cell(group: str, arm: str) -> list[Word] | str:
        rows = leading[(leading["group"] == group) & (leading["arm"] == arm)].sort_values("rank").to_dict("records")
        return [_word(row) for row in rows] or str(no_words[arm])

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


def _choices(used: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Every choice that the figures rest on, but the warnings, which stand with each family."""
    for key, value in used.items():
        if key != "warnings":
            text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
            yield key.replace("_", " "), {"True": "yes", "False": "no"}.get(text, text)
