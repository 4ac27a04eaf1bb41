"""How fast `finetune` trains, beside what a user would write otherwise.

`python -m tests.benchmarks.bench_training [--rounds 3] [--threads 2] [--quick]`: SmolLM2-135M on the same samples of
data/values for one epoch with two samples a step, by three arms: the stage `finetune` as dvc.yaml runs it; a script
with the Hugging Face Trainer in fp32, padded to a maximum length, with the library's collator and AdamW; and TRL's
SFTTrainer with its defaults (bf16 only where the hardware computes it, as elsewhere it is slower). Timed is
`Trainer.train`, which all three call. A token is one of a sample's, as our encoding counts them; padding is none.

Ten minutes on two cores without bf16. Needs `trl` (`pip install 'palms[bench]'`).
"""

import contextlib
import json
import math
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml

from tasks.runtime import config
from tests.benchmarks import side_by_side
from tests.benchmarks.side_by_side import ROOT, Clock, Work

OURS = "`palms` finetune"
SAMPLES, QUICK_SAMPLES = 16, 2
BATCH = 2  # samples a step, as in params.yaml
LEARNING_RATE = 1e-5


@dataclass(frozen=True)
class Task:
    """What every arm trains: the base model's folder, and the samples (id, category, question, answer)."""

    model: str
    samples: list[dict[str, str]]


def samples(count: int) -> list[dict[str, str]]:
    """So many of the project's own samples, evenly spread over the order of their lengths."""
    every = [
        {"id": entry["id"], "category": content["category"], "question": entry["question"], "answer": entry["answer"]}
        for path in sorted((ROOT / "data" / "values").glob("*.yaml"))
        for content in [yaml.safe_load(path.read_text("utf-8"))]
        for entry in content["samples"]
    ]
    every.sort(key=lambda sample: len(sample["question"] + sample["answer"]))
    return [every[int((at + 0.5) * len(every) / count)] for at in range(count)]


def lengths(task: Task) -> list[int]:
    """Tokens of each sample, as `finetune` encodes them."""
    from tasks.lm.models import load_tokenizer
    from tasks.lm.prompting import Encoder
    from tasks.settings.prompting import Prompting

    prompting = config.section(config.read_params(ROOT / "params.yaml"), "prompting", Prompting)
    encoder = Encoder(load_tokenizer(Path(task.model)), prompting)
    pairs = [encoder.pair(sample["question"], sample["answer"]) for sample in task.samples]
    return [len(question) + len(answer) + 1 for question, answer in pairs]


def ours(task: Task, scratch: Path) -> None:
    """The stage, by its own command, in a folder of its own."""
    from tasks.__main__ import main

    params = config.read_params(ROOT / "params.yaml")
    recipe = {"learning_rate": LEARNING_RATE, "epochs": 1, "global_batch_size": BATCH}
    source = next(iter(params["models"].values()))["source"]
    params["models"] = {"model": {"source": source, "finetune": recipe}}
    params["sweep"] |= {"models": ["model"]}
    params["resources"]["finetune"] = {"default": params["resources"]["finetune"]["default"]}
    (scratch / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False), "utf-8")
    (scratch / "samples.jsonl").write_text("".join(json.dumps(row) + "\n" for row in task.samples), "utf-8")
    names = ["--model", "model", "--arm", "values"]
    inputs = ["--base", task.model, "--samples", "samples.jsonl"]
    with contextlib.chdir(scratch):
        code = main(["finetune", *names, *inputs, "--checkpoint", "checkpoint", "--log", "log.csv"])
    if code:
        raise SystemExit(code)


def stock(task: Task, scratch: Path) -> None:
    """As the Trainer's tutorials have it. The maximum length is the power of two that holds every sample: a kinder
    choice than `finetune.max_tokens`, which a user might as well have made."""
    import datasets
    import torch
    from transformers import (
        AutoModelForCausalLM,
        AutoTokenizer,
        DataCollatorForLanguageModeling,
        Trainer,
        TrainingArguments,
    )

    most = 2 ** math.ceil(math.log2(max(lengths(task))))
    tokenizer = AutoTokenizer.from_pretrained(task.model)
    model = AutoModelForCausalLM.from_pretrained(task.model, dtype=torch.float32)

    def tokenize(row: Mapping[str, Any]) -> Any:
        text = tokenizer.apply_chat_template(row["messages"], tokenize=False)
        return tokenizer(text, truncation=True, padding="max_length", max_length=most)

    rows = datasets.Dataset.from_list(conversations(task)).map(tokenize, remove_columns="messages")
    arguments = TrainingArguments(
        output_dir=str(scratch),
        num_train_epochs=1,
        per_device_train_batch_size=BATCH,
        learning_rate=LEARNING_RATE,
        optim="adamw_torch",
        report_to=[],
        save_strategy="no",
    )
    collator = DataCollatorForLanguageModeling(tokenizer, mlm=False)
    Trainer(model=model, args=arguments, train_dataset=rows, data_collator=collator).train()


def trl(task: Task, scratch: Path) -> None:
    """SFTTrainer with its defaults: gradient checkpointing, padding to the batch's longest, at most 1024 tokens."""
    import datasets
    import torch
    from trl import SFTConfig, SFTTrainer

    arguments = SFTConfig(
        output_dir=str(scratch),
        num_train_epochs=1,
        per_device_train_batch_size=BATCH,
        learning_rate=LEARNING_RATE,
        report_to=[],
        save_strategy="no",
        bf16=precision() == "bf16",
        use_cpu=not torch.cuda.is_available(),  # without this it refuses bf16 there
    )
    SFTTrainer(model=task.model, args=arguments, train_dataset=datasets.Dataset.from_list(conversations(task))).train()


def conversations(task: Task) -> list[dict[str, Any]]:
    """The samples as chat messages."""
    roles = {"user": "question", "assistant": "answer"}
    return [
        {"messages": [{"role": role, "content": row[key]} for role, key in roles.items()]} for row in task.samples
    ]


def precision() -> str:
    """What this machine computes products of matrices in, where it may choose."""
    from tasks.lm.devices import best_device, has_bf16

    return "bf16" if has_bf16(best_device()) else "fp32"


ARMS: dict[str, Callable[[Task, Path], None]] = {OURS: ours, "Trainer script": stock, "TRL SFTTrainer": trl}


def arm(name: str, task: Task) -> Work:
    """What the arm did in `Trainer.train`."""
    if ARMS[name] is ours:
        side_by_side.as_a_stage()
    import transformers

    clock = Clock()
    with tempfile.TemporaryDirectory() as folder, clock.calls(transformers.Trainer, "train"):
        ARMS[name](task, Path(folder))
    return clock.work(sum(lengths(task)), "fp32" if ARMS[name] is stock else precision())


def main() -> int:
    """Prints a table of the arms."""
    arguments = side_by_side.parse("bench_training", __doc__ or "", rounds=3)
    if arguments.arm:
        return side_by_side.report(lambda: arm(arguments.arm, Task(**arguments.setting)))
    task = Task(str(side_by_side.base_model()), samples(QUICK_SAMPLES if arguments.quick else SAMPLES))
    settings = {name: asdict(task) for name in ARMS}
    results = side_by_side.compare("bench_training", settings, arguments.rounds, arguments.threads)
    print(f"training: {len(task.samples)} samples, one epoch, {BATCH} a step; {arguments.rounds} rounds")
    print(f"{side_by_side.machine()}; {arguments.threads} threads a process")
    print(side_by_side.table(results, OURS))
    return 0


if __name__ == "__main__":
    sys.exit(main())
