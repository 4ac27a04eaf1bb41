"""The turns of raters: which text each is shown next, and which texts are claimed."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

from tasks.raters import assignment
from tasks.raters.store import Row, Store
from tasks.raters.texts import Text
from tasks.settings.ratings import Ratings

CLAIM = 3600.0  # seconds for which a text before a rater's eyes is kept for that rater
SECONDS = 25.0  # a rating, before there are any: fifty words to read, the position, and the choice


class RefusedError(Exception):
    """An answer or a visit that changes nothing: the HTTP status, and which of the page's words say why."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(words)
        self.status, self.words = status, words


@dataclass
class Turns:
    """The turns in a store, for one set of texts. Every method is called within a transaction.

    `items` are the ids of all that can be shown now, `attention` those of attention items.
    """

    store: Store
    config: Ratings
    texts: Sequence[Text]
    items: Collection[str]
    attention: Sequence[str]
    _orders: dict[str, list[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.present = {text.id for text in self.texts}

    def next(self, rater: Row, now: float) -> Row | None:
        """The turn before the rater's eyes: the open one, or a new one; None if nothing is left for this rater."""
        turns = self.of(rater)
        for turn in turns:
            if turn["rated_at"] is None:
                if turn["text"] in self.items and self.wanted(turn, now):
                    return self.shown_again(turn, now)
                self.set(turn, dropped=1)
        answered = [turn for turn in turns if turn["rated_at"] is not None]
        of_kind = {kind: [turn["text"] for turn in answered if turn["kind"] == kind]
                   for kind in ("rating", "repeat", "attention")}  # fmt: skip
        rated, seed, name = of_kind["rating"], self.config.seed, rater["name"]
        items, shown = len(self.attention), len(of_kind["attention"])
        if items and shown < assignment.due(self.config.attention_every, len(rated), seed, name, "attention"):
            chosen = assignment.attention_item(shown, items, seed, name)
            return self.open(rater, "attention", self.attention[chosen], now)
        if len(of_kind["repeat"]) < assignment.due(self.config.repeat_every, len(rated), seed, name, "repeat"):
            here = [text for text in rated if text in self.present]
            every = self.config.repeat_every
            if again := assignment.repeated(here, of_kind["repeat"], every, seed, name):
                return self.open(rater, "repeat", again, now)
        text = next(iter(self.left(rater, rated, now)), None)
        return None if text is None else self.open(rater, "rating", text, now)

    def left(self, rater: Row, rated: Sequence[str], now: float) -> list[str]:
        """The texts that this rater may still rate, in the rater's order."""
        here = sum(text in self.present for text in rated)
        most = len(self.texts) if rater["most"] is None else rater["most"] - here
        taken = self._taken(rater, now)
        if (name := rater["name"]) not in self._orders:
            self._orders[name] = assignment.order(self.texts, self.config.seed, name)
        done, places = set(rated), self.config.raters_per_sample
        return [text for text in self._orders[name] if text not in done and taken.get(text, 0) < places][: max(0, most)]

    def _taken(self, rater: Row, now: float) -> dict[str, int]:
        """How many other raters have rated each text, or have it before them."""
        counted = self.store.rows(
            "SELECT text, count(*) AS n FROM turns WHERE kind = 'rating' AND NOT dropped AND rater != ? "
            "AND (rated_at IS NOT NULL OR shown_at > ?) GROUP BY text",
            rater["id"], now - CLAIM,
        )  # fmt: skip
        return {each["text"]: each["n"] for each in counted}

    def wanted(self, turn: Row, now: float) -> bool:
        """Whether a rater's open turn still has a place: after a long absence others may have taken it."""
        if turn["kind"] != "rating":
            return True
        return self._taken({"id": turn["rater"]}, now).get(turn["text"], 0) < self.config.raters_per_sample

    def total(self, rater: Row, turns: Sequence[Row], now: float) -> int:
        """How many texts the rater will have been shown at the end, as far as is known now."""
        answered = [turn for turn in turns if turn["rated_at"] is not None]
        rated = [turn["text"] for turn in answered if turn["kind"] == "rating"]
        in_all = len(rated) + len(self.left(rater, rated, now))
        seed, name = self.config.seed, rater["name"]
        checks = assignment.due(self.config.attention_every, in_all, seed, name, "attention") if self.attention else 0
        return in_all + checks + assignment.due(self.config.repeat_every, in_all, seed, name, "repeat")

    def one(self, rater: Row, number: int) -> Row:
        """A rater's turn of this number. Raises RefusedError if there is none whose text can be shown now."""
        found = self.store.row(
            "SELECT * FROM turns WHERE rater = ? AND number = ? AND NOT dropped", rater["id"], number
        )
        if found is None or found["text"] not in self.items:
            raise RefusedError(409, "old_page")
        return found

    def of(self, rater: Row) -> list[Row]:
        """A rater's turns but for practice, in their order."""
        return self.store.rows(
            "SELECT * FROM turns WHERE rater = ? AND kind != 'practice' AND NOT dropped ORDER BY number", rater["id"]
        )

    def last_answered(self, rater: Row) -> Row | None:
        """The turn that the rater may still change."""
        answered = [turn for turn in self.of(rater) if turn["rated_at"] is not None]
        return answered[-1] if answered else None

    def open(self, rater: Row, kind: str, text: str, now: float) -> Row:
        """A new turn, which claims the text."""
        last = self.store.row("SELECT max(number) AS last FROM turns WHERE rater = ?", rater["id"])
        number = 1 + ((last["last"] if last else None) or 0)
        self.store.run(
            "INSERT INTO turns (rater, number, kind, text, shown_at) VALUES (?, ?, ?, ?, ?)",
            rater["id"], number, kind, text, now,
        )  # fmt: skip
        return self.one(rater, number)

    def shown_again(self, turn: Row, now: float) -> Row:
        """The same turn, whose time begins anew."""
        self.set(turn, shown_at=now)
        return turn

    def set(self, turn: Row, **values: Any) -> None:
        """Changes columns of a turn."""
        names = ", ".join(f"{name} = ?" for name in values)
        key = (turn["rater"], turn["number"])
        self.store.run(f"UPDATE turns SET {names} WHERE rater = ? AND number = ?", *values.values(), *key)
