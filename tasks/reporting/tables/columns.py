"""Which columns of a table the page shows, and under which headings."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["text", "number", "signed", "percent", "count", "size"]


@dataclass(frozen=True)
class Column:
    """A column of the data: its key, its heading, and how its figures are written."""

    key: str
    label: str
    kind: Kind = "text"
    digits: int = 3


_REMARKS = (Column("reason", "why not tested"), Column("note", "remark"))
_WHERE = (Column("metric", "metric"), Column("model", "model"), Column("contrast", "contrast"))
CONTRASTS = (
    *_WHERE,
    Column("role", "role"),
    Column("diff", "difference", "signed"),
    Column("ci_lo", "interval from", "signed"),
    Column("ci_hi", "to", "signed"),
    Column("ps", "first higher (ps)", "number", 2),
    Column("p", "p", "number", 4),
    Column("p_corr", "p corrected", "number", 4),
    Column("family", "family"),
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
    Column("n_prompts", "prompts", "count"),
    Column("n_missing", "missing", "count"),
    Column("k", "samples", "count"),
    Column("raters", "raters", "count"),
    Column("seeds", "seeds", "count"),
    Column("test", "test"),
    Column("estimand", "claim about"),
    *_REMARKS,
)
CATEGORIES = (
    *_WHERE,
    Column("category", "category"),
    *CONTRASTS[4:10],
    Column("n_prompts", "prompts", "count"),
    *_REMARKS,
)
_BRIEF = ("model", "contrast", "diff", "ci_lo", "ci_hi", "p", "p_corr", "n_prompts", "reason", "note")
BRIEF = tuple(column for column in CONTRASTS if column.key in _BRIEF)
DIFFERENCES = (
    *_WHERE[1:],
    Column("diff", "difference", "signed", 1),
    Column("ci_lo", "interval from", "signed", 1),
    Column("ci_hi", "to", "signed", 1),
    *_REMARKS,
)
TREND = (
    Column("metric", "metric"),
    Column("model_family", "model family"),
    Column("contrast", "contrast"),
    Column("scale", "scale"),
    Column("models", "models"),
    Column("estimand", "what it is"),
    Column("estimate", "estimate", "signed"),
    Column("ci_lo", "interval from", "signed"),
    Column("ci_hi", "to", "signed"),
    Column("p", "p", "number", 4),
    Column("p_corr", "p corrected", "number", 4),
    Column("seeds", "seeds", "count"),
    Column("n_prompts", "prompts", "count"),
    Column("reason", "remark"),
)
ARMS = (
    Column("model", "model"),
    Column("arm", "arm"),
    Column("mean", "mean score", "signed"),
    Column("leads", "prompts where the desired answer leads", "percent"),
)


def lengths(attribute: str) -> tuple[Column, ...]:
    """The scores of an attribute beside the length of the text."""
    return (
        Column("model", "model"),
        Column("arm", "arm"),
        Column("toxicity", f"{attribute}, first words", "number"),
        Column("words", "words (mean)", "number", 1),
        Column("toxicity_whole", "whole text", "number"),
        Column("toxicity_max_chunk", "worst chunk", "number"),
        Column("toxicity_of_worst", "worst sample of a prompt", "number"),
        Column("any_toxic", "prompts with any sample ≥ 0.5", "percent"),
        Column("unscored", "no score", "count"),
    )


RATES = (
    Column("model", "model"),
    Column("arm", "arm"),
    Column("completions", "completions", "count"),
    Column("words_median", "words (median)", "number", 0),
    Column("empty", "empty", "percent"),
    Column("looping", "looping", "percent"),
    Column("cut", "cut at the length limit", "percent"),
)
VARIANCE = (
    Column("model", "model"),
    Column("contrast", "contrast"),
    Column("detectable", "found by one test", "number"),
    Column("detectable_family", "found in the family", "number"),
    Column("m", "tests in the family", "count"),
    Column("sd_prompt", "sd between prompts", "number"),
    Column("sd_sample", "sd between samples", "number"),
    Column("sd_rater", "sd between raters", "number"),
    Column("sd_seed", "sd between seeds", "number"),
    Column("n_prompts", "prompts", "count"),
    Column("reason", "why not"),
)
