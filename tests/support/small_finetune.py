"""A small fine-tuning as a stage, run as `params.yaml` asks, and what its ranks read."""

import csv
import itertools
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from tests.fixtures import tiny
from tests.support import warm_ranks

BATCH, SAMPLES, EPOCHS = 4, 13, 2  # the last step of an epoch holds one sample
STEPS = EPOCHS * 4
PATHS = {"base": "base", "samples": "samples.jsonl", "checkpoint": "made/model", "log": "made/log.csv"}
COMMAND = ["finetune", "--model", "tiny-2", "--arm", "values"]
COMMAND += [word for flag, path in PATHS.items() for word in (f"--{flag}", path)]
WORDS = ("bread", "rain", "wood", "light", "salt", "wool", "clay", "sand")


def make_tree(tree: Path, ladder: Path) -> None:
    """A folder with params.yaml, samples, and a base model whose head is tied to its embeddings."""
    import transformers

    base = tree / "base"
    transformers.AutoTokenizer.from_pretrained(ladder / "tiny-2").save_pretrained(base)
    config = transformers.AutoConfig.from_pretrained(ladder / "tiny-2", tie_word_embeddings=True)
    torch.manual_seed(7)
    transformers.LlamaForCausalLM(config).save_pretrained(base)
    rows = [
        {
            "id": f"s{i}",
            "category": "c",
            "question": f"What is {WORDS[i % 8]}?",
            "answer": f"It is {WORDS[i % 8]}, of course, and {WORDS[i % 5] * (i % 6)} too.",
        }
        for i in range(SAMPLES)
    ]
    (tree / "samples.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    params = tiny.tiny_params(ladder, list(tiny.MODELS))
    params["finetune"] |= {"prompt_loss_weight": 0.1, "max_grad_norm": 0.5}
    tiny.write_params(tree, params)


def ask(tree: Path, resources: dict[str, Any], learning_rate: float = 1e-3) -> None:
    """Writes into params.yaml what the training asks of the hardware; nothing of a run before it is left."""
    params = tiny.load(tree / "params.yaml")
    params["models"]["tiny-2"]["finetune"] = {
        "learning_rate": learning_rate, "epochs": EPOCHS, "global_batch_size": BATCH
    }
    tiny.write_params(tree, params | {"resources": {"finetune": {"default": resources}}})
    for name in ("made", "read", "pids"):
        shutil.rmtree(tree / name, ignore_errors=True)
    (tree / "output").unlink(missing_ok=True)


def start(tree: Path, prepare: warm_ranks.Prepare) -> Any:
    """Starts the stage."""
    return warm_ranks.start(COMMAND, tree, tree / "output", prepare)


def prepared(rank: int) -> None:
    """A rank that computes in fp32, says its process id, and writes down what it reads."""
    from tasks.training import trainer

    torch.cpu.get_capabilities = lambda: {}  # type: ignore[method-assign, assignment]
    for name in ("pids", "read"):
        Path(name).mkdir(exist_ok=True)
    Path("pids", str(os.getpid())).touch()
    collate = trainer.collate

    def recording(rows: Any, pad: int) -> Any:
        ids = [hash(tuple(row["input_ids"])) for row in rows if row]
        with Path("read", str(rank)).open("a") as file:
            file.write(json.dumps(ids) + "\n")
        return collate(rows, pad)

    trainer.collate = recording


@dataclass(frozen=True)
class Trained:
    """What a run left: its weights, its log by column, the rows of each step, and what it printed."""

    weights: dict[str, torch.Tensor]
    log: dict[str, list[float]]
    steps: list[list[int]]
    files: set[str]
    output: str


def train(tree: Path, resources: dict[str, Any], learning_rate: float = 1e-3) -> Trained:
    """Runs the stage to its end."""
    from safetensors.torch import load_file

    ask(tree, resources, learning_rate)
    stage = start(tree, prepared)
    stage.join(300)
    output = (tree / "output").read_text()
    assert stage.exitcode == 0, output
    with (tree / "made" / "log.csv").open() as file:
        rows = list(csv.DictReader(file))
    log = {name: [float(row[name]) for row in rows] for name in rows[0]}
    model = tree / "made" / "model"
    files = {path.name for path in model.iterdir()}
    return Trained(load_file(model / "model.safetensors"), log, steps_read(tree), files, output)


def steps_read(tree: Path) -> list[list[int]]:
    """The rows of each step, of all ranks together."""
    ranks = [
        [json.loads(line) for line in path.read_text().splitlines()] for path in sorted((tree / "read").iterdir())
    ]
    in_turn = [micro for turn in zip(*ranks, strict=True) for micro in turn]
    size = len(in_turn) // STEPS
    return [sorted(itertools.chain(*in_turn[at : at + size])) for at in range(0, len(in_turn), size)]
