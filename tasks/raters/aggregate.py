"""From answers to tables: what is rated and what is left, who rates how, and where raters disagree."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from tasks.formats.ratings import METRIC, Closed, text_id
from tasks.inputs.ratings import Attention
from tasks.settings.ratings import Ratings
from tasks.stats.outcome import NAN, Floats

KEYS = ("model", "arm", "category", "prompt_id", "split", "sample")
SCORES = (*KEYS, "metric", "score", "rater", "reason", "text_id", "note", "seconds")
PROGRESS = ("split", "texts", "raters_per_sample", "wanted", "given", "cannot_judge", "texts_done", "raters",
            "closed_at", "complete", "of_other_texts", "seconds", "next")
RATERS = ("rater", "given", "cannot_judge", "of_other_texts", "attention", "attention_failed", "failed", "practice",
          "seconds", "repeats", "repeats_same", "repeats_within_one", "repeats_apart", "severity", "severity_lo",
          "severity_hi", "shared_texts")
TEXTS = (*KEYS, "text_id", "ratings", "cannot_judge", "mean", "median", "lowest", "highest")
DISAGREEMENTS = (*TEXTS, "spread", "each", "notes", "prompt", "completion")
NOTES = (*KEYS, "text_id", "rater", "score", "reason", "note")
LISTED = 30  # texts that raters disagreed on


def rated_texts(completions: pd.DataFrame, split: str) -> pd.DataFrame:
    """The completions of a split with their `text_id`; those of one text have one id."""
    texts = completions[completions["split"] == split].reset_index(drop=True)
    return texts.assign(text_id=[text_id(*pair) for pair in zip(texts["prompt"], texts["completion"], strict=True)])


def score_table(texts: pd.DataFrame, answers: pd.DataFrame) -> pd.DataFrame:
    """A row for each completion and rater who answered it, with exactly `SCORES`; null where it cannot be judged."""
    given = answers.loc[answers["kind"] == "rating"].rename(columns={"rating": "score"})
    given = given[["text_id", "rater", "score", "reason", "note", "seconds"]]
    table = texts[[*KEYS, "text_id"]].merge(given, on="text_id").assign(metric=METRIC)
    table = table.reindex(columns=list(SCORES)).astype({"score": "float64"})
    return table.assign(**{name: table[name].replace("", None).astype("string") for name in ("reason", "note")})


def progress(texts: pd.DataFrame, answers: pd.DataFrame, rules: Ratings, closed: Closed | None) -> pd.DataFrame:
    """One row, with exactly `PROGRESS`: what was asked for and what is there. `complete`: rating is closed, and every
    text has an answer of as many raters as the rules ask for."""
    wanted, own = rules.raters_per_sample, set(texts["text_id"])
    ratings = answers[answers["kind"] == "rating"]
    here = ratings[ratings["text_id"].isin(own)]
    done = int((here.groupby("text_id").size() >= wanted).sum())
    row = {"split": rules.split, "texts": len(own), "raters_per_sample": wanted, "wanted": wanted * len(own),
           "given": int(here["rating"].notna().sum()), "cannot_judge": int(here["rating"].isna().sum()),
           "texts_done": done, "raters": here["rater"].nunique(), "closed_at": closed.closed_at if closed else None,
           "complete": closed is not None and 0 < len(own) == done, "of_other_texts": len(ratings) - len(here),
           "seconds": here["seconds"].median(), "next": _next(len(here), complete=done == len(own))}  # fmt: skip
    return pd.DataFrame([row | {"next": None} if closed else row], columns=list(PROGRESS))


def _next(given: int, *, complete: bool) -> str:
    """The commands by which rating goes on."""
    if complete:
        return "palms rate close; palms sweep"
    return "palms rate" if given else "palms rate add NAME; palms rate"


def rater_table(
    texts: pd.DataFrame, answers: pd.DataFrame, rules: Ratings, items: Sequence[Attention], *, closed: bool
) -> pd.DataFrame:
    """A row for each rater, with exactly `RATERS`: counts, attention, and (once closed) self-consistency and severity.

    `failed` says that the rules were not met; the ratings count all the same. `repeats_apart`: mean distance of the
    two ratings of one text, in points. `severity`: the mean over texts of the rater's rating less that of the others
    who rated it (above zero: kinder), with a 95% interval over prompts.
    """
    prompt_of = dict(zip(texts["text_id"], texts["prompt_id"], strict=True))
    expected = {text_id(item.prompt, item.completion): item.expected for item in items}
    ratings = answers[(answers["kind"] == "rating") & answers["text_id"].isin(prompt_of)]
    rows = []
    for rater, own in answers.groupby("rater"):
        row = _counts(own, set(prompt_of), expected, rules)
        row |= {**_repeats(own), **_severity(ratings, str(rater), prompt_of)} if closed else {}
        rows.append({"rater": rater} | row)
    return pd.DataFrame(rows, columns=list(RATERS))


def _counts(
    own: pd.DataFrame, known: set[str], expected: Mapping[str, Sequence[int]], rules: Ratings
) -> dict[str, Any]:
    """An attention item that the instructions no longer hold is not counted: nobody knows what was expected."""
    given = own[own["kind"] == "rating"]
    attention = own[(own["kind"] == "attention") & own["text_id"].isin(expected)]
    here = given[given["text_id"].isin(known)]
    failed = sum(
        rating not in expected[name] for name, rating in zip(attention["text_id"], attention["rating"], strict=True)
    )
    return {"given": int(here["rating"].notna().sum()), "cannot_judge": int(here["rating"].isna().sum()),
            "of_other_texts": len(given) - len(here), "attention": len(attention), "attention_failed": failed,
            "failed": failed > rules.most_failed_attention, "practice": int((own["kind"] == "practice").sum()),
            "seconds": here["seconds"].median()}  # fmt: skip


def _repeats(own: pd.DataFrame) -> dict[str, Any]:
    first = own[own["kind"] == "rating"].set_index("text_id")["rating"]
    second = own[own["kind"] == "repeat"]
    apart = (second["rating"] - first.reindex(second["text_id"]).to_numpy()).abs().dropna()
    if apart.empty:
        return {"repeats": 0}
    return {"repeats": len(apart), "repeats_same": float((apart == 0).mean()),
            "repeats_within_one": float((apart <= 1).mean()), "repeats_apart": float(apart.mean())}  # fmt: skip


def _severity(ratings: pd.DataFrame, rater: str, prompt_of: Mapping[str, str]) -> dict[str, Any]:
    """With a t interval over prompts, of the texts that others rated too; each prompt counts as many times as it has
    texts."""
    scored = ratings.dropna(subset="rating")
    mine = scored[scored["rater"] == rater].set_index("text_id")["rating"]
    others = scored[scored["rater"] != rater].groupby("text_id")["rating"].mean()
    gaps = (mine - others).dropna()
    if gaps.empty:
        return {"shared_texts": 0}
    by_prompt = gaps.groupby([prompt_of[name] for name in gaps.index]).agg(["sum", "size"])
    mean = float(gaps.mean())
    half = _half_width(by_prompt["sum"].to_numpy(float) - mean * by_prompt["size"].to_numpy(float), len(gaps))
    return {"severity": mean, "severity_lo": mean - half, "severity_hi": mean + half, "shared_texts": len(gaps)}


def _half_width(residuals: Floats, texts: int) -> float:
    """Of a 95% interval of a mean over texts, from the sums of residuals of prompts (n,); NaN of one prompt."""
    n = len(residuals)
    if n < 2:
        return NAN
    from scipy import special

    se = np.sqrt(n / (n - 1) * float(residuals @ residuals)) / texts
    return float(special.stdtrit(n - 1, 0.975) * se)


def text_table(scores: pd.DataFrame) -> pd.DataFrame:
    """A row a completion that somebody answered, with exactly `TEXTS`, from a `score_table`."""
    groups = scores.groupby([*KEYS, "text_id"], sort=False)["score"]
    figures = groups.agg(ratings="count", size="size", mean="mean", median="median", lowest="min", highest="max")
    table = pd.DataFrame(figures).reset_index().assign(cannot_judge=lambda t: t["size"] - t["ratings"])
    return table.reindex(columns=list(TEXTS))


def disagreements(scores: pd.DataFrame, texts: pd.DataFrame) -> pd.DataFrame:
    """The `LISTED` texts whose ratings lie furthest apart, with exactly `DISAGREEMENTS`, the widest first.

    `spread`: the standard deviation of the ratings; `each`: the ratings from low to high; of completions that are one
    text the first."""
    once = scores.drop_duplicates(["text_id", "rater"])
    table = text_table(scores)
    table = table.assign(spread=table["text_id"].map(once.groupby("text_id")["score"].std()))
    table = table[table["highest"] > table["lowest"]].drop_duplicates("text_id")
    table = table.sort_values(["spread", "text_id"], ascending=[False, True], kind="stable").head(LISTED)
    each = {name: " ".join(f"{v:g}" for v in sorted(part.dropna())) for name, part in once.groupby("text_id")["score"]}
    notes = {name: " | ".join(_notes(part)) for name, part in once.groupby("text_id")}
    words = texts.drop_duplicates("text_id").set_index("text_id")
    table = table.assign(each=table["text_id"].map(each), notes=table["text_id"].map(notes))
    for name in ("prompt", "completion"):
        table[name] = table["text_id"].map(words[name])
    return table.reindex(columns=list(DISAGREEMENTS)).reset_index(drop=True)


def note_table(scores: pd.DataFrame) -> pd.DataFrame:
    """What raters noted, and why they could not judge: a row for each such answer, with exactly `NOTES`."""
    said = scores[scores["note"].notna() | scores["reason"].notna()]
    return said.reindex(columns=list(NOTES)).reset_index(drop=True)


def _notes(rows: pd.DataFrame) -> Iterator[str]:
    for row in rows.sort_values("rater").to_dict("records"):
        if isinstance(row["note"], str) and row["note"]:
            yield f"{row['rater']}: {row['note']}"
