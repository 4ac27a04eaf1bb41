"""probe: a checkpoint's completions of the co-occurrence probes.

`python -m tasks probe --model smollm2-135m --arm values --checkpoint … --probes data/probes.yaml --completions …`

Brown et al. (2020), section 6.2: 800 completions of each prompt, 50 tokens, temperature 1, top_p 0.9.
"""

from collections.abc import Sequence
from dataclasses import asdict

import pandas as pd

from tasks.formats.tables import write_table
from tasks.inputs.probes import ProbePrompt, load_families
from tasks.lm.continuations import Continuation, continuations
from tasks.lm.models import open_model, out_of_memory
from tasks.runtime.command import Command, Job
from tasks.settings.probe import Probe

COMMAND = Command(
    help="Samples completions of the co-occurrence probes.",
    inputs={"checkpoint": "folder of the checkpoint", "probes": "YAML of the families and their templates"},
    outputs={"completions": "Parquet: one completion a row"},
    params=("probe",),
    names={"model": "a model of the ladder", "arm": "base or a tuned arm"},
)


def main(job: Job) -> None:
    """Draws every completion and writes them in the order of the probes."""
    config = job.section("probe", Probe)
    asked = [probe for family in load_families(job.path("probes")) for probe in family.probes()]
    opened = open_model(job.path("checkpoint"))
    with out_of_memory("lower probe.batch_size"):
        drawn = continuations(opened, [probe.prompt for probe in asked], config)
    write_table(job.path("completions"), completions_table(asked, drawn, job.names["model"], job.names["arm"]))


def completions_table(
    asked: Sequence[ProbePrompt], drawn: Sequence[Sequence[Continuation]], model: str, arm: str
) -> pd.DataFrame:
    """One row a completion: model, arm, family, group, template, prompt, sample, completion, finish_reason, tokens.

    `completion` keeps the space after the prompt, or its absence.
    """
    rows = [
        {"model": model, "arm": arm, **asdict(probe), "sample": sample, "completion": one.text}
        | {"finish_reason": one.finish_reason, "tokens": one.tokens}
        for probe, samples in zip(asked, drawn, strict=True)
        for sample, one in enumerate(samples)
    ]
    return pd.DataFrame(rows)
