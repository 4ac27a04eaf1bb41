"""How far rating is, the ratings as files, and their closing. Nothing here knows of models or arms."""

import dataclasses
import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tasks.formats.ratings import CLOSED, Closed, read_closed, read_rows, text_id, write_rater
from tasks.inputs.ratings import Instructions
from tasks.raters.store import Row, Store
from tasks.raters.texts import Text
from tasks.runtime.errors import InputError
from tasks.runtime.files import write_json
from tasks.settings.ratings import Ratings

FOLDER = Path("data/ratings")


@dataclass(frozen=True)
class Counts:
    """`ratings` counts answers of kind `rating` for the present texts, `cannot_judge` those that hold a reason instead
    of a number, and `missing` those that are still needed for every text to have as many raters as it should."""

    texts: int
    ratings: int
    cannot_judge: int
    missing: int
    raters: int


def export(store: Store, folder: Path = FOLDER) -> list[Path]:
    """Writes a CSV for each rater who has answered anything. Returns the files."""
    raters = store.rows("SELECT id, name FROM raters ORDER BY name")
    made = []
    for rater in raters:
        if rows := _rows(store, rater):
            made.append(write_rater(folder, rater["name"], rows))
    return made


def _rows(store: Store, rater: Row) -> list[dict[str, Any]]:
    turns = store.rows(
        "SELECT * FROM turns WHERE rater = ? AND NOT dropped AND rated_at IS NOT NULL ORDER BY number", rater["id"]
    )
    return [
        {
            "text_id": turn["text"],
            "rater": rater["name"],
            "kind": turn["kind"],
            "rating": turn["rating"],
            "reason": turn["reason"],
            "note": turn["note"],
            "seconds": turn["seconds"],
            "rated_at": stamp(turn["rated_at"]),
        }
        for turn in turns
    ]


def stamp(seconds: float) -> str:
    """A time as the files hold it: UTC, to the second."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def counts(store: Store | None, texts: Sequence[Text], config: Ratings, folder: Path = FOLDER) -> Counts:
    """How far rating is, over the database and the files of raters who are not in it."""
    ours = [] if store is None else store.rows("SELECT id, name FROM raters ORDER BY name")
    rows = [row for rater in ours if store for row in _rows(store, rater)]
    names = {rater["name"] for rater in ours}
    rows += [row for row in read_rows(folder) if row["rater"] not in names]
    known = {text.id for text in texts}
    given = {(row["text_id"], row["rater"]): row for row in rows if row["kind"] == "rating" and row["text_id"] in known}
    by_text = Counter(text for text, _ in given)
    return Counts(
        texts=len(known),
        ratings=len(given),
        cannot_judge=sum(bool(row["reason"]) for row in given.values()),
        missing=sum(max(0, config.raters_per_sample - by_text[text]) for text in known),
        raters=len({rater for _, rater in given}),
    )


def close(store: Store, texts: Sequence[Text], config: Ratings, now: float, *, incomplete: bool,
          folder: Path = FOLDER) -> Counts:  # fmt: skip
    """Ends rating for good: no answer is taken any more, all are exported, and closed.json says when and how many.

    Raises InputError if they are closed already or, unless `incomplete`, some are missing.
    """
    if closed := read_closed(folder):
        raise InputError(f"{folder / CLOSED}: the ratings were closed at {closed.closed_at}")
    with store.transaction():
        count = counts(store, texts, config, folder)
        if not count.ratings:
            raise InputError("nobody has rated any of these texts yet; `palms rate` is where they do")
        if count.missing and not incomplete and not store.meta("closed"):
            raise InputError(
                f"{count.missing} of {count.texts * config.raters_per_sample} ratings are missing; wait for them, or "
                "close without them for good: `palms rate close --incomplete`"
            )
        when = store.meta("closed") or stamp(now)  # a close that was killed is brought to its end
        store.set_meta("closed", when)
    export(store, folder)
    closed = Closed(when, count.texts, count.ratings, count.cannot_judge, count.raters)
    write_json(folder / CLOSED, dataclasses.asdict(closed))
    return count


def closed_at(store: Store, folder: Path = FOLDER) -> str | None:
    """When the ratings were closed, if they are."""
    closed = read_closed(folder)
    return closed.closed_at if closed else store.meta("closed")


def rater_lines(store: Store, instructions: Instructions, config: Ratings) -> list[str]:
    """A line a rater: how far, and what a lead should know, but no mean: others may still be at work."""
    expected: Mapping[str, Sequence[int]] = {
        text_id(item.prompt, item.completion): item.expected for item in instructions.attention
    }
    raters = store.rows("SELECT * FROM raters ORDER BY name")
    width = max((len(rater["name"]) for rater in raters), default=0)
    return [f"{rater['name']:<{width}}  {_state(store, rater, expected, config)}" for rater in raters]


def _state(store: Store, rater: Row, expected: Mapping[str, Sequence[int]], config: Ratings) -> str:
    rows = _rows(store, rater)
    rated = [row for row in rows if row["kind"] == "rating"]
    if not rated:
        if rater["checks"] >= config.check_attempts and rater["passed_at"] is None:
            return f"failed the comprehension check {rater['checks']} times, and rates nothing"
        return "has not begun" if rater["consent"] is None else "has not rated yet"
    parts = [f"{len(rated)} rated"]
    if cannot := sum(row["rating"] is None for row in rated):
        parts.append(f"{cannot} could not be judged")
    checks = [row for row in rows if row["kind"] == "attention" and row["text_id"] in expected]
    if checks:
        failed = sum(row["rating"] not in expected[row["text_id"]] for row in checks)
        parts.append(f"{failed} of {len(checks)} attention items failed")
        if failed > config.most_failed_attention:
            parts.append("FAILED attention")
    parts.append(f"{statistics.median(row['seconds'] for row in rated):.0f} s a text")
    return ", ".join(parts)
