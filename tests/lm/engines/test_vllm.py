"""The engine vllm, over a stand-in with vllm's interface: it was never run with vllm itself."""

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from tasks import generate, probe
from tasks.formats.tables import read_table
from tasks.inputs.dataset import load_prompts
from tasks.lm.engines import engine, vllm
from tasks.lm.models import open_model
from tasks.lm.prompting import Encoder
from tasks.lm.sampling import EncodedPrompt, stream_seed
from tasks.runtime import config
from tasks.runtime.command import Job
from tasks.runtime.errors import InputError, WorkError
from tasks.settings.generate import Generate, SamplesPerPrompt
from tasks.settings.prompting import Prompting
from tests.fixtures import families
from tests.fixtures.tiny import ROOT, small_data
from tests.support import fake_vllm
from tests.support.precision import opened_in_fp32

pytestmark = pytest.mark.usefixtures("precision")
CONFIG = Generate(SamplesPerPrompt(3, 1), 0.01, 0.95, max_new_tokens=8, batch_size=4, seed=1, engine="vllm")
PROMPTING = Prompting(chat=True, template="Question: {question}\nAnswer:", date="2026-01-01", stop=())
QUESTIONS = ("Why?", "What is salt made of, and by whom?", "Who?")


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Of each family a model that is sure of its tokens: vllm's least temperature leaves others no choice."""
    parent = tmp_path_factory.mktemp("families")
    for family in families.FAMILIES:
        families.make_model(parent / family, family)
        model = opened_in_fp32(parent / family).model
        with torch.no_grad():  # of the head alone: larger weights within would make more of rounding
            model.get_output_embeddings().weight.mul_(200)
        model.save_pretrained(parent / family)
    return {family: parent / family for family in families.FAMILIES}


@pytest.fixture(autouse=True)
def _stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "vllm", fake_vllm.module())
    for name in vllm.ENVIRONMENT:
        monkeypatch.setenv(name, "0")


def prompts_of(tokenizer: Any) -> list[EncodedPrompt]:
    encoder = Encoder(tokenizer, PROMPTING)
    return [EncodedPrompt(encoder.question(text), [f"{i}/0", f"{i}/1"]) for i, text in enumerate(QUESTIONS)]


@pytest.mark.parametrize("family", families.FAMILIES)
def test_where_there_is_no_choice_both_engines_draw_the_same_tokens(folders: dict[str, Path], family: str) -> None:
    """And end alike: at each declared end, at a stop string, at the most tokens."""
    drawn, stopped = {}, {}
    for name in ("transformers", "vllm"):
        chosen = engine("generate", name)
        opened = chosen.open_folder(folders[family], 1)
        prompts = prompts_of(opened.tokenizer)
        drawn[name] = chosen.sample(opened, prompts, CONFIG, "generate")
        mark = opened.tokenizer.decode(drawn[name][1][0][1:3])
        stopped[name] = chosen.sample(opened, prompts, CONFIG, "generate", (mark,))
        text = [generate.completion(ids, opened, (mark,)) for ids in stopped[name][1]]
        assert {(each.finish_reason, mark in each.text) for each in text} == {("stop", False)}
        ended = opened.ends | {drawn[name][0][0][2]}
        object.__setattr__(opened, "ends", ended)  # the third token is declared an end
        drawn[f"{name}, ended"] = chosen.sample(opened, prompts, CONFIG, "generate")
    assert drawn["vllm"] == drawn["transformers"]
    assert {len(ids) for rows in drawn["vllm"] for ids in rows} == {CONFIG.max_new_tokens}
    assert stopped["vllm"] == stopped["transformers"]
    assert drawn["vllm, ended"] == drawn["transformers, ended"]
    free = drawn["vllm"][0][0]
    assert drawn["vllm, ended"][0][0] == free[: free.index(free[2]) + 1]
    assert vllm.open_folder(folders[family], 1).ends == open_model(folders[family]).ends


def test_each_completion_is_a_request_with_the_seed_of_its_stream(folders: dict[str, Path]) -> None:
    opened = vllm.open_folder(folders["gemma"], 2)
    hot = replace(CONFIG, temperature=2.0, top_p=1.0)
    rows = vllm.sample(opened, prompts_of(opened.tokenizer), hot, "generate", ("\nQuestion:",))
    [model] = fake_vllm.made
    assert model.invariant
    assert (model.dtype, model.tensor_parallel_size, model.generation_config) == ("bfloat16", 2, "vllm")
    assert model.max_num_seqs == CONFIG.batch_size
    streams = [stream for prompt in prompts_of(opened.tokenizer) for stream in prompt.streams]
    assert [params.seed for params in model.requests] == [stream_seed(1, stream) for stream in streams]
    for params in model.requests:
        assert (params.n, params.temperature, params.top_p, params.top_k) == (1, 2.0, 1.0, 0)
        assert (params.max_tokens, params.stop) == (8, ["\nQuestion:"])
        assert (params.stop_token_ids, params.ignore_eos) == (sorted(opened.ends), True)
    alone = [EncodedPrompt(prompt.ids, prompt.streams[1:]) for prompt in prompts_of(opened.tokenizer)[1:]]
    assert vllm.sample(opened, alone, hot, "generate", ("\nQuestion:",)) == [each[1:] for each in rows[1:]]


def test_what_the_folders_generation_config_says_adds_nothing(folders: dict[str, Path]) -> None:
    """Its ends are declared ends, no more and no fewer, whatever vllm reads there itself."""
    path = folders["gpt2"] / "generation_config.json"
    before = path.read_text("utf-8")
    try:
        path.write_text(json.dumps({"temperature": 1.9, "top_k": 1, "max_new_tokens": 2}), "utf-8")
        opened = vllm.open_folder(folders["gpt2"], 1)
        rows = vllm.sample(opened, prompts_of(opened.tokenizer), CONFIG, "generate")
        assert {len(ids) for each in rows for ids in each} == {CONFIG.max_new_tokens}
        assert opened.ends == open_model(folders["gpt2"]).ends
    finally:
        path.write_text(before, "utf-8")


def job_of(stage: Any, folder: Path, name: str, **paths: Path) -> Job:
    params = config.read_params(ROOT / "params.yaml")
    few = {"max_new_tokens": 4, "temperature": 0.01, "engine": name}
    params |= {"generate": params["generate"] | few, "probe": params["probe"] | few | {"completions": 2}}
    return Job(stage.COMMAND, {"checkpoint": folder, **paths}, {"model": "tiny", "arm": "base"}, params)


def test_the_stages_write_the_same_rows_and_say_which_engine_drew_them(
    folders: dict[str, Path], tmp_path: Path
) -> None:
    small_data(tmp_path / "data")
    prompts, probes = tmp_path / "data" / "prompts", tmp_path / "data" / "probes.yaml"
    samples, completions = {}, {}
    for name in ("transformers", "vllm"):
        out = tmp_path / f"{name}.jsonl"
        generate.main(job_of(generate, folders["llama2"], name, prompts=prompts, samples=out))
        samples[name] = [json.loads(line) for line in out.read_text("utf-8").splitlines()]
        out = tmp_path / f"{name}.parquet"
        probe.main(job_of(probe, folders["llama2"], name, probes=probes, completions=out))
        completions[name] = read_table(out)
        assert {row.pop("engine") for row in samples[name]} == {name}
        assert set(completions[name].pop("engine")) == {name}
    assert samples["vllm"] == samples["transformers"]
    assert len(samples["vllm"]) == len(load_prompts(prompts)) * 2  # three of a test prompt, one of the others
    assert completions["vllm"].equals(completions["transformers"])


def test_without_the_package_one_line_gives_the_pip_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "vllm")
    with pytest.raises(InputError, match=r"^generate\.engine 'vllm' needs the package 'vllm': pip install vllm$"):
        engine("generate", "vllm")
    with pytest.raises(InputError, match=r"probe\.engine: expected one of transformers, vllm, found 'sglang'"):
        engine("probe", "sglang")


def test_what_vllm_cannot_do_is_one_line(folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    opened = vllm.open_folder(folders["llama2"], 1)
    prompts = prompts_of(opened.tokenizer)
    for temperature in (0.005, 2.5):
        with pytest.raises(InputError, match=r"generate\.temperature: the engine vllm takes 0\.01 to 2, found"):
            vllm.sample(opened, prompts, replace(CONFIG, temperature=temperature), "generate")
    long = [EncodedPrompt([5] * families.POSITIONS, ["s"])]
    with pytest.raises(InputError, match="this model reads 1024 at most"):
        vllm.sample(opened, long, CONFIG, "generate")

    def fails(**_: Any) -> None:
        raise RuntimeError("Engine core initialization failed.\nSee root cause above.")

    monkeypatch.setattr(sys.modules["vllm"], "LLM", fails)
    with pytest.raises(WorkError) as caught:
        vllm.sample(opened, prompts, CONFIG, "generate")
    assert "Engine core initialization failed" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_completion_that_was_broken_off_is_no_completion(
    folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fake_vllm.LLM, "_outcome", lambda *_: ("abort", None))
    opened = vllm.open_folder(folders["llama2"], 1)
    with pytest.raises(WorkError, match="ended by 'abort'"):
        vllm.sample(opened, prompts_of(opened.tokenizer), CONFIG, "generate")


