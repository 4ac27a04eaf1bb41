"""probe: a checkpoint's completions of the co-occurrence probes.

`python -m tasks probe --model smollm2-135m --arm values --checkpoint … --probes data/probes.yaml --completions …`

Brown et al. (2020), section 6.2: 800 completions of each prompt, 50 tokens, temperature 1, top_p 0.9. The prompts are
plain text, without a chat template. A sample's random stream comes from the seed, the prompt's text and the sample's
number alone, so it does not depend on other prompts, and arms share their noise.
"""

from collections.abc import Sequence
from dataclasses import asdict

import pandas as pd

from tasks.formats.tables import write_table
from tasks.inputs.probes import load_families
from tasks.lm.devices import out_of_memory
from tasks.lm.engines import Opened, engine
from tasks.lm.prompting import Encoder
from tasks.lm.sampling import Completion, EncodedPrompt, require_some, until_end
from tasks.runtime.command import Command, Job
from tasks.settings.probe import Probe
from tasks.settings.prompting import Prompting
from tasks.settings.resources import tensor_parallel

COMMAND = Command(
    help="Samples completions of the co-occurrence probes.",
    inputs={"checkpoint": "folder of the checkpoint", "probes": "YAML of the families and their templates"},
    outputs={"completions": "Parquet: one completion a row"},
    params=("probe",),
    names={"model": "a model of the ladder", "arm": "base or a tuned arm"},
)
PLAIN = Prompting(chat=False, template="{question}", stop=(), date="2026-01-01")  # no chat template, so no date


def main(job: Job) -> None:
    """Draws every completion and writes one row for each, in the order of the probes.

    Columns: model, arm, family, group, template, prompt, sample (its number), completion (with the space after the
    prompt, or without), finish_reason ("stop": end-of-text, or "length"), tokens (how many were drawn), engine
    (what drew them).
    """
    config = job.section("probe", Probe)
    probes = [probe for family in load_families(job.path("probes")) for probe in family.probes()]
    shared_by = tensor_parallel(job.params, job.names["model"])
    opened = engine("probe", config.engine).open_folder(job.path("checkpoint"), shared_by)
    with out_of_memory("lower probe.batch_size"):
        completions = complete(opened, [probe.prompt for probe in probes], config)
    require_some(completions, "the model ends its texts at once")
    rows = [
        {"model": job.names["model"], "arm": job.names["arm"], **asdict(probe), "sample": number}
        | {"completion": drawn.text, "finish_reason": drawn.finish_reason, "tokens": drawn.tokens}
        | {"engine": config.engine}
        for probe, of_probe in zip(probes, completions, strict=True)
        for number, drawn in enumerate(of_probe)
    ]
    write_table(job.path("completions"), pd.DataFrame(rows))


def complete(opened: Opened, prompts: Sequence[str], config: Probe) -> list[list[Completion]]:
    """`config.completions` samples for each of `prompts`, in their order."""
    encoder = Encoder(opened.tokenizer, PLAIN)
    streams = [[f"{prompt}/{number}" for number in range(config.completions)] for prompt in prompts]
    encoded = [EncodedPrompt(encoder.question(prompt), names) for prompt, names in zip(prompts, streams, strict=True)]
    sampled = engine("probe", config.engine).sample(opened, encoded, config, "probe")
    return [
        [completion(opened, prompt.ids, ids) for ids in of_prompt]
        for prompt, of_prompt in zip(encoded, sampled, strict=True)
    ]


def completion(opened: Opened, prompt: list[int], ids: list[int]) -> Completion:
    """The text is what the tokens add to the prompt's: alone, some tokenizers decode them without their space."""
    ids, ended = until_end(ids, opened.ends)
    before, after = (opened.tokenizer.decode(part, skip_special_tokens=True) for part in (prompt, prompt + ids))
    return Completion(after.removeprefix(before), "stop" if ended else "length", len(ids))
