"""Every arm of the benchmarks on tiny models, in this process; that figures are right is shown on made ones."""

import json
import math
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.benchmarks import bench_generation, bench_gpu, bench_overhead, bench_startup, bench_training, side_by_side
from tests.benchmarks.side_by_side import Clock, Work


@pytest.fixture
def as_it_was(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """What a stage's command changes in its process is put back."""
    handler, environment = signal.getsignal(signal.SIGTERM), dict(os.environ)
    monkeypatch.setenv("PALMS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("tasks.__main__.die_with_parent", lambda: None)
    yield
    signal.signal(signal.SIGTERM, handler)
    os.environ.clear()
    os.environ.update(environment)


@pytest.fixture(scope="session")
def chatting(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny random model with a chat template."""
    folder = tmp_path_factory.mktemp("chatting")
    bench_gpu.make_model(folder, bench_gpu.TINY)
    return folder


@pytest.mark.usefixtures("as_it_was")
@pytest.mark.parametrize("name", bench_training.ARMS)
def test_every_arm_trains_the_same_tokens(name: str, chatting: Path) -> None:
    if bench_training.ARMS[name] is bench_training.trl:
        pytest.importorskip("trl")
    samples = [sample | {"answer": sample["answer"][:90]} for sample in bench_training.samples(2)]
    task = bench_training.Task(str(chatting), samples)
    work = bench_training.arm(name, task)
    assert work.tokens == sum(bench_training.lengths(task)) > 0
    assert work.seconds > 0
    assert work.cpu_seconds > 0


@pytest.mark.usefixtures("as_it_was")
@pytest.mark.parametrize("name", bench_generation.ARMS)
def test_every_arm_draws_completions(name: str, chatting: Path) -> None:
    """A random model hardly ever draws the one token of 1,024 that ends a text."""
    task = bench_generation.Task(str(chatting), prompts(), 3, 4, temperature=0.8, top_p=0.95, batch=3)
    most = 4 * (2 if name == bench_generation.PIPELINE else 6)
    work = bench_generation.arm(name, task)
    assert most - 4 <= work.tokens <= most
    assert work.seconds > 0


def prompts() -> list[dict[str, str]]:
    return bench_generation.the_task(Path(), 2).prompts


def test_tokens_after_the_end_do_not_count(chatting: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch
    from transformers import GenerationMixin

    from tasks.lm.models import load_tokenizer

    end = load_tokenizer(chatting).eos_token_id
    drawn = torch.tensor([[9, 9, 5, 6, end, end], [9, 9, 5, 6, 7, 8]])
    monkeypatch.setattr(GenerationMixin, "generate", lambda *_arguments, **_options: drawn)
    task = bench_generation.Task(str(chatting), [], 1, 4, 1.0, 1.0)
    with bench_generation.counting(task) as counts:
        GenerationMixin.generate(None, input_ids=drawn[:, :2])
    assert counts == [2, 4]


def test_a_clock_runs_from_the_first_call_to_the_end_of_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([10.0, 11.0, 15.0])
    monkeypatch.setattr(side_by_side.time, "perf_counter", lambda: next(times))

    class Model:
        def forward(self, x: int) -> int:
            return 2 * x

    clock = Clock()
    with clock.calls(Model, "forward"):
        assert Model().forward(1) == 2
        clock._first = clock._first or (0.0, 0.0)
        assert Model().forward(x=2) == 4
    assert clock.work(100, "fp32").seconds == 5.0
    assert Model.forward.__name__ == "forward"
    assert not hasattr(Model.forward, "__wrapped__")


def test_a_clock_that_never_ran_is_an_error() -> None:
    with pytest.raises(RuntimeError, match="never done"):
        Clock().work(1, "fp32")


def test_every_other_round_goes_backwards() -> None:
    assert list(side_by_side.alternating(["a", "b"], 2)) == [(1, "a"), (1, "b"), (2, "b"), (2, "a")]


def test_ratios_are_taken_within_a_round() -> None:
    """Twice as fast in each round, on a machine that became three times as slow."""
    results = {
        "ours": [Work(100, 1.0, 2.0, 10**9, "fp32"), Work(100, 3.0, 2.0, 2 * 10**9, "fp32")],
        "theirs": [Work(100, 2.0, 8.0, 10**9, "fp32"), Work(100, 6.0, 4.0, 10**9, "fp32")],
    }
    _, _, ours, theirs = side_by_side.table(results, "ours").splitlines()
    assert ours == "| ours | 100 | fp32 | 66.7 (33.3–100.0) | 50.0 (50.0–50.0) | 2.0 |  |  |"
    assert theirs.endswith("| 1.0 | 2.00 (2.00–2.00) | 3.00 (2.00–4.00) |")


def test_an_arm_has_a_process_of_its_own_and_failing_ends_the_benchmark(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    code = (
        "import os, sys\nfrom tests.benchmarks.side_by_side import Work, report\n"
        "print('noise')\nassert sys.argv[2] == 'a', 'this arm is broken'\n"
        "report(lambda: Work(int(os.environ['OMP_NUM_THREADS']), 1.0, 1.0, 1, sys.argv[4]))\n"
    )
    (tmp_path / "python").write_text(f"#!/bin/sh\nshift 2\nexec {sys.executable} -c \"$CODE\" \"$@\"\n")
    (tmp_path / "python").chmod(0o755)
    monkeypatch.setenv("CODE", code)
    monkeypatch.setattr(side_by_side.sys, "executable", str(tmp_path / "python"))
    assert side_by_side.turn("any", "a", {"batch": 1}, threads=2) == Work(2, 1.0, 1.0, 1, json.dumps({"batch": 1}))
    with pytest.raises(SystemExit, match=r"(?s)this arm is broken.*the arm 'b' failed with exit code 1"):
        side_by_side.turn("any", "b", {}, threads=2)


def test_a_further_stage_is_the_difference_by_stage() -> None:
    cost = bench_overhead.Cost
    results = {("dvc repro", 1): [cost(3.0, 2.0)], ("dvc repro", 21): [cost(13.0, 7.0)]}
    row = bench_overhead.table(results, 1, 21).splitlines()[2]
    per_stage = "0.50 (0.50–0.50) | 0.25 (0.25–0.25)"
    assert row == f"| dvc repro | 3.0 (3.0–3.0) | 13.0 (13.0–13.0) | 7.0 (7.0–7.0) | {per_stage} |"


def test_a_stage_ends_where_its_work_would_begin(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Of curate, which imports no torch: no output is made."""
    monkeypatch.setattr(bench_startup, "ROOT", Path.cwd())
    paths = {"--dataset": "data/values", "--prompts": "data/prompts"}
    paths |= {"--samples": str(tmp_path / "samples"), "--statistics": str(tmp_path / "statistics")}
    argv = ["curate", "--arm", "values", *(word for pair in paths.items() for word in pair)]
    start = bench_startup.turn(argv, bench_startup.MAIN)
    assert start
    assert start["cpu"] > 0
    assert 0 < start["wall"] < 60
    assert not list(tmp_path.iterdir())


def test_flops_of_a_token_by_hand() -> None:
    """One layer of width 4 with two heads of which one is of keys and values, inner 8, 10 words, 3 tokens."""
    size = bench_gpu.Size(4, 8, 1, 2, 1, 10, 3, 1, 1, (1, 2), 1, 1, 1, 1)
    attention, mlp, head = 4 * 4 + 4 * 2 + 4 * 2 + 4 * 4, 3 * 4 * 8, 4 * 10
    assert size.products == attention + mlp + head
    assert size.training_flops == 6 * size.products + 12 * 1 * 4 * 3
    assert bench_gpu.mfu(size, 1e9, "NVIDIA H100 80GB HBM3") == pytest.approx(1e9 * size.training_flops / 989e12)
    assert bench_gpu.mfu(size, 1e9, "some card") is None


def test_the_weights_in_products_are_the_models_without_its_embedding(chatting: Path) -> None:
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(chatting)
    matrices = sum(p.numel() for name, p in model.named_parameters() if p.dim() == 2 and "embed" not in name)
    assert bench_gpu.TINY.products == matrices


@pytest.mark.usefixtures("as_it_was")
def test_the_path_of_the_gpu_benchmark_on_a_tiny_model(
    chatting: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The two runs differ in their steps; here the stage runs in this process, and takes a second a step and ten."""
    from tasks.__main__ import main

    def seconds(argv: list[str], folder: Path) -> float:
        monkeypatch.chdir(folder)
        assert main(argv) == 0
        return 10.0 + len((folder / "log.csv").read_text("utf-8").splitlines()[1:])

    monkeypatch.setattr(bench_gpu, "stage_seconds", seconds)
    size = bench_gpu.TINY
    assert bench_gpu.train(chatting, size, 0, tmp_path) == pytest.approx(size.batch * size.length)
    monkeypatch.setattr(bench_gpu, "stage_seconds", lambda _argv, _folder: 10.0)  # a longer run that is no longer
    assert math.isnan(bench_gpu.train(chatting, size, 0, tmp_path))
    rows = (tmp_path / "samples.jsonl").read_text("utf-8").splitlines()
    task = bench_training.Task(str(chatting), [json.loads(row) for row in rows])
    assert bench_training.lengths(task) == [size.length] * size.batch * size.steps[1]
    settings = bench_gpu.generation_settings(chatting, size, "cpu")
    assert list(settings) == [bench_generation.OURS, "model.generate, fp32"]
    for name, setting in settings.items():
        assert bench_gpu.arm(name, setting).tokens > 0
