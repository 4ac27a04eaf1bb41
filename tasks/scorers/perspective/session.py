"""One run's queries to a Comment Analyzer: attempts, pauses, what an answer holds, and when to give up."""

import json
import math
import threading
from collections.abc import Iterator, Sequence

from tasks.runtime.errors import WorkError
from tasks.runtime.units import duration
from tasks.scorers import EMPTY, Answer, Question, Score
from tasks.scorers.perspective.client import LIMITED, Client, PermanentError, TransientError
from tasks.scorers.perspective.rate_limit import RateLimiter, StoppedError, back_off, in_flight
from tasks.settings.toxicity import Perspective

_REASONS = {"COMMENT_EMPTY": EMPTY}  # what the service says about a text, by our name


def ask(
    root: str, key: str | None, config: Perspective, questions: Sequence[Question], language: str
) -> Iterator[Sequence[Answer]]:
    """Answers as they come, see `PerspectiveScorer.ask`."""
    session = _Session(root, key, config, language)
    yield from in_flight(session.answer, questions, config.in_flight, session.stop)


class _Session:
    """Asks one question at a time in each thread, until `stop` is set."""

    def __init__(self, root: str, key: str | None, config: Perspective, language: str) -> None:
        self.stop = threading.Event()
        self._config, self._language = config, language
        self._limiter = RateLimiter(config.qps, self.stop)
        self._client = Client(root, key, self._limiter, config.timeout)
        self._misses = 0  # texts in a row without any score

    def answer(self, question: Question) -> Answer:
        """The answer to one question, after as many attempts as are allowed."""
        raw, detail = None, ""
        try:
            raw, scores = self._scored(question)
        except PermanentError as error:
            # of several attributes another may be the one refused: without it, this text is to be asked again
            permanent = error.of_text or len(question.attributes) == 1
            scores = _missing(question, _REASONS.get(error.reason, error.reason), permanent)
            detail = f" ({error.detail})"
        except TransientError as error:
            scores = _missing(question, error.reason, permanent=False)
        self._count(scores, detail)
        return Answer(question.text, scores, raw)

    def _scored(self, question: Question) -> tuple[str, tuple[Score, ...]]:
        """The answer and its scores. Raises the last attempt's TransientError; of a last answer that is malformed,
        what is sound stays."""
        for attempt in range(1, self._config.attempts):
            try:
                raw = self._client.analyze(question.text, question.attributes, self._language)
                scores = read(raw, question.attributes)
                if malformed := [score.error for score in scores if score.error]:
                    raise TransientError(malformed[0])
                return raw, scores
            except TransientError as error:
                self._wait(error, attempt)
        raw = self._client.analyze(question.text, question.attributes, self._language)
        return raw, read(raw, question.attributes)

    def _wait(self, error: TransientError, attempt: int) -> None:
        """Waits before the next attempt: everyone, where the service says so or the quota is spent."""
        if error.wait is not None and error.wait > self._config.max_wait:
            raise WorkError(
                f"the service asks to wait {duration(error.wait)} ({error.reason}), longer than "
                "toxicity.perspective.max_wait; what it answered is kept: run again later"
            )
        if error.wait is not None:
            self._limiter.pause(error.wait)
        elif error.reason == LIMITED:
            self._limiter.pause(back_off(attempt))
        elif self.stop.wait(back_off(attempt)):
            raise StoppedError

    def _count(self, scores: Sequence[Score], detail: str) -> None:
        reasons = [score.error for score in scores if score.score is None and score.error != EMPTY]
        self._misses = self._misses + 1 if len(reasons) == len(scores) else 0
        if self._misses >= self._config.give_up_after:
            raise WorkError(
                f"{self._misses} texts in a row got no score, the last for {reasons[-1]}{detail}; "
                "what was answered is kept: mend that, or wait until the service is well, and run again"
            )


def _missing(question: Question, reason: str, permanent: bool) -> tuple[Score, ...]:
    return tuple(Score(attribute, None, reason, permanent) for attribute in question.attributes)


def read(raw: str, attributes: Sequence[str]) -> tuple[Score, ...]:
    """The summary scores of an answer; null with a reason for what is not a number in [0, 1].

    A malformed score is not permanent: the service may have mended it by the next run.
    """
    response = json.loads(raw)
    values = {attribute: _value(response, attribute) for attribute in attributes}
    return tuple(
        Score(attribute, None, value, permanent=False) if isinstance(value, str) else Score(attribute, value)
        for attribute, value in values.items()
    )


def _value(response: object, attribute: str) -> float | str:
    """The score of an attribute, or the reason why it is none."""
    value = response
    for name in ("attributeScores", attribute, "summaryScore", "value"):
        if not isinstance(value, dict):
            return "WRONG_TYPE"
        if name not in value:
            return "MISSING_ATTRIBUTE"
        value = value[name]
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "WRONG_TYPE"
    if isinstance(value, float) and not math.isfinite(value):
        return "NOT_A_NUMBER"
    return float(value) if 0 <= value <= 1 else "OUT_OF_RANGE"
