"""A judge behind the store of replies: what it has said is read, and only the rest is asked, as of toxicity scorers."""

import math
import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tasks.formats.checkpoints import Source
from tasks.raters.judge import DIRECTIONS
from tasks.raters.judge.client import Client
from tasks.raters.judge.relatives import refuse_answered_by
from tasks.raters.judge.reply import JUDGED, Reply, read
from tasks.raters.judge.rubric import Rubric
from tasks.runtime.errors import InputError, WorkError
from tasks.runtime.remote.address import checked_url, key_for, place
from tasks.runtime.remote.errors import PermanentError, TransientError
from tasks.runtime.remote.rate_limit import in_flight
from tasks.runtime.remote.session import Session
from tasks.runtime.units import duration
from tasks.scorers import Answer, Question, Score, Scorer
from tasks.settings.judge import Judge, JudgeModel

ENDPOINT, KEY, OWN_KEY = "JUDGE_ENDPOINT", "JUDGE_API_KEY", "JUDGE_{}_API_KEY"
FILE = "judges.sqlite"  # the store of replies, in the cache folder
BYTES_PER_TOKEN = 3.0  # fewer than any tokenizer of a large model makes of prose, so that the cost is no less
_EXAMPLE = "https://api.example.org/v1"


@dataclass(frozen=True)
class Address:
    """Where a judge is asked; `setting` and `variable` say where its address and its key were looked for."""

    root: str
    setting: str
    variable: str


class JudgeScorer(Scorer):
    """One judge. Its attributes are the directions of the scale, its score the rating as it was given, 1 to 5."""

    name = label = "judge"
    attributes = DIRECTIONS
    together = False

    def __init__(self, name: str, config: Judge, rubric: Rubric, sources: Mapping[str, Source]) -> None:
        self.judge, self.config, self.rubric = config.models[name], config, rubric
        self.title, self._sources = name, sources

    def vet(self, answered_by: str) -> None:
        """Raises InputError if a relative of the evaluated models answered in the judge's name."""
        refuse_answered_by(self.title, answered_by, self._sources)

    def version(self) -> str:
        """Model, revision, the service unless it is one's own, and the rubric: another of them is another judge."""
        service = place(self.judge.base_url) if self.judge.base_url else "own service"
        return f"{self.judge.model} {self.judge.revision} {service} {self.rubric.digest(self.judge)}"

    def cost(self, questions: Sequence[Question]) -> str:
        """Queries, tokens, and the time they take at the rate."""
        tokens_in, tokens_out = self._tokens(questions)
        queries = "1 query" if len(questions) == 1 else f"{len(questions)} queries"
        time = duration(math.ceil(len(questions) / self.config.qps))
        return (f"asking judge {self.title} ({self.judge.model} {self.judge.revision}): {queries}, "
                f"about {tokens_in} tokens in and at most {tokens_out} out, {time} at {self.config.qps:g} a second"
                )  # fmt: skip

    def ask(self, questions: Sequence[Question], language: str) -> Iterator[Sequence[Answer]]:
        """Answers as they come.

        Raises InputError for an address or a key that is refused, or where it would cost more than is allowed, before
        a second query is sent; WorkError when the service answers nobody any more or the tokens are spent.
        """
        del language
        address = address_of(self.title, self.config.models)
        key = key_for(address.root, address.variable, address.setting)
        if (tokens := sum(self._tokens(questions))) > self.config.max_tokens:
            raise InputError(f"params.yaml: judge.max_tokens: {self.config.max_tokens} allowed, {tokens} may be "
                             f"needed: {self.cost(questions)}")  # fmt: skip
        session = _Asking(self, address, key)
        return in_flight(session.answer, questions, self.config.in_flight, session.stop)

    def _tokens(self, questions: Sequence[Question]) -> tuple[int, int]:
        """Tokens in, reckoned from bytes, and the most out."""
        prompts = (self.rubric.prompt(question.text, question.attributes[0]) for question in questions)
        return sum(estimated(prompt) for prompt in prompts), len(questions) * self.judge.reply_tokens


class _Asking:
    """One run's queries to a judge."""

    def __init__(self, scorer: JudgeScorer, address: Address, key: str | None) -> None:
        self._scorer = scorer
        self._session = Session("judge", scorer.config, lacking="rating")
        self.stop = self._session.stop
        self._client = Client(address.root, key, self._session.limiter, scorer.config.timeout,
                              setting=address.setting, variable=address.variable)  # fmt: skip
        self._spent, self._lock = 0, threading.Lock()
        self._end: WorkError | None = None

    def answer(self, question: Question) -> Answer:
        """The reply to one question, which is one text in one direction of the scale."""
        if self._end:
            raise self._end
        (direction,) = question.attributes
        body = self._scorer.rubric.request(self._scorer.judge, question.text, direction)
        raw, detail = None, ""
        try:
            raw, reply = self._session.attempt(
                lambda: self._asked(body), lambda found: found[1] if isinstance(found[1], str) else None
            )
            permanent = isinstance(reply, Reply)
            rating, reason = (reply.rating, reply.reason) if isinstance(reply, Reply) else (None, reply)
        except PermanentError as error:
            rating, reason, permanent, detail = None, error.reason, error.of_text, f" ({error.detail})"
        except TransientError as error:
            rating, reason, permanent = None, error.reason, False
        try:
            self._session.count(None if reason in JUDGED else reason, detail)
        except WorkError as error:
            self._end = error  # at the next question, so that this reply, which was paid for, is kept
        score = None if rating is None else float(rating)
        return Answer(question.text, (Score(direction, score, reason, permanent),), raw)

    def _asked(self, body: Mapping[str, object]) -> tuple[str, Reply | str]:
        """A query, once, if there are tokens left for it."""
        with self._lock:
            if self._spent >= self._scorer.config.max_tokens:
                raise WorkError(f"judge.max_tokens: {self._spent} tokens are spent; what was answered is kept")
        raw = self._client.chat(body)
        reply = read(raw)
        if isinstance(reply, Reply):
            self._scorer.vet(reply.answered_by)
        with self._lock:
            self._spent += _spent(reply, body, raw)
        return raw, reply


def _spent(reply: Reply | str, body: Mapping[str, object], raw: str) -> int:
    """Tokens of a query, as the service counts them or as we reckon."""
    if isinstance(reply, Reply) and reply.tokens_in is not None and reply.tokens_out is not None:
        return reply.tokens_in + reply.tokens_out
    return estimated(str(body)) + estimated(raw)


def estimated(text: str) -> int:
    """Tokens of a text, rather too many than too few."""
    return math.ceil(len(text.encode("utf-8")) / BYTES_PER_TOKEN)


def address_of(name: str, judges: Mapping[str, JudgeModel]) -> Address:
    """Where a judge is asked, and in which variable its key is.

    JUDGE_<NAME>_API_KEY goes before JUDGE_API_KEY, and judges of several services need the former: no key is shown to
    a service that it is not of. Raises InputError if there is no address.
    """
    given = judges[name].base_url
    setting = f"params.yaml: judge.models.{name}.base_url" if given else ENDPOINT
    url = given or os.environ.get(ENDPOINT)
    if not url:
        raise InputError(f"{ENDPOINT} is not set, and judge.models.{name}.base_url is null: where is it asked?")
    own = OWN_KEY.format(name.upper().replace("-", "_"))
    one_service = len({judge.base_url for judge in judges.values()}) == 1
    return Address(checked_url(setting, url, _EXAMPLE), setting, own if own in os.environ or not one_service else KEY)
