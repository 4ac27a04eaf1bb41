"""How the threads of a stage should wait for one another, where it owns its cores and where it shares them.

`python -m tests.benchmarks.bench_threads [--rounds 5] [--steps 4] [--threads 2]`: in each round every way of waiting
trains a random model of SmolLM2's 135 million parameters for a few steps, alone and as two processes at once, each in
processes of its own, since OpenMP reads its variables once. Prints the steps a second of a process, and beside
OpenMP's default, of the same round, the ratio: median, least and greatest over the rounds. To be run on a machine that
does nothing else; `tasks.runtime.launch.WAITING` is chosen by it.
"""

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Mapping

from tasks.runtime import launch

WAYS: dict[str, Mapping[str, str]] = {
    "default": {},
    "PASSIVE": {"OMP_WAIT_POLICY": "PASSIVE"},
    **{f"spin {count}": {"GOMP_SPINCOUNT": str(count)} for count in (100, 1_000, 10_000, 30_000, 100_000)},
}
TOKENS = (4, 128)  # sequences a step, and their length


def train(steps: int, small: bool) -> None:
    """One process: says `ready`, waits for a line, trains, and prints how many steps it made in a second."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.set_num_threads(launch.threads())
    torch.manual_seed(0)
    size = (64, 128, 2, 4, 2, 256) if small else (576, 1536, 30, 9, 3, 49_152)  # the second is SmolLM2-135M
    names = ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads")
    config = LlamaConfig(**dict(zip((*names, "vocab_size"), size, strict=True)), tie_word_embeddings=True)
    model = LlamaForCausalLM(config)
    optimizer = torch.optim.AdamW(model.parameters())
    ids = torch.randint(config.vocab_size, TOKENS)

    def step() -> None:
        model(input_ids=ids, labels=ids).loss.backward()
        optimizer.step()
        optimizer.zero_grad()

    step()  # memory is taken and code is loaded
    print("ready", flush=True)
    sys.stdin.readline()
    started = time.perf_counter()
    for _ in range(steps):
        step()
    print(steps / (time.perf_counter() - started), flush=True)


def rates(way: Mapping[str, str], processes: int, arguments: argparse.Namespace) -> list[float]:
    """Steps a second of each of so many processes that train at once."""
    neutral = {name: value for name, value in os.environ.items() if name not in launch.CHOICES}
    env = {**neutral, "OMP_NUM_THREADS": str(arguments.threads), **way}
    command = [sys.executable, "-m", "tests.benchmarks.bench_threads", "--train", "--steps", str(arguments.steps)]
    command += ["--small"] if arguments.small else []
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    running = [subprocess.Popen(command, env=env, text=True, **pipes) for _ in range(processes)]
    for process in running:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
    for process in running:  # all at once, when all are ready
        assert process.stdin
        process.stdin.write("\n")
        process.stdin.flush()
    return [float(process.communicate()[0]) for process in running]


def main() -> int:
    """Prints a line a way and number of processes."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.bench_threads")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=4, help="optimiser steps of a process and round")
    parser.add_argument("--threads", type=int, default=2, help="of each process")
    parser.add_argument("--small", action="store_true", help="a tiny model: whether this runs, and nothing else")
    parser.add_argument("--train", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.train:
        train(arguments.steps, arguments.small)
        return 0
    results: dict[tuple[str, int], list[float]] = defaultdict(list)
    for number in range(1, arguments.rounds + 1):
        for name in WAYS:
            for processes in (1, 2):
                results[name, processes].append(statistics.mean(rates(WAYS[name], processes, arguments)))
        print(f"round {number} of {arguments.rounds} is done", file=sys.stderr, flush=True)
    print(f"{arguments.threads} threads a process on {launch.cores()} cores; steps a second of a process")
    for (name, processes), values in results.items():
        ratios = [value / default for value, default in zip(values, results["default", processes], strict=True)]
        spread = f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}) of the default"
        where = "alone" if processes == 1 else "two at once"
        print(f"{name:<12} {where:<12} {statistics.median(values):8.3f}   {spread}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
