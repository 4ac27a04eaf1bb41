"""The columns of the page's tables: what stands over each, and how its figures are written.

One dictionary for all of them; a table names its columns by their keys, and says where one differs in it.
"""

from dataclasses import dataclass, replace
from typing import Literal

Kind = Literal["text", "number", "signed", "percent", "count", "size"]


@dataclass(frozen=True)
class Column:
    """A column of the data: its key, its heading, and how its figures are written."""

    key: str
    label: str
    kind: Kind = "text"
    digits: int | None = None  # 3 of a number, 0 of a percentage, where nothing is said


# Over these columns stands their key.
_TEXTS = (
    "metric model arm contrast role category task group models model_family scale test warning family verdict "
    "informative version"
)
_COUNTS = "seed seeds raters completions items groups templates"
_OTHERS = (
    # where
    Column("title", "category"),
    Column("prompt_id", "prompt"),
    Column("prompt", "text"),
    # differences and their tests
    Column("diff", "difference", "signed"),
    Column("estimate", "estimate", "signed"),
    Column("ci_lo", "interval from", "signed"),
    Column("ci_hi", "to", "signed"),
    Column("ps", "first higher (ps)", "number", 2),
    Column("p", "p", "number", 4),
    Column("p_corr", "p corrected", "number", 4),
    Column("m", "tests in it", "count"),
    Column("p_signflip", "p sign flips", "number", 4),
    Column("stat", "t", "number", 2),
    Column("df", "df", "number", 1),
    Column("se", "standard error", "number"),
    Column("g_z", "g_z", "number", 2),
    Column("d_lo", "d_z from", "number", 2),
    Column("d_hi", "to", "number", 2),
    Column("bf10", "Bayes factor", "number", 2),
    Column("mean_a", "mean of first", "number"),
    Column("mean_b", "mean of second", "number"),
    Column("estimand", "claim about"),
    Column("reason", "why not tested"),
    Column("note", "remark"),
    # how many
    Column("n", "items", "count"),
    Column("n_prompts", "prompts", "count"),
    Column("n_missing", "missing", "count"),
    Column("k", "samples", "count"),
    # what could be found
    Column("detectable", "found by one test", "number"),
    Column("detectable_family", "found in the family", "number"),
    Column("sd_prompt", "sd between prompts", "number"),
    Column("sd_sample", "sd between samples", "number"),
    Column("sd_rater", "sd between raters", "number"),
    Column("sd_seed", "sd between seeds", "number"),
    # arms and prompts
    Column("mean", "mean score", "signed"),
    Column("leads", "prompts where the desired answer leads", "percent"),
    Column("similarity", "similarity to training", "number", 1),
    Column("sample_id", "nearest sample"),
    # completions and their toxicity
    Column("words", "words (mean)", "number", 1),
    Column("words_median", "words (median)", "number", 0),
    Column("empty", "empty", "percent"),
    Column("looping", "looping", "percent"),
    Column("cut", "cut at the length limit", "percent"),
    Column("toxicity", "first words", "number"),
    Column("toxicity_whole", "whole text", "number"),
    Column("toxicity_max_chunk", "worst chunk", "number"),
    Column("toxicity_of_worst", "worst sample of a prompt", "number"),
    Column("any_toxic", "prompts with any sample ≥ 0.5", "percent"),
    Column("unscored", "no score", "count"),
    # other abilities
    Column("chance", "chance", "percent", 1),
    Column("accuracy_base", "right: base", "percent", 1),
    Column("accuracy", "right: arm", "percent", 1),
    Column("points", "difference, points", "signed", 1),
    Column("points_lo", "90% interval from", "signed", 1),
    Column("points_hi", "to", "signed", 1),
    Column("points_margin", "margin, points", "number", 1),
    Column("p_noninferior", "p non-inferior", "number", 4),
    Column("p_equivalent", "p equivalent", "number", 4),
    Column("p_loss", "p loss", "number", 4),
    Column("p_loss_corr", "p loss, corrected", "number", 4),
    Column("m_loss", "tests of a loss", "count"),
    Column("n_for_80", "items for 80% power", "count"),
    Column("b", "gained", "count"),
    Column("c", "lost", "count"),
    Column("design_effect", "design effect", "number", 2),
    Column("mean_base", "base, nats per byte", "signed"),
    Column("num_fewshot", "examples before an item"),
    # words that follow a group
    Column("n_with_words", "with a descriptive word", "count"),
    Column("n_scored", "with one in the lexicon", "count"),
    Column("share_scored", "words in the lexicon", "percent"),
    Column("corrected", "corrected", "signed", 4),
    Column("raw", "raw", "number", 4),
    Column("parts", "parts left out", "count"),
    Column("reason_words", "why no words"),
)
_PLAIN = [Column(key, key.replace("_", " ")) for key in _TEXTS.split()]
_PLAIN += [Column(key, key, "count") for key in _COUNTS.split()]
COLUMNS = {column.key: column for column in (*_PLAIN, *_OTHERS)}


def columns(keys: str, digits: int | None = None, **changed: str | tuple[str, Kind]) -> tuple[Column, ...]:
    """The columns of these keys (parted by spaces), their numbers with so many `digits`, and some `changed`: a heading
    of the table's own, or a heading and a kind. A key that the dictionary lacks must be among those."""
    return tuple(_column(key, digits, changed.get(key)) for key in keys.split())


def _column(key: str, digits: int | None, changed: str | tuple[str, Kind] | None) -> Column:
    if isinstance(changed, tuple):
        return Column(key, *changed, digits)
    column = replace(COLUMNS[key], label=changed) if changed else COLUMNS[key]
    return column if digits is None or column.kind not in ("number", "signed") else replace(column, digits=digits)
