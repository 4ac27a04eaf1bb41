"""However many processes share a step, and however DeepSpeed cuts the model up: the same weights, log and order."""

import csv
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from tests.fixtures import tiny
from tests.support import warm_ranks

BATCH, SAMPLES, EPOCHS = 4, 13, 2  # the last step of an epoch holds one sample
STEPS = EPOCHS * 4
WAYS: dict[str, dict[str, Any]] = {
    "one process": {"micro_batch_size": 4},
    "accumulation": {"micro_batch_size": 1},
    "two processes": {"micro_batch_size": 2, "processes": 2},
    "two processes and accumulation": {"micro_batch_size": 1, "processes": 2},
    "zero 1": {"micro_batch_size": 2, "processes": 2, "zero": 1},
    "zero 2": {"micro_batch_size": 1, "processes": 2, "zero": 2},
    "zero 3": {"micro_batch_size": 1, "processes": 2, "zero": 3},
    "zero 3, all offloaded": {"micro_batch_size": 2, "processes": 2, "zero": 3, "offload": "all"},
    "zero 2 with one process": {"micro_batch_size": 2, "zero": 2, "offload": "optimizer"},
}


def make_tree(tree: Path, ladder: Path, learning_rate: float = 1e-3, tied: bool = True) -> None:
    """A folder with params.yaml, a base model and samples."""
    import transformers

    base = tree / "base"
    transformers.AutoTokenizer.from_pretrained(ladder / "tiny-2").save_pretrained(base)
    config = transformers.AutoConfig.from_pretrained(ladder / "tiny-2", tie_word_embeddings=tied)
    torch.manual_seed(7)
    transformers.LlamaForCausalLM(config).save_pretrained(base)
    words = "bread rain wood light salt wool clay sand".split()
    rows = [
        {"id": f"s{i}", "category": "c", "question": f"What is {words[i % 8]}?",
         "answer": f"It is {words[i % 8]}, of course, and {words[i % 5] * (i % 6)} too."}
        for i in range(SAMPLES)
    ]
    (tree / "samples.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    params = tiny.tiny_params(ladder, list(tiny.MODELS))
    params["models"]["tiny-2"]["finetune"] |= {
        "learning_rate": learning_rate, "epochs": EPOCHS, "global_batch_size": BATCH
    }
    params["finetune"] |= {"prompt_loss_weight": 0.1, "max_grad_norm": 0.5}
    tiny.write_params(tree, params)


def set_resources(tree: Path, resources: dict[str, Any]) -> None:
    params = tiny.load(tree / "params.yaml")
    tiny.write_params(tree, params | {"resources": {"finetune": {"default": resources}}})


def command(tree: Path) -> list[str]:
    paths = {"base": "base", "samples": "samples.jsonl", "checkpoint": "made/model", "log": "made/log.csv"}
    flags = [word for flag, path in paths.items() for word in (f"--{flag}", path)]
    return ["finetune", "--model", "tiny-2", "--arm", "values", *flags]


def fp32(_rank: int) -> None:
    torch.cpu.get_capabilities = lambda: {}
