"""Training and generation of a model of a billion parameters on one GPU of 80 GB or more.

`python -m tests.benchmarks.bench_gpu [--rounds 2] [--quick]`: a Llama of 1.2 billion random parameters, which train
and draw as fast as real ones. Training: the stage `finetune`, every weight, with ZeRO-2 and ZeRO-3 on the one GPU, in
steps of 16 samples of 1,000 tokens; tokens a second of what 100 further steps take, so without start and saving; MFU,
the share of the GPU's bf16 peak that the model's own products are; and the highest memory in use. Generation: the
stage `generate`, batches through `model.generate`, and vLLM where it is installed, as `bench_generation` measures
them. Some twelve minutes on an H100 (an estimate), 25 GB of disk. Without a GPU only `--quick`, with a tiny model.
"""

import importlib.util
import json
import math
import os
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from tasks.runtime import config
from tests.benchmarks import bench_generation, side_by_side
from tests.benchmarks.bench_generation import GENERATE, OURS, Task
from tests.benchmarks.side_by_side import ROOT, Clock, Work, spread

VLLM = "vLLM"
# bf16 products a second without sparsity, from the makers' data sheets
PEAKS = {"H100 PCIe": 756e12, "H100": 989e12, "H200": 989e12, "A100": 312e12, "B200": 2250e12}
CHAT = "{% for turn in messages %}{{ turn.role }}: {{ turn.content }}\n{% endfor %}assistant:"


@dataclass(frozen=True)
class Size:
    """A Llama's shape, and the work to measure it by."""

    hidden: int
    inner: int
    layers: int
    heads: int
    key_value_heads: int
    vocabulary: int
    length: int  # tokens of a sample
    batch: int  # samples a step
    micro_batch: int
    steps: tuple[int, int]  # of the two runs whose difference counts
    prompts: int
    samples: int  # completions of each prompt
    new_tokens: int
    rows: int  # completions drawn at once

    @property
    def products(self) -> int:
        """Weights that each token is multiplied with: all but the embedding, which is looked up."""
        narrow = self.hidden * self.key_value_heads // self.heads
        layer = 2 * self.hidden**2 + 2 * self.hidden * narrow + 3 * self.hidden * self.inner
        return self.layers * layer + self.vocabulary * self.hidden

    @property
    def training_flops(self) -> int:
        """Floating-point operations a token, forward and backward: 6 N + 12 layers × width × length (Chowdhery et al.
        2022, PaLM, appendix B)."""
        return 6 * self.products + 12 * self.layers * self.hidden * self.length


LARGE = Size(2048, 8192, 16, 32, 8, 49_152, 1000, 16, 8, (10, 110), 64, 16, 128, 512)
TINY = Size(32, 64, 2, 2, 2, 1024, 60, 2, 2, (1, 3), 2, 2, 4, 4)


def mfu(size: Size, rate: float, device: str) -> float | None:
    """Model FLOPs utilisation at `rate` tokens a second; None for a device whose peak is not listed."""
    peak = next((peak for name, peak in PEAKS.items() if name in device), None)
    return None if peak is None else rate * size.training_flops / peak


def make_model(folder: Path, size: Size) -> None:
    """Saves a random Llama of that size, and a small tokenizer trained on the project's texts, with a chat template."""
    import torch
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    from tests.fixtures import tiny

    tiny.make_model(folder, layers=1)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.chat_template, tokenizer.pad_token = CHAT, tokenizer.eos_token
    torch.manual_seed(0)
    ids = {f"{name}_token_id": tokenizer.eos_token_id for name in ("eos", "bos", "pad")}
    shape = LlamaConfig(
        vocab_size=size.vocabulary,
        hidden_size=size.hidden,
        intermediate_size=size.inner,
        num_hidden_layers=size.layers,
        num_attention_heads=size.heads,
        num_key_value_heads=size.key_value_heads,
        max_position_embeddings=2048,
        **ids,
    )
    LlamaForCausalLM(shape).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def write_samples(path: Path, model: Path, size: Size, count: int) -> None:
    """So many samples of random letters with exactly `length` tokens, so that no step holds padding."""
    from tasks.lm.models import load_tokenizer
    from tasks.lm.prompting import Encoder

    encoder = Encoder(load_tokenizer(model), prompting())
    question = "What?"
    letters = random.Random(0)

    def tokens(answer: str) -> int:
        return sum(map(len, encoder.pair(question, answer))) + 1

    rows = []
    for number in range(count):
        # capitals between digits are a token each, whatever the tokenizer has joined
        answer = "".join(letters.choice("QXZJ") + letters.choice("0123456789") for _ in range(size.length))
        while (over := tokens(answer) - size.length) > 0:
            answer = answer[:-over]
        rows.append({"id": f"s{number}", "category": "c", "question": question, "answer": answer})
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")


def prompting() -> Any:
    """The project's own section `prompting`."""
    from tasks.settings.prompting import Prompting

    return config.section(config.read_params(ROOT / "params.yaml"), "prompting", Prompting)


def stage_seconds(argv: list[str], folder: Path) -> float:
    """How long a stage's command takes in a folder, as DVC starts it. Ends the benchmark if it fails."""
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    started = time.perf_counter()
    done = subprocess.run([sys.executable, "-m", "tasks", *argv], cwd=folder, env=env, check=False)
    if done.returncode:
        raise SystemExit(f"error: {argv[0]} failed with exit code {done.returncode}")
    return time.perf_counter() - started


def train(model: Path, size: Size, zero: int, folder: Path) -> float:
    """Tokens a second of the steps that the longer of two runs has more; NaN where these were too short to be seen."""
    params = config.read_params(ROOT / "params.yaml")
    source = next(iter(params["models"].values()))["source"]
    recipe = {"learning_rate": 1e-5, "epochs": 1, "global_batch_size": size.batch}
    params["models"] = {"model": {"source": source, "finetune": recipe}}
    params["sweep"] |= {"models": ["model"]}
    resources = {"micro_batch_size": size.micro_batch} | ({"zero": zero} if zero else {})
    params["resources"]["finetune"] = {"default": resources}
    (folder / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False), "utf-8")
    taken = []
    for steps in size.steps:
        write_samples(folder / "samples.jsonl", model, size, steps * size.batch)
        paths = ["--base", str(model), "--samples", "samples.jsonl", "--checkpoint", "checkpoint", "--log", "log.csv"]
        taken.append(stage_seconds(["finetune", "--model", "model", "--arm", "values", *paths], folder))
    tokens, seconds = (size.steps[1] - size.steps[0]) * size.batch * size.length, taken[1] - taken[0]
    return tokens / seconds if seconds > 0 else math.nan


class MemoryWatch(threading.Thread):
    """The highest memory in use on the first GPU, in bytes, as nvidia-smi tells it five times a second."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.peak, self.done = 0.0, threading.Event()

    def run(self) -> None:
        query = ["nvidia-smi", "--id=0", "--query-gpu=memory.used", "--format=csv,noheader,nounits"]
        while not self.done.wait(0.2):
            answer = subprocess.run(query, capture_output=True, text=True, check=False).stdout.strip()
            if answer.isdigit():
                self.peak = max(self.peak, int(answer) * 2**20)


def training_table(model: Path, size: Size, zeros: tuple[int, ...], rounds: int, device: str) -> str:
    """A Markdown table: a row a ZeRO stage."""
    rates: dict[int, list[float]] = {zero: [] for zero in zeros}
    peaks: dict[int, float] = dict.fromkeys(zeros, 0.0)
    for number, name in side_by_side.alternating([str(zero) for zero in zeros], rounds):
        watch = MemoryWatch()
        if device != "cpu":
            watch.start()
        with tempfile.TemporaryDirectory() as folder:
            rates[int(name)].append(train(model, size, int(name), Path(folder)))
        watch.done.set()
        peaks[int(name)] = max(peaks[int(name)], watch.peak)
        print(f"round {number} of {rounds}: ZeRO-{name} is done", file=sys.stderr, flush=True)
    rows = [["finetune", "tokens/s", "MFU", "peak GPU memory, GB"], ["---", "---:", "---:", "---:"]]
    for zero in zeros:
        share = mfu(size, statistics.median(rates[zero]), device)
        used = f"{peaks[zero] / side_by_side.GIGABYTE:.1f}" if peaks[zero] else "not known"
        rows.append([f"ZeRO-{zero}", spread(rates[zero], 0), "not known" if share is None else f"{share:.0%}", used])
    return side_by_side.markdown(rows)


def vllm(task: Task) -> int:
    """vLLM on the same prompts, one request a completion."""
    from vllm import LLM, SamplingParams

    engine = LLM(model=task.model, dtype="bfloat16")
    texts = bench_generation.questions(task, bench_generation.left_padding(task))
    how = {"temperature": task.temperature, "top_p": task.top_p, "max_tokens": task.max_new_tokens}
    settings = [SamplingParams(seed=at, **how) for at in range(len(texts) * task.samples)]
    answers = engine.generate([text for text in texts for _ in range(task.samples)], settings)
    return sum(len(answer.outputs[0].token_ids) for answer in answers)


def arm(name: str, task: Task) -> Work:
    """What an arm of the generation drew, and in which time."""
    if name != VLLM:
        return bench_generation.arm(name.partition(",")[0], task)
    from vllm import LLM

    clock = Clock()
    with clock.calls(LLM, "generate"):
        tokens = vllm(task)
    return clock.work(tokens, "bf16 weights")


def generation_settings(model: Path, size: Size, device: str) -> dict[str, Task]:
    """What each arm of the generation draws."""
    task = bench_generation.the_task(model, size.prompts)
    task = replace(task, samples=size.samples, max_new_tokens=size.new_tokens, batch=size.rows, own_batch=size.rows)
    precisions = ("fp32",) if device == "cpu" else ("bf16 autocast", "bf16 weights")
    settings = {OURS: task}
    settings |= {f"{GENERATE}, {precision}": replace(task, precision=precision) for precision in precisions}
    return settings | ({VLLM: task} if importlib.util.find_spec("vllm") and device != "cpu" else {})


def main() -> int:
    """Prints a table of the training and one of the generation."""
    arguments = side_by_side.parse("bench_gpu", __doc__ or "", rounds=2)
    if arguments.arm:
        return side_by_side.report(lambda: arm(arguments.arm, Task(**arguments.setting)))
    import torch

    device = torch.cuda.get_device_name(0) if torch.cuda.is_available() else "cpu"
    if device == "cpu" and not arguments.quick:
        print("error: no GPU here; --quick shows on a tiny model whether this runs", file=sys.stderr)
        return 2
    os.environ["CUDA_VISIBLE_DEVICES"] = os.environ.get("CUDA_VISIBLE_DEVICES", "0").split(",")[0]
    size, zeros = (TINY, (0,)) if arguments.quick else (LARGE, (2, 3))
    with tempfile.TemporaryDirectory(prefix="palms-bench-") as folder:
        model = Path(folder) / "model"
        make_model(model, size)
        trained = training_table(model, size, zeros, arguments.rounds, device)
        settings = {name: asdict(task) for name, task in generation_settings(model, size, device).items()}
        drawn = side_by_side.compare("bench_gpu", settings, arguments.rounds, arguments.threads)
    flops = f"{size.training_flops / 1e9:.2f} GFLOP a token"
    print(f"{device}; {size.products / 1e9:.2f} billion weights in products, {flops}; {arguments.rounds} rounds")
    print(side_by_side.machine())
    print(f"{trained}\n\n{side_by_side.table(drawn, OURS)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
