"""Scores of texts by any backend: what the store knows is read, only the rest is asked, every answer is kept."""

import contextlib
import sys
import time
from collections.abc import Iterator, Sequence

from filelock import FileLock, Timeout

from tasks.runtime.files import shared_mode
from tasks.runtime.progress import Progress
from tasks.scorers import EMPTY, NO_LANGUAGE, Question, Score, Scorer
from tasks.scorers.store import Store

Known = dict[str, dict[str, Score]]
QUOTA_WINDOW = 1.0  # seconds in which a quota counts; what another run asked in its last ones still counts


def score(scorer: Scorer, texts: Sequence[str], language: str, store: Store) -> dict[str, list[Score]]:
    """One score per text and attribute of the scorer; null with its reason where there is none.

    The texts must fit the scorer's limit (`Scorer.cut`).
    """
    reasons = {text: reason for text in texts if (reason := unscorable(scorer, text, language))}
    wanted = [text for text in dict.fromkeys(texts) if text not in reasons]
    known, questions = _look_up(scorer, wanted, language, store)
    if questions:
        with _alone(scorer, store, questions):
            known, questions = _look_up(scorer, wanted, language, store)  # another run may have asked meanwhile
            for text, scores in _ask(scorer, questions, language, store):
                known.setdefault(text, {}).update(scores)
    return {
        text: [_score(known.get(text, {}), name, reasons.get(text)) for name in scorer.attributes] for text in texts
    }


def unscorable(scorer: Scorer, text: str, language: str) -> str | None:
    """Why `text` is not to be sent to the scorer at all; None if it may be."""
    if not text.strip():
        return EMPTY
    if scorer.languages is not None and language not in scorer.languages:
        return f"{NO_LANGUAGE}: {language}"
    if any("\ud800" <= char <= "\udfff" for char in text):
        return "NOT_UNICODE"  # a lone surrogate: no encoding can carry it, and replacing it would change the text
    return None


def _look_up(scorer: Scorer, texts: Sequence[str], language: str, store: Store) -> tuple[Known, list[Question]]:
    """What the store knows, and what is left to ask."""
    known = store.scores(scorer.name, scorer.version(), language, texts) if scorer.stored else {}
    missing = {text: tuple(a for a in scorer.attributes if a not in known.get(text, {})) for text in texts}
    asked = [Question(text, attributes) for text, attributes in missing.items() if attributes]
    return known, asked if scorer.together else [Question(q.text, (name,)) for q in asked for name in q.attributes]


def _ask(
    scorer: Scorer, questions: Sequence[Question], language: str, store: Store
) -> Iterator[tuple[str, dict[str, Score]]]:
    if not questions:
        return
    answers = scorer.ask(questions, language)
    if cost := scorer.cost(questions):
        print(cost, file=sys.stderr, flush=True)
    unit = "texts" if scorer.together else "queries"
    progress, started = Progress(scorer.label, len(questions), unit), time.monotonic()
    for batch in answers:
        if scorer.stored:
            store.keep(scorer.name, scorer.version(), language, batch)
        rate = (progress.done + len(batch)) / max(time.monotonic() - started, 1e-9)
        progress.step(len(batch), f"{rate:.3g} a second")
        yield from ((answer.text, {score.attribute: score for score in answer.scores}) for answer in batch)


def _score(known: dict[str, Score], attribute: str, reason: str | None) -> Score:
    if reason:
        return Score(attribute, None, reason)
    return known.get(attribute) or Score(attribute, None, "NO_ANSWER", permanent=False)


@contextlib.contextmanager
def _alone(scorer: Scorer, store: Store, questions: Sequence[Question]) -> Iterator[None]:
    """Lets one run at a time ask a scorer that costs something: two would pay for the same texts, and together
    pass the quota. The lock is the kernel's, so a killed run does not leave it behind."""
    if not scorer.cost(questions):
        yield
        return
    lock = FileLock(store.path.with_name(f"{scorer.name}.lock"), mode=shared_mode(store.path.parent))
    try:
        held = lock.acquire(timeout=0)
    except Timeout:
        print(f"another run is asking {scorer.name}; waiting for it", file=sys.stderr, flush=True)
        held = lock.acquire(poll_interval=0.5)
        time.sleep(QUOTA_WINDOW)
    with held:
        yield
