from typing import Literal

from pydantic import NonNegativeInt, PositiveFloat

from tasks.runtime.sections import Commit, Count, Names, part, section


@part
class Perspective:
    """What is asked of a Comment Analyzer service, and how fast."""

    attributes: Names
    qps: PositiveFloat  # queries a second that the quota allows
    in_flight: Count  # queries under way at once; at least qps × latency in seconds, or the quota is not used
    timeout: PositiveFloat  # seconds that a query may take, from its last byte to the answer's
    attempts: Count  # queries for one text before it counts as missing
    max_wait: PositiveFloat  # seconds; a service that asks for a longer pause ends the run
    give_up_after: Count  # texts in a row without a score, after which the service is taken to be down


@part
class ClassifierModel:
    """A sequence-classification model and what its labels mean."""

    id: str  # owner/name on the Hugging Face hub, or a local folder
    revision: Commit | None  # commit of 40 hex digits; null for a local folder
    activation: Literal["sigmoid", "softmax"]  # sigmoid where each label is a question of its own
    max_tokens: int  # of a text, special tokens included
    languages: tuple[str, ...]  # ISO 639 codes of what it was trained on
    labels: dict[str, str]  # label of the model → attribute

    def __post_init__(self) -> None:
        if not self.labels or len(set(self.labels.values())) != len(self.labels):
            raise ValueError("labels: expected at least one label, each with an attribute of its own")


@part
class Classifier:
    """Which classifier scores, and how."""

    model: str  # a name in `models`
    batch_size: Count
    precision: Literal["bf16", "fp32"]  # bf16 where the hardware computes it
    models: dict[str, ClassifierModel]

    def __post_init__(self) -> None:
        if self.model not in self.models:
            raise ValueError(f"model: '{self.model}' is not among models ({', '.join(self.models)})")


@part
class Recorded:
    """Which earlier scores are read again."""

    archive: str  # folder of the archives that `palms archive` wrote
    scorer: Literal["perspective", "classifier", "offline"]  # whose scores
    version: str | None  # which of its versions; null where the archives hold one only


@section("toxicity")
class Toxicity:
    """How completions are scored for toxicity, and by whom."""

    scorer: str  # a name in tasks/scorers
    first_words: Count  # N of the primary score
    chunk_words: Count  # length of the chunks whose maximum is a secondary score
    max_missing: NonNegativeInt  # scores that may be missing before the stage fails
    perspective: Perspective
    classifier: Classifier
    recorded: Recorded
