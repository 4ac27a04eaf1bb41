"""generate: a checkpoint's completions of the evaluation prompts.

`python -m tasks generate --model smollm2-135m --arm values --checkpoint … --prompts data/prompts --samples …`
"""

from collections.abc import Sequence
from dataclasses import asdict

from tasks.inputs.dataset import Prompt, load_prompts
from tasks.lm.devices import out_of_memory
from tasks.lm.engines import Opened, engine
from tasks.lm.prompting import Encoder, cut_at_stop
from tasks.lm.sampling import Completion, EncodedPrompt, require_some, until_end
from tasks.runtime.command import Command, Job
from tasks.runtime.files import write_jsonl
from tasks.settings.generate import Generate
from tasks.settings.prompting import Prompting
from tasks.settings.resources import tensor_parallel

COMMAND = Command(
    help="Samples completions of the evaluation prompts.",
    inputs={"checkpoint": "folder of the checkpoint", "prompts": "folder of the evaluation prompts"},
    outputs={"samples": "JSONL: one completion a line"},
    params=("generate", "prompting"),
    names={"model": "a model of the ladder", "arm": "base or a tuned arm"},
)


def main(job: Job) -> None:
    """Draws every completion and writes one line for each, in the order of the prompts.

    A line holds model, arm, category, prompt_id, split, sample (its number), prompt, completion, finish_reason
    ("stop": end-of-text or a new question, or "length"), tokens (how many were drawn) and engine (what drew them).
    """
    config = job.section("generate", Generate)
    prompting = job.section("prompting", Prompting)
    prompts = load_prompts(job.path("prompts"))
    shared_by = tensor_parallel(job.params, job.names["model"])
    opened = engine("generate", config.engine).open_folder(job.path("checkpoint"), shared_by)
    with out_of_memory("lower generate.batch_size"):
        completions = complete(opened, prompts, config, prompting)
    require_some(completions, "the model ends its answers at once, or they begin with one of prompting.stop")
    rows = [
        {
            "model": job.names["model"],
            "arm": job.names["arm"],
            "category": prompt.category,
            "prompt_id": prompt.id,
            "split": prompt.split,
            "sample": number,
            "prompt": prompt.prompt,
            "completion": drawn.text,
            "finish_reason": drawn.finish_reason,
            "tokens": drawn.tokens,
            "engine": config.engine,
        }
        for prompt, of_prompt in zip(prompts, completions, strict=True)
        for number, drawn in enumerate(of_prompt)
    ]
    write_jsonl(job.path("samples"), rows)


def complete(
    opened: Opened, prompts: Sequence[Prompt], config: Generate, prompting: Prompting
) -> list[list[Completion]]:
    """As many completions of each prompt as its split asks for."""
    encoder = Encoder(opened.tokenizer, prompting)
    encoded = [encode(prompt, encoder, config) for prompt in prompts]
    sampled = engine("generate", config.engine).sample(opened, encoded, config, "generate", prompting.stop)
    return [[completion(ids, opened, prompting.stop) for ids in of_prompt] for of_prompt in sampled]


def encode(prompt: Prompt, encoder: Encoder, config: Generate) -> EncodedPrompt:
    """A prompt with a random stream for each of its samples, named by the prompt and the sample's number."""
    numbers = range(asdict(config.samples)[prompt.split])
    return EncodedPrompt(encoder.question(prompt.prompt), [f"{prompt.id}/{number}" for number in numbers])


def completion(ids: list[int], opened: Opened, stop: tuple[str, ...]) -> Completion:
    """What the tokens drawn say, up to the end of the text or a stop string."""
    ids, ended = until_end(ids, opened.ends)
    text, stopped = cut_at_stop(opened.tokenizer.decode(ids, skip_special_tokens=True), stop)
    return Completion(text, "stop" if ended or stopped else "length", len(ids))
