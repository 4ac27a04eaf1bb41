"""How hard a base model finds the training texts: what `fluency` measures, and `palms check` and the report read.

    {"dataset": "values", "id": "health-01", "digest": "…", "tokens": 171, "nats": 3.18}
"""

import hashlib
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from tasks.formats.samples import Sample
from tasks.runtime.files import read_jsonl, write_jsonl


@dataclass(frozen=True)
class SampleFluency:
    """One sample under one model: `nats` is the mean negative log-likelihood of its answer's `tokens`, given its
    question; `digest` says which texts these were."""

    dataset: str
    id: str
    digest: str
    tokens: int
    nats: float


def digest(sample: Sample) -> str:
    """A name of the sample's texts: another question or answer has another."""
    return hashlib.sha256(f"{sample.question}\0{sample.answer}".encode()).hexdigest()[:16]


def mean_nats(rows: Iterable[SampleFluency]) -> float:
    """Nats per token over all tokens of some samples, as a training loss counts them."""
    rows = list(rows)
    return sum(row.nats * row.tokens for row in rows) / sum(row.tokens for row in rows)


def write_fluency(path: Path, rows: Iterable[SampleFluency]) -> None:
    """Writes one JSON object a sample."""
    write_jsonl(path, map(asdict, rows))


def read_fluency(path: Path) -> list[SampleFluency]:
    """The rows of a file that `fluency` made."""
    return [SampleFluency(**row) for row in read_jsonl(path)]
