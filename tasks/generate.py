"""generate: a checkpoint's completions of the evaluation prompts.

`python -m tasks generate --model smollm2-135m --arm values --checkpoint … --prompts data/prompts --samples …`
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from tasks.inputs.dataset import Prompt, load_prompts
from tasks.lm import sampling as engine
from tasks.lm.models import open_model, out_of_memory
from tasks.runtime.command import Command, Job
from tasks.runtime.files import write_jsonl
from tasks.settings.generate import Generate
from tasks.settings.prompting import Prompting

COMMAND = Command(
    help="Samples completions of the evaluation prompts.",
    inputs={"checkpoint": "folder of the checkpoint", "prompts": "folder of the evaluation prompts"},
    outputs={"samples": "JSONL: one completion a line"},
    params=("generate", "prompting"),
    names={"model": "a model of the ladder", "arm": "base or a tuned arm"},
)


@dataclass(frozen=True)
class Row:
    """One completion, as it stands in the samples file."""

    model: str
    arm: str
    category: str
    prompt_id: str
    split: str
    sample: int
    prompt: str
    completion: str
    finish_reason: str  # stop (end-of-text or a new question) or length
    tokens: int


def main(job: Job) -> None:
    """Draws every completion and writes them in the order of the prompts."""
    config = job.section("generate", Generate)
    prompting = job.section("prompting", Prompting)
    requests = expand(load_prompts(job.path("prompts")), config)
    opened = open_model(job.path("checkpoint"))
    with out_of_memory("lower generate.batch_size"):
        drawn = engine.generate(
            opened, [engine.Request(p.prompt, f"{p.id}/{i}") for p, i in requests], config, prompting
        )
    rows = [
        Row(
            model=job.names["model"],
            arm=job.names["arm"],
            category=prompt.category,
            prompt_id=prompt.id,
            split=prompt.split,
            sample=sample,
            prompt=prompt.prompt,
            completion=completion.text,
            finish_reason=completion.finish_reason,
            tokens=completion.tokens,
        )
        for (prompt, sample), completion in zip(requests, drawn, strict=True)
    ]
    write_jsonl(job.path("samples"), (asdict(row) for row in rows))


def expand(prompts: Sequence[Prompt], config: Generate) -> list[tuple[Prompt, int]]:
    """Each prompt with the numbers of the samples its split asks for."""
    wanted = asdict(config.samples)
    return [(prompt, sample) for prompt in prompts for sample in range(wanted[prompt.split])]
