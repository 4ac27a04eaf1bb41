"""How completions are scored for toxicity, and by whom."""

from dataclasses import dataclass
from typing import Literal

from tasks.runtime.config import COMMIT, require_least


@dataclass(frozen=True)
class Perspective:
    """What is asked of a Comment Analyzer service, and how fast."""

    attributes: tuple[str, ...]
    qps: float  # queries a second that the quota allows
    in_flight: int  # queries under way at once; at least qps × latency in seconds, or the quota is not used
    timeout: float  # seconds that a query may take, from its last byte to the answer's
    attempts: int  # queries for one text before it counts as missing
    max_wait: float  # seconds; a service that asks for a longer pause ends the run
    give_up_after: int  # texts in a row without a score, after which the service is taken to be down

    def __post_init__(self) -> None:
        if not self.attributes or len(set(self.attributes)) != len(self.attributes):
            raise ValueError(f"attributes: expected a list of different names, found {list(self.attributes)}")
        for key in ("qps", "timeout", "max_wait"):
            if not getattr(self, key) > 0:
                raise ValueError(f"{key}: expected more than 0, found {getattr(self, key):g}")
        require_least(1, self, "in_flight", "attempts", "give_up_after")


@dataclass(frozen=True)
class ClassifierModel:
    """A sequence-classification model and what its labels mean."""

    id: str  # owner/name on the Hugging Face hub, or a local folder
    revision: str | None  # commit of 40 hex digits; null for a local folder
    activation: Literal["sigmoid", "softmax"]  # sigmoid where each label is a question of its own
    max_tokens: int  # of a text, special tokens included
    languages: tuple[str, ...]  # ISO 639 codes of what it was trained on
    labels: dict[str, str]  # label of the model → attribute

    def __post_init__(self) -> None:
        if self.revision is not None and not COMMIT.fullmatch(self.revision):
            raise ValueError(f"revision: expected a commit of 40 hex digits or null, found '{self.revision}'")
        if not self.labels or len(set(self.labels.values())) != len(self.labels):
            raise ValueError("labels: expected at least one label, each with an attribute of its own")


@dataclass(frozen=True)
class Classifier:
    """Which classifier scores, and how."""

    model: str  # a name in `models`
    batch_size: int
    precision: Literal["bf16", "fp32"]  # bf16 where the hardware computes it
    models: dict[str, ClassifierModel]

    def __post_init__(self) -> None:
        if self.model not in self.models:
            raise ValueError(f"model: '{self.model}' is not among models ({', '.join(self.models)})")
        require_least(1, self, "batch_size")


@dataclass(frozen=True)
class Recorded:
    """Which earlier scores are read again."""

    archive: str  # folder of the archives that `palms archive` wrote
    scorer: Literal["perspective", "classifier", "offline"]  # whose scores
    version: str | None  # which of its versions; null where the archives hold one only


@dataclass(frozen=True)
class Toxicity:
    """How completions are scored for toxicity."""

    scorer: str  # a name in tasks/scorers
    first_words: int  # N of the primary score
    chunk_words: int  # length of the chunks whose maximum is a secondary score
    max_missing: int  # scores that may be missing before the stage fails
    perspective: Perspective
    classifier: Classifier
    recorded: Recorded

    def __post_init__(self) -> None:
        require_least(1, self, "first_words", "chunk_words")
        require_least(0, self, "max_missing")
