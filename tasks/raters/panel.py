"""What each rater is shown next, and what becomes of an answer: the rules of rating, without any page.

A rater agrees to the content warning, reads the instructions, practises, answers the comprehension check, and then
rates: texts in the rater's own order, between them attention items and texts that come a second time, which look
alike. A text is claimed by the raters who have it before them, so that nobody rates in vain.
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tasks.formats.ratings import text_id
from tasks.inputs.ratings import Attention, Instructions, Practice
from tasks.raters.store import Row, Store, hashed
from tasks.raters.texts import Position, Text
from tasks.raters.turns import RefusedError, Turns
from tasks.settings.ratings import Ratings

PAUSE = 600.0  # seconds without a page that count as a break
LONGEST_NOTE = 2000  # characters
EXTERNAL = re.compile(r"[A-Za-z0-9_-]{4,64}")  # a crowd platform's id of a person


@dataclass(frozen=True)
class Item:
    """What a turn shows, the same for every kind of turn."""

    category: str
    prompt: str
    completion: str


@dataclass(frozen=True)
class Step:
    """What a rater is shown now: `name` is the page; the rest is None or 0 where the page has no use for it."""

    name: str
    rater: Row
    turn: Row | None = None
    item: Item | None = None
    practice: Practice | None = None  # with the rating it should have had
    number: int = 0  # of the text, or of practice, from 1
    total: int = 0
    changes: bool = False  # an answer that was given is given anew
    back: bool = False  # there is one to go back to
    code: str | None = None
    wrong: Sequence[int] = ()  # questions of the check, from 1, that were answered wrongly the last time


@dataclass
class Panel:
    """The raters of one set of texts. Its methods take the time in seconds since 1970, and commit what they change."""

    store: Store
    config: Ratings
    instructions: Instructions
    positions: Mapping[str, Position]
    texts: Sequence[Text]

    def __post_init__(self) -> None:
        attention = _by_id(self.instructions.attention)
        self._practice = _by_id(self.instructions.practice)
        self._practice_ids = list(self._practice)
        texts = {text.id: Item(text.category, text.prompt, text.completion) for text in self.texts}
        self._items = {**self._practice, **attention, **texts}
        self._turns = Turns(self.store, self.config, self.texts, self._items.keys(), list(attention))

    def step(self, token: str, now: float) -> Step:
        """What the rater with this token is shown now. Raises RefusedError if there is no such rater."""
        with self.store.transaction():
            rater = self._rater(token)
            if rater["seen_at"] is None or now - rater["seen_at"] > PAUSE:
                rater["began_at"] = now
            self._set(rater, began_at=rater["began_at"], seen_at=now)
            return self._step(rater, now)

    def last(self, token: str) -> Step:
        """The rater's last answer, to change it. Raises RefusedError if there is none that may be changed."""
        with self.store.transaction():
            rater = self._rater(token)
            if self._gate(rater) is not None or (turn := self._turns.last_answered(rater)) is None:
                raise RefusedError(409, "no_last")
            if (item := self._items.get(turn["text"])) is None:
                raise RefusedError(409, "no_last")
            turns = self._turns.of(rater)
            number = sum(each["rated_at"] is not None for each in turns)
            total = max(number, self._turns.total(rater, turns, now=turn["rated_at"]))
            return Step("rate", rater, turn, item, number=number, total=total, changes=True)

    def join(self, token: str, external: str, now: float) -> str:
        """The personal token of somebody who comes by a crowd's link, the same at every visit.

        Raises RefusedError if there is no such crowd, the id is none, or all places are taken.
        """
        with self.store.transaction() as store:
            crowd = store.row("SELECT * FROM crowds WHERE token = ?", hashed(token))
            if crowd is None:
                raise RefusedError(404, "no_link")
            if not EXTERNAL.fullmatch(external):
                raise RefusedError(400, "no_id")
            digest = hmac.digest(token.encode(), external.encode(), "sha256")
            personal = base64.urlsafe_b64encode(digest).decode().rstrip("=")
            taken = store.rows("SELECT name, external FROM raters WHERE crowd = ?", crowd["id"])
            if known := [rater["name"] for rater in taken if rater["external"] == external]:
                store.run("UPDATE raters SET token = ? WHERE name = ?", hashed(personal), known[0])
            elif len(taken) >= crowd["places"]:
                raise RefusedError(403, "full")
            else:
                store.run(
                    "INSERT INTO raters (name, token, most, crowd, external, added_at) VALUES (?, ?, ?, ?, ?, ?)",
                    f"{crowd['name']}-{len(taken) + 1:03d}", hashed(personal), crowd["most"], crowd["id"], external,
                    now,
                )  # fmt: skip
            return personal

    def consent(self, token: str, version: int, now: float) -> None:
        """The rater has read this version of the content warning and agrees."""
        with self.store.transaction():
            rater = self._rater(token)
            self._require_open()
            if version != self.config.consent_version:
                raise RefusedError(409, "old_page")
            self._set(rater, consent=version, consented_at=now)

    def go_on(self, token: str, page: str, now: float) -> None:
        """The rater has read the instructions, the reason of a practice rating, or the advice to take a break."""
        with self.store.transaction():
            rater = self._rater(token)
            if page == "instructions" and rater["consent"] == self.config.consent_version:
                self._set(rater, instructed_at=now)
            elif page == "feedback":
                self._set(rater, feedback=None)
            elif page == "break":
                self._set(rater, began_at=now)
            else:
                raise RefusedError(400, "wrong")

    def answer_check(self, token: str, attempt: int, answers: Sequence[int], now: float) -> None:
        """The choices (from 1) at an attempt (from 1) at the comprehension check. One that is sent again, since its
        answer was lost on the way, is no other attempt."""
        with self.store.transaction():
            rater = self._rater(token)
            self._require_open()
            if 1 <= attempt <= rater["checks"]:
                return
            if self._gate(rater) != "check" or attempt != rater["checks"] + 1:
                raise RefusedError(409, "old_page")
            questions = self.instructions.check
            choices = zip(answers, questions, strict=False)
            if len(answers) != len(questions) or any(not 1 <= n <= len(q.choices) for n, q in choices):
                raise RefusedError(400, "wrong")
            pairs = enumerate(zip(answers, questions, strict=True), 1)
            wrong = [str(number) for number, (answer, question) in pairs if answer != question.right]
            self._set(rater, checks=attempt, passed_at=None if wrong else now)
            self.store.set_meta(_wrong_of(rater), ",".join(wrong) or None)

    def draft(self, token: str, number: int, note: str) -> None:
        """Keeps a note that is being written, with no rating yet."""
        with self.store.transaction():
            rater = self._rater(token)
            self._require_open()
            turn = self._turns.one(rater, number)
            if turn["rated_at"] is None:
                self._turns.set(turn, note=_note(note))

    def answer(self, token: str, number: int, revision: int, now: float, *,
               rating: int | None, reason: str | None, note: str) -> None:  # fmt: skip
        """A rating, or the reason why there is none. Answering alike a second time changes nothing.

        Raises RefusedError if it is no rating, of no text that the rater has before them, or too late.
        """
        if (rating is None) == (reason is None) or rating not in (None, *self.instructions.scale):
            raise RefusedError(400, "wrong")
        if reason not in (None, *self.instructions.cannot_judge):
            raise RefusedError(400, "wrong")
        note = _note(note)
        with self.store.transaction():
            rater = self._rater(token)
            self._require_open()
            turn = self._turns.one(rater, number)
            if turn["rated_at"] is not None:
                if (turn["rating"], turn["reason"], turn["note"]) == (rating, reason, note):
                    return
                last = self._turns.last_answered(rater)
                if turn["revision"] != revision or last is None or last["number"] != number:
                    raise RefusedError(409, "already")
            elif revision != turn["revision"] or self._gate(rater) not in (None, "practice"):
                raise RefusedError(409, "old_page")
            elif not self._turns.wanted(turn, now):
                raise RefusedError(409, "taken")
            seconds = turn["seconds"] if turn["rated_at"] else round(max(0.0, now - turn["shown_at"]), 1)
            self._turns.set(
                turn, rating=rating, reason=reason, note=note, seconds=seconds, rated_at=now, revision=revision + 1
            )
            if turn["kind"] == "practice":
                self._set(rater, feedback=number)

    # what comes next

    def _step(self, rater: Row, now: float) -> Step:
        gate = self._gate(rater)
        if gate == "practice":
            return self._practice_step(rater, now)
        if gate == "feedback" and (turn := self._feedback(rater)):
            item = self._practice[turn["text"]]
            number = self._practice_ids.index(turn["text"]) + 1
            total = len(self._practice)
            return Step("feedback", rater, turn, item, self._practice_of(turn["text"]), number=number, total=total)
        if gate == "consent":
            return Step(gate, rater, total=self._ahead(rater, now))
        if gate == "check":
            wrong = self.store.meta(_wrong_of(rater)) or ""
            return Step(gate, rater, wrong=[int(number) for number in wrong.split(",") if number])
        if gate is not None:
            return Step(gate, rater)
        turn = self._turns.next(rater, now)
        turns = self._turns.of(rater)
        answered = [each for each in turns if each["rated_at"] is not None]
        if turn is None:
            crowd = self.store.row("SELECT code FROM crowds WHERE id = ?", rater["crowd"])
            code = crowd["code"] if crowd and answered else None
            return Step("done", rater, number=len(answered), back=bool(answered), code=code)
        if now - rater["began_at"] >= 60 * self.config.break_after_minutes:
            return Step("break", rater, number=len(answered))
        number = len(answered) + 1
        total = max(number, self._turns.total(rater, turns, now))
        item = self._items[turn["text"]]
        return Step("rate", rater, turn, item, number=number, total=total, back=bool(answered))

    def _gate(self, rater: Row) -> str | None:
        """The page that stands between a rater and the texts, if any."""
        if self.store.meta("closed"):
            return "closed"
        if rater["consent"] != self.config.consent_version:
            return "consent"
        if rater["instructed_at"] is None:
            return "instructions"
        if self._feedback(rater):
            return "feedback"
        practised = self.store.rows(
            "SELECT text FROM turns WHERE rater = ? AND kind = 'practice' AND rated_at IS NOT NULL", rater["id"]
        )
        if rater["passed_at"] is None and set(self._practice) - {each["text"] for each in practised}:
            return "practice"
        if self.instructions.check and rater["passed_at"] is None:
            return "failed" if rater["checks"] >= self.config.check_attempts else "check"
        return None

    def _ahead(self, rater: Row, now: float) -> int:
        """How many texts are still to come, as far as is known now."""
        turns = self._turns.of(rater)
        answered = sum(turn["rated_at"] is not None for turn in turns)
        return max(0, self._turns.total(rater, turns, now) - answered)

    def _feedback(self, rater: Row) -> Row | None:
        """The practice turn whose reason the rater has yet to read, if its text is still one of practice."""
        turn = self.store.row("SELECT * FROM turns WHERE rater = ? AND number = ?", rater["id"], rater["feedback"])
        return turn if turn and turn["text"] in self._practice else None

    def _practice_step(self, rater: Row, now: float) -> Step:
        turns = self.store.rows("SELECT * FROM turns WHERE rater = ? AND kind = 'practice'", rater["id"])
        done = {turn["text"] for turn in turns if turn["rated_at"] is not None}
        text = next(id for id in self._practice_ids if id not in done)
        before = next((turn for turn in turns if turn["text"] == text), None)
        turn = self._turns.shown_again(before, now) if before else self._turns.open(rater, "practice", text, now)
        number, total = self._practice_ids.index(text) + 1, len(self._practice)
        return Step("rate", rater, turn, self._practice[text], self._practice_of(text), number=number, total=total)

    def _practice_of(self, text: str) -> Practice:
        return self.instructions.practice[self._practice_ids.index(text)]

    def _rater(self, token: str) -> Row:
        rater = self.store.row("SELECT * FROM raters WHERE token = ?", hashed(token))
        if rater is None:
            raise RefusedError(404, "no_link")
        return rater

    def _require_open(self) -> None:
        if self.store.meta("closed"):
            raise RefusedError(403, "closed")

    def _set(self, rater: Row, **values: Any) -> None:
        names = ", ".join(f"{name} = ?" for name in values)
        self.store.run(f"UPDATE raters SET {names} WHERE id = ?", *values.values(), rater["id"])


def _by_id(items: Sequence[Attention] | Sequence[Practice]) -> dict[str, Item]:
    return {text_id(each.prompt, each.completion): Item(each.category, each.prompt, each.completion) for each in items}


def _wrong_of(rater: Row) -> str:
    """The key under which the questions stand that a rater answered wrongly."""
    return f"wrong:{rater['id']}"


def _note(note: str) -> str:
    note = note.replace("\r\n", "\n").replace("\0", "").strip()
    if len(note) > LONGEST_NOTE:
        raise RefusedError(400, "long_note")
    return note


def fingerprint(instructions: Instructions) -> str:
    """Changes with any of the words that raters read."""
    return hashlib.sha256(repr(instructions).encode()).hexdigest()[:16]
