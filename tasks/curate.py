"""`python -m tasks curate --arm values …`: a dataset that people wrote, refused if it has mistakes.

Makes the arm's share of it as JSONL that `datasets` loads, a row a sample,

    {"id": "health-01", "category": "health", "question": "…", "answer": "…"}

and its statistics as JSON.
"""

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict

from tasks.curation.checks import all_samples, examine, limit_problems
from tasks.curation.statistics import statistics
from tasks.formats.samples import Sample
from tasks.inputs.strict_yaml import refuse
from tasks.runtime import files
from tasks.runtime.command import Command, Job
from tasks.settings.curate import Curate
from tasks.settings.sweep import Arm

COMMAND = Command(
    help="Refuse a dataset with mistakes; keep the arm's share of it, and its statistics.",
    inputs={
        "dataset": "folder of <category>.yaml files",
        "prompts": "folder of test.yaml and validation.yaml",
    },
    outputs={
        "samples": "JSONL of the samples kept",
        "statistics": "JSON of counts, lengths and nearest texts",
    },
    params=("curate", "arms.{arm}"),
    names={"arm": "the arm that will be trained on it"},
)


def main(job: Job) -> None:
    """Checks, selects and saves. Raises InputError with every problem found, one a line."""
    rules, arm = job.section("curate", Curate), job.section("arms.{arm}", Arm)
    examined = examine(job.path("dataset"), job.path("prompts"), rules)
    refuse([*examined.problems, *limit_problems(job.names["arm"], arm, examined)])
    samples = all_samples(examined.categories)
    kept = select(samples, arm.limit, arm.seed)
    closeness = examined.closeness if len(kept) == len(samples) else None
    files.write_jsonl(job.path("samples"), [asdict(sample) for sample in kept])
    files.write_json(job.path("statistics"), statistics(kept, examined.prompts, rules, closeness))


def select(samples: Sequence[Sample], limit: int | None, seed: int) -> list[Sample]:
    """The samples an arm is trained on, in the dataset's order: all, or `limit` of them.

    Each category's samples are put in an order drawn by `seed`, and categories take turns, in an order drawn
    by `seed` too; the first `limit` are kept. So category counts differ by at most one, a smaller limit
    keeps a subset of a larger one's, and another entry added elsewhere moves none of the others.
    """
    if limit is None:
        return list(samples)
    turns: dict[str, list[Sample]] = defaultdict(list)
    for sample in sorted(samples, key=lambda sample: _draw(seed, sample.id)):
        turns[sample.category].append(sample)
    order = sorted(
        (turn, _draw(seed, category), sample.id)
        for category, drawn in turns.items()
        for turn, sample in enumerate(drawn)
    )
    kept = {id for _, _, id in order[:limit]}
    return [sample for sample in samples if sample.id in kept]


def _draw(seed: int, name: str) -> str:
    """A random-looking key that is the same on every machine and version."""
    return hashlib.sha256(f"{seed}:{name}".encode()).hexdigest()
