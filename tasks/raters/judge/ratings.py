"""From replies to ratings: both directions read as one scale, a flip told as unsure, what failed left missing."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from tasks.raters.judge import ASCENDING, DESCENDING, DIRECTIONS, METRIC, POINTS, UNSURE
from tasks.raters.judge.reply import Reply, read
from tasks.raters.judge.rubric import case
from tasks.raters.judge.scorer import JudgeScorer
from tasks.scorers import Score
from tasks.scorers.store import Store

KEYS = ("model", "arm", "category", "prompt_id", "split", "sample")
RATINGS = (*KEYS, "metric", "score", "rater", "reason", "text_id", *DIRECTIONS)
REPLIES = ("judge", "model", "revision", "rubric", "text_id", "direction", "rating", "reason", "said", "answered_by",
           "fingerprint", "tokens_in", "tokens_out", "at", "raw")  # fmt: skip
_MIDDLE = (1 + POINTS) / 2


def rating_of(replies: Sequence[Score], most_difference: float) -> dict[str, Any]:
    """Score and reason of a text, and its ratings by the scale in each direction, read as people's scale.

    The score is the mean of the two. Null where one of them failed, and (UNSURE) where they differ by more than
    `most_difference` or lie on different sides of the middle: a judge that answers "4" whichever way the scale runs
    has rated the numbers and not the text.
    """
    given = {one.attribute: one for one in replies}
    up, down = (given[direction].score for direction in DIRECTIONS)
    turned = None if down is None else POINTS + 1 - down
    row = {ASCENDING: up, DESCENDING: turned, "score": None}
    if up is None or turned is None:
        return row | {"reason": next(one.error for one in (given[d] for d in DIRECTIONS) if one.score is None)}
    if abs(up - turned) > most_difference or (up - _MIDDLE) * (turned - _MIDDLE) < 0:
        return row | {"reason": UNSURE}
    return row | {"score": (up + turned) / 2, "reason": None}


def rating_table(
    name: str, texts: pd.DataFrame, known: Mapping[str, Sequence[Score]], most_difference: float
) -> pd.DataFrame:
    """A row a completion of `texts` (the columns `KEYS`, `case` and `text_id`), with exactly `RATINGS`."""
    ratings = {text: rating_of(replies, most_difference) for text, replies in known.items()}
    rows = [ratings[text] for text in texts["case"]]
    table = texts[[*KEYS, "text_id"]].reset_index(drop=True).assign(metric=METRIC, rater=name)
    for column in ("score", "reason", *DIRECTIONS):
        table[column] = [row[column] for row in rows]
    return typed(table.reindex(columns=list(RATINGS)))


def typed(table: pd.DataFrame) -> pd.DataFrame:
    """The same types whether a table has rows or none."""
    return table.astype(dict.fromkeys(("score", *DIRECTIONS), "float64") | {"reason": "string"})


def reply_table(name: str, scorer: JudgeScorer, text_ids: Mapping[str, str], store: Store) -> pd.DataFrame:
    """Every reply of this judge that the store keeps about the cases of `text_ids`, with exactly `REPLIES`.

    `rating` is by the scale as it was offered. A query that got no reply has no row.
    """
    version, rows = scorer.version(), []
    for kept in store.answers():
        if (kept["scorer"], kept["version"]) != (scorer.name, version) or kept["text"] not in text_ids:
            continue
        reply = read(kept["raw"]) if kept["raw"] else Reply(None)
        for direction, score in kept["scores"].items():
            rows.append(
                {"judge": name, "model": scorer.judge.model, "revision": scorer.judge.revision,
                 "rubric": scorer.rubric.digest(scorer.judge), "text_id": text_ids[kept["text"]],
                 "direction": direction, "rating": score.get("score"), "reason": score.get("error"),
                 "at": kept["at"], "raw": kept["raw"]}
                | (_of_service(reply) if isinstance(reply, Reply) else {})
            )  # fmt: skip
    table = pd.DataFrame(rows, columns=list(REPLIES)).astype({name: "string" for name in REPLIES if name != "rating"})
    counts: dict[str, Any] = dict.fromkeys(("tokens_in", "tokens_out"), "Int64")
    return table.astype({"rating": "float64"} | counts).sort_values(["text_id", "direction"], ignore_index=True)


def _of_service(reply: Reply) -> dict[str, Any]:
    return {"said": reply.said, "answered_by": reply.answered_by, "fingerprint": reply.fingerprint,
            "tokens_in": reply.tokens_in, "tokens_out": reply.tokens_out}  # fmt: skip


def cases_of(completions: pd.DataFrame, positions: Mapping[str, str]) -> list[str]:
    """What is rated of each completion; see `rubric.case`."""
    parts = zip(completions["category"], completions["prompt"], completions["completion"], strict=True)
    return [case(positions[category], prompt, completion) for category, prompt, completion in parts]
