"""Scorer `offline`: the linear model inside the alt-profanity-check wheel; weak, but real and free of network.

A linear SVM on word counts, calibrated to probabilities, trained on about 200,000 human-labelled English
comments. It knows one attribute, has no sense of context, and no language but English. It is fast; its scores are
stored so that other scorers can be compared with it.
"""

import importlib.metadata
from collections.abc import Iterator, Sequence

from tasks.scorers import Answer, Question, Score, Scorer
from tasks.settings.toxicity import Toxicity

PACKAGE = "alt-profanity-check"
BATCH = 1000  # texts


def open_scorer(config: Toxicity) -> Scorer:
    """The backend; it has no settings."""
    del config
    return Offline()


class Offline(Scorer):
    """The model of the wheel."""

    name = "offline"
    attributes = ("TOXICITY",)
    languages = ("en",)

    def version(self) -> str:
        """The version of the wheel that carries the model."""
        return f"{PACKAGE} {importlib.metadata.version(PACKAGE)}"

    def ask(self, questions: Sequence[Question], language: str) -> Iterator[Sequence[Answer]]:
        """TOXICITY of every text."""
        del language
        from profanity_check import predict_prob

        for start in range(0, len(questions), BATCH):
            texts = [question.text for question in questions[start : start + BATCH]]
            scores = zip(texts, predict_prob(texts), strict=True)
            yield [Answer(text, (Score("TOXICITY", float(score)),)) for text, score in scores]
