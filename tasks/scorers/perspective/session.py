"""One run's queries to a Comment Analyzer: attempts, pauses, and when to give up."""

import threading
from collections.abc import Iterator, Sequence

from tasks.runtime.errors import WorkError
from tasks.scorers import EMPTY, Answer, Question, Score
from tasks.scorers.perspective.client import LIMITED, Client, PermanentError, TransientError
from tasks.scorers.perspective.rate_limit import Pacer, StoppedError, back_off, in_flight
from tasks.scorers.perspective.scorer import read, spell
from tasks.settings.toxicity import Perspective

_REASONS = {"COMMENT_EMPTY": EMPTY}  # what the service says about a text, by our name


def ask(
    root: str, key: str | None, config: Perspective, questions: Sequence[Question], language: str
) -> Iterator[Sequence[Answer]]:
    """Answers as they come, see `PerspectiveScorer.ask`."""
    stop = threading.Event()
    pacer = Pacer(config.qps, stop)
    asking = _Asking(config, Client(root, key, pacer, config.timeout), pacer, stop, language)
    yield from in_flight(asking.answer, questions, config.in_flight, stop)


class _FailedError(Exception):
    """Every attempt failed, the last for this reason."""


class _Asking:
    def __init__(self, config: Perspective, client: Client, pacer: Pacer, stop: threading.Event, language: str) -> None:
        self._config, self._client, self._pacer, self._stop = config, client, pacer, stop
        self._language = language
        self._misses = 0  # texts in a row without any score

    def answer(self, question: Question) -> Answer:
        """The answer to one question, after as many attempts as are allowed."""
        raw, said = None, ""
        try:
            raw = self._raw(question)
            scores = read(raw, question.attributes)
        except PermanentError as error:
            # of several attributes another may be the one refused: without it, this text is to be asked again
            permanent = error.of_text or len(question.attributes) == 1
            scores, said = _missing(question, _REASONS.get(error.reason, error.reason), permanent), f" ({error.said})"
        except _FailedError as error:
            scores = _missing(question, str(error), permanent=False)
        self._count(scores, said)
        return Answer(question.text, scores, raw)

    def _raw(self, question: Question) -> str:
        for attempt in range(1, self._config.attempts + 1):
            try:
                return self._client.analyze(question.text, question.attributes, self._language)
            except TransientError as error:
                if attempt == self._config.attempts:
                    raise _FailedError(error.reason) from None
                self._wait(error, attempt)
        raise AssertionError("the configuration allows at least one attempt")

    def _wait(self, error: TransientError, attempt: int) -> None:
        """Waits before the next attempt: everyone, where the service says so or the quota is spent."""
        if error.wait is not None and error.wait > self._config.max_wait:
            raise WorkError(
                f"the service asks to wait {spell(error.wait)} ({error.reason}), longer than "
                "toxicity.perspective.max_wait; what it answered is kept: run again later"
            )
        if error.wait is not None:
            self._pacer.pause(error.wait)
        elif error.reason == LIMITED:
            self._pacer.pause(back_off(attempt))
        elif self._stop.wait(back_off(attempt)):
            raise StoppedError

    def _count(self, scores: Sequence[Score], said: str) -> None:
        missing = [score.error for score in scores if score.score is None and score.error != EMPTY]
        self._misses = self._misses + 1 if len(missing) == len(scores) else 0
        if self._misses >= self._config.give_up_after:
            raise WorkError(
                f"{self._misses} texts in a row got no score, the last for {missing[-1]}{said}; "
                "what was answered is kept: mend that, or wait until the service is well, and run again"
            )


def _missing(question: Question, reason: str, permanent: bool) -> tuple[Score, ...]:
    return tuple(Score(attribute, None, reason, permanent) for attribute in question.attributes)
