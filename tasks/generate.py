"""generate: a cell's completions of the evaluation prompts.

`python -m tasks generate --rung smollm2-135m --arm values --model … --prompts data/prompts --samples …`
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from tasks.command import Command, Job
from tasks.config import Generate, Prompting
from tasks.dataset import Prompt, load_prompts
from tasks.engines import transformers as engine
from tasks.files import write_jsonl
from tasks.models import open_model, out_of_memory

COMMAND = Command(
    help="Samples completions of the evaluation prompts.",
    inputs={"model": "folder of the cell's model", "prompts": "folder of the evaluation prompts"},
    outputs={"samples": "JSONL: one completion a line"},
    params=("generate", "prompting"),
    names={"rung": "a rung of the ladder", "arm": "base or a tuned arm"},
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
    opened = open_model(job.path("model"))
    with out_of_memory("lower generate.batch_size"):
        drawn = engine.generate(
            opened, [engine.Request(p.prompt, f"{p.id}/{i}") for p, i in requests], config, prompting
        )
    rows = [
        Row(
            model=job.names["rung"],
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
