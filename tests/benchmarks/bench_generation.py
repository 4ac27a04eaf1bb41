"""How fast `generate` draws completions, beside what a user would write otherwise.

`python -m tests.benchmarks.bench_generation [--rounds 3] [--threads 2] [--quick]`: SmolLM2-135M, three completions of
each of 24 evaluation prompts with the temperature, top_p and length of params.yaml, by four arms: the stage `generate`
as dvc.yaml runs it; `pipeline("text-generation")`, one prompt at a time (and fewer of them: it is slow); the model's
own `generate` on batches, at the batch size and precision that a search beforehand found fastest; and
lm-evaluation-harness's `generate_until` with that batch size. Timed is from the model's first call to the end of its
last, so neither imports nor opening the model. A token is one that was drawn for a completion before its end.

Six minutes on two cores without bf16.
"""

import contextlib
import json
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from tasks.runtime import config
from tests.benchmarks import side_by_side
from tests.benchmarks.side_by_side import ROOT, Clock, Work

OURS, PIPELINE, GENERATE, HARNESS = "`palms` generate", "pipeline, one by one", "model.generate", "lm-eval"
PROMPTS, QUICK_PROMPTS, SAMPLES = 24, 4, 3
ONE_BY_ONE = 4  # prompts of the pipeline, once each
SEARCH_TOKENS = 16  # of a completion in the search
BATCHES = (12, 36, 72)
PRECISIONS = {"fp32": ("fp32",), "bf16": ("fp32", "bf16 autocast", "bf16 weights")}  # to be tried, by what is computed


@dataclass(frozen=True)
class Task:
    """What an arm draws: completions of `prompts` (entries of data/prompts), `samples` of each."""

    model: str
    prompts: list[dict[str, Any]]
    samples: int
    max_new_tokens: int
    temperature: float
    top_p: float
    batch: int = 1
    precision: str = "fp32"
    own_batch: int | None = None  # of the stage, instead of params.yaml's


def the_task(model: Path, count: int) -> Task:
    """So many prompts of each split in turn, drawn as params.yaml says."""
    files = [ROOT / "data" / "prompts" / f"{split}.yaml" for split in ("test", "validation")]
    splits = [yaml.safe_load(file.read_text("utf-8"))["prompts"] for file in files]
    prompts = [entry for pair in zip(*splits, strict=False) for entry in pair][:count]
    section = config.read_params(ROOT / "params.yaml")["generate"]
    how = {name: section[name] for name in ("max_new_tokens", "temperature", "top_p")}
    return Task(str(model), prompts, SAMPLES, **how)


def ours(task: Task) -> int:
    """The stage, by its own command, in a folder of its own."""
    from tasks.__main__ import main

    params = config.read_params(ROOT / "params.yaml")
    params["generate"] |= {"samples": {"test": task.samples, "validation": task.samples}}
    params["generate"] |= {"max_new_tokens": task.max_new_tokens}
    params["generate"] |= {"batch_size": task.own_batch} if task.own_batch else {}
    names = ["--model", "model", "--arm", "base"]
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        Path("params.yaml").write_text(yaml.safe_dump(params, sort_keys=False), "utf-8")
        Path("prompts").mkdir()
        for split, start in (("test", 0), ("validation", 1)):
            text = yaml.safe_dump({"prompts": task.prompts[start::2]}, sort_keys=False, allow_unicode=True)
            Path("prompts", f"{split}.yaml").write_text(text, "utf-8")
        paths = ["--checkpoint", task.model, "--prompts", "prompts", "--samples", "samples.jsonl"]
        if code := main(["generate", *names, *paths]):
            raise SystemExit(code)
        rows = [json.loads(line) for line in Path("samples.jsonl").read_text("utf-8").splitlines()]
    return sum(row["tokens"] for row in rows)


def one_by_one(task: Task) -> int:
    """As the library's first page has it, drawn from the same distribution as ours (no top_k)."""
    from transformers import pipeline

    generator = pipeline("text-generation", model=task.model)
    with counting(task) as counts:
        for prompt in task.prompts[:ONE_BY_ONE]:
            generator([{"role": "user", "content": prompt["prompt"]}], **sampling(task))
    return sum(counts)


def batched(task: Task) -> int:
    """Batches of prompts of like length, padded on the left; the completions of a prompt share its row."""
    import torch
    from transformers import AutoModelForCausalLM

    dtype = torch.bfloat16 if task.precision == "bf16 weights" else torch.float32
    model = AutoModelForCausalLM.from_pretrained(task.model, dtype=dtype).to(device()).eval()
    tokenizer = left_padding(task)
    texts = sorted(questions(task, tokenizer), key=lambda text: len(tokenizer(text)["input_ids"]))
    prompts_at_once = max(1, task.batch // task.samples)
    autocast = torch.autocast(device(), torch.bfloat16, enabled=task.precision == "bf16 autocast")
    with torch.inference_mode(), autocast, counting(task) as counts:
        for start in range(0, len(texts), prompts_at_once):
            part = tokenizer(texts[start : start + prompts_at_once], return_tensors="pt", padding=True)
            ids, mask = part["input_ids"].to(device()), part["attention_mask"].to(device())
            several = {"num_return_sequences": task.samples, "pad_token_id": tokenizer.pad_token_id}
            model.generate(input_ids=ids, attention_mask=mask, **several, **sampling(task))
    return sum(counts)


def harness(task: Task) -> int:
    """lm-evaluation-harness's own wrapper; it draws one completion a request, so a prompt is asked several times."""
    from lm_eval.api.instance import Instance
    from lm_eval.models.huggingface import HFLM

    dtype = "bfloat16" if task.precision == "bf16 weights" else "float32"
    mixed = "bfloat16" if task.precision == "bf16 autocast" else None
    wrapped = HFLM(task.model, dtype=dtype, mixed_precision_dtype=mixed, batch_size=task.batch, device=device())
    how = sampling(task)
    how |= {"max_gen_toks": how.pop("max_new_tokens"), "until": ["\nQuestion:"]}
    texts = [text for text in questions(task, wrapped.tokenizer) for _ in range(task.samples)]
    requests = [Instance("generate_until", {}, (text, dict(how)), at) for at, text in enumerate(texts)]
    with counting(task) as counts:
        wrapped.generate_until(requests, disable_tqdm=True)
    return sum(counts)


def sampling(task: Task) -> dict[str, Any]:
    """The arguments of transformers' `generate` that draw as our stage does."""
    how = {"max_new_tokens": task.max_new_tokens, "temperature": task.temperature, "top_p": task.top_p}
    return {"do_sample": True, "top_k": 0, **how}


def questions(task: Task, tokenizer: Any) -> list[str]:
    """The prompts by the model's chat template."""
    turns = [[{"role": "user", "content": prompt["prompt"]}] for prompt in task.prompts]
    return [tokenizer.apply_chat_template(turn, tokenize=False, add_generation_prompt=True) for turn in turns]


def left_padding(task: Task) -> Any:
    """The model's tokenizer, which pads on the left."""
    from tasks.lm.models import load_tokenizer

    tokenizer = load_tokenizer(Path(task.model))
    tokenizer.padding_side = "left"
    return tokenizer


def device() -> str:
    """Where every arm runs: a GPU if there is one."""
    from tasks.lm.devices import best_device

    return best_device().type


@contextmanager
def counting(task: Task) -> Iterator[list[int]]:
    """Collects how many tokens transformers' `generate` draws for each completion before its end."""
    from transformers import GenerationMixin

    from tasks.lm.models import load_tokenizer

    end = load_tokenizer(Path(task.model)).eos_token_id
    counts: list[int] = []
    original = GenerationMixin.generate

    def counted(self: Any, *arguments: Any, **options: Any) -> Any:
        made = original(self, *arguments, **options)
        width = (arguments[0] if arguments else options["input_ids"]).shape[1]
        new = [row[width:] for row in made.tolist()]
        counts.extend(row.index(end) if end in row else len(row) for row in new)
        return made

    GenerationMixin.generate = counted
    try:
        yield counts
    finally:
        GenerationMixin.generate = original


ARMS: dict[str, Callable[[Task], int]] = {OURS: ours, PIPELINE: one_by_one, GENERATE: batched, HARNESS: harness}


def arm(name: str, task: Task) -> Work:
    """What the arm drew between the model's first call and its last."""
    if name == OURS:
        side_by_side.as_a_stage()
    import transformers

    from tasks.lm.devices import best_device, has_bf16

    kind = getattr(transformers, transformers.AutoConfig.from_pretrained(task.model).architectures[0])
    clock = Clock()
    with clock.calls(kind, "forward"):
        tokens = ARMS[name](task)
    best = "bf16" if has_bf16(best_device()) else "fp32"
    return clock.work(tokens, {OURS: best, PIPELINE: "fp32"}.get(name, task.precision))


def search(task: Task, batches: tuple[int, ...], threads: int) -> Task:
    """`task` with the batch size and precision at which `model.generate` is fastest on short completions."""
    short = replace(task, max_new_tokens=SEARCH_TOKENS)
    computed = side_by_side.turn("bench_generation", OURS, asdict(replace(short, prompts=task.prompts[:2])), threads)
    tried: list[tuple[float, Task]] = []
    for precision in PRECISIONS[computed.precision]:
        for batch in batches:
            setting = replace(short, batch=batch, precision=precision)
            work = side_by_side.turn("bench_generation", GENERATE, asdict(setting), threads)
            note = f"search: model.generate, batches of {batch}, {precision}: {work.rate:.1f} tokens/s"
            print(note, file=sys.stderr, flush=True)
            tried.append((work.rate, replace(task, batch=batch, precision=precision)))
    return max(tried, key=lambda pair: pair[0])[1]


def main() -> int:
    """Prints a table of the arms."""
    arguments = side_by_side.parse("bench_generation", __doc__ or "", rounds=3)
    if arguments.arm:
        return side_by_side.report(lambda: arm(arguments.arm, Task(**arguments.setting)))
    task = the_task(side_by_side.base_model(), QUICK_PROMPTS if arguments.quick else PROMPTS)
    if arguments.quick:
        task = replace(task, max_new_tokens=8)
    best = search(task, BATCHES[:1] if arguments.quick else BATCHES, arguments.threads)
    settings = {name: asdict(best) for name in ARMS}
    results = side_by_side.compare("bench_generation", settings, arguments.rounds, arguments.threads)
    counts = f"{len(task.prompts)} prompts, {SAMPLES} completions each of at most {task.max_new_tokens} tokens"
    print(f"generation: {counts}; {arguments.rounds} rounds; batches of {best.batch} for model.generate and lm-eval")
    print(f"{side_by_side.machine()}; {arguments.threads} threads a process")
    print(side_by_side.table(results, OURS))
    return 0


if __name__ == "__main__":
    sys.exit(main())
