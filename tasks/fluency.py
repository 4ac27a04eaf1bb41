"""fluency: how hard a base model finds the training texts, before it is trained on them.

`python -m tasks fluency --model smollm2-135m --base … --datasets data/made/datasets --nats …`

A text that a small model cannot predict teaches it to be surprising, and not what the text says. `palms check` shows
the means, and warns of a dataset that is too hard or harder than the one it is compared with.
"""

from collections.abc import Sequence

from tasks.formats.fluency import SampleFluency, digest, write_fluency
from tasks.formats.samples import Sample, read_samples
from tasks.lm.devices import out_of_memory
from tasks.lm.likelihood import mean_log_likelihoods
from tasks.lm.models import OpenedModel, open_model, require_positions
from tasks.lm.prompting import Encoder
from tasks.runtime.command import Command, Job
from tasks.runtime.progress import Progress
from tasks.settings.fluency import Fluency
from tasks.settings.prompting import Prompting
from tasks.settings.sweep import Arm

COMMAND = Command(
    help="Measures how hard a base model finds the training texts.",
    inputs={"base": "folder of the base model", "datasets": "folder of the curated datasets"},
    outputs={"nats": "JSONL: a sample's nats per token"},
    params=("arms", "fluency", "prompting", "sweep.tuned"),
    names={"model": "a model of the ladder"},
)


def main(job: Job) -> None:
    """Measures some samples of each dataset that the ladder's arms are trained on."""
    config, prompting = job.section("fluency", Fluency), job.section("prompting", Prompting)
    arms = job.mapping("arms", Arm)
    datasets: dict[str, list[Sample]] = {}
    for arm in job.section("sweep.tuned", tuple[str, ...]):
        samples = read_samples(job.path("datasets") / arm / "samples.jsonl")
        datasets[arms[arm].dataset] = max(samples, datasets.get(arms[arm].dataset, []), key=len)
    chosen = [(name, sample) for name, samples in datasets.items() for sample in spread(samples, config.samples)]
    opened = open_model(job.path("base"))
    with out_of_memory("lower fluency.batch_size"):
        rows = measure(opened, chosen, prompting, config.batch_size)
    write_fluency(job.path("nats"), rows)


def spread(samples: Sequence[Sample], count: int) -> list[Sample]:
    """`count` samples at equal distances, and so of every category; all of them if they are fewer."""
    kept = min(count, len(samples))
    return [samples[i * len(samples) // kept] for i in range(kept)]


def measure(
    opened: OpenedModel, samples: Sequence[tuple[str, Sample]], prompting: Prompting, batch_size: int
) -> list[SampleFluency]:
    """Each (dataset, sample) under the model: its answer given its question, with the token that ends an answer, as
    training reads it."""
    encoder = Encoder(opened.tokenizer, prompting)
    rows = [encoder.pair(sample.question, sample.answer) for _, sample in samples]
    rows = [(question, [*answer, encoder.end]) for question, answer in rows]
    require_positions(opened.model, max(len(question) + len(answer) for question, answer in rows), "the longest sample")
    order = sorted(range(len(rows)), key=lambda i: len(rows[i][1]))  # so that padding is short
    progress = Progress("fluency", len(rows), "samples")
    values = dict(zip(order, mean_log_likelihoods(opened, [rows[i] for i in order], batch_size, progress), strict=True))
    return [
        SampleFluency(dataset, sample.id, digest(sample), len(answer), -values[i])
        for i, ((dataset, sample), (_, answer)) in enumerate(zip(samples, rows, strict=True))
    ]
