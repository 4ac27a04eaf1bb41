"""One run's queries to a Comment Analyzer: what an answer holds, and what counts as none."""

import json
import math
from collections.abc import Iterator, Sequence

from tasks.runtime.remote.errors import PermanentError, TransientError
from tasks.runtime.remote.rate_limit import in_flight
from tasks.runtime.remote.session import Session
from tasks.scorers import EMPTY, Answer, Question, Score
from tasks.scorers.perspective.client import Client
from tasks.settings.toxicity import Perspective

_REASONS = {"COMMENT_EMPTY": EMPTY}  # what the service says about a text, by our name


def ask(
    root: str, key: str | None, config: Perspective, questions: Sequence[Question], language: str
) -> Iterator[Sequence[Answer]]:
    """Answers as they come, see `PerspectiveScorer.ask`."""
    session = _Session(root, key, config, language)
    yield from in_flight(session.answer, questions, config.in_flight, session.stop)


class _Session:
    """Asks one question at a time in each thread."""

    def __init__(self, root: str, key: str | None, config: Perspective, language: str) -> None:
        self._session, self._language = Session("toxicity.perspective", config, lacking="score"), language
        self.stop = self._session.stop
        self._client = Client(root, key, self._session.limiter, config.timeout)

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
        reasons = [score.error for score in scores if score.score is None and score.error != EMPTY]
        self._session.count(reasons[-1] if len(reasons) == len(scores) else None, detail)
        return Answer(question.text, scores, raw)

    def _scored(self, question: Question) -> tuple[str, tuple[Score, ...]]:
        """The answer and its scores; of a last answer that is malformed, what is sound stays."""

        def query() -> tuple[str, tuple[Score, ...]]:
            raw = self._client.analyze(question.text, question.attributes, self._language)
            return raw, read(raw, question.attributes)

        return self._session.attempt(query, lambda found: next((s.error for s in found[1] if s.error), None))


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
