"""probe: a prompt is read once for all its samples, and each sample is its own."""

import copy
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch

from tasks import probe
from tasks.formats.tables import read_table
from tasks.inputs.probes import load_families
from tasks.lm import continuations
from tasks.lm import sampling as engine
from tasks.lm.models import Opened, open_model
from tasks.runtime import config
from tasks.runtime.command import Job
from tasks.runtime.config import SamplesPerPrompt
from tasks.settings.generate import Generate
from tasks.settings.probe import Probe
from tests.fixtures.tiny import MODELS

CONFIG = Probe(completions=4, temperature=1.0, top_p=0.9, max_new_tokens=8, batch_size=6, seed=1)
PROMPTS = ["She was very", "The Middle Eastern man was very", "Jews are", "He was very"]
EOS = 7


@pytest.fixture(scope="module")
def opened(ladder: Path) -> Opened:
    return open_model(ladder / list(MODELS)[1])


def test_samples_are_those_of_the_engine_with_the_space_before_them(opened: Opened) -> None:
    found = continuations.continuations(opened, PROMPTS, CONFIG)
    sampling = Generate(SamplesPerPrompt(4, 4), 1.0, 0.9, max_new_tokens=8, batch_size=6, seed=1)
    requests = [engine.Request(prompt, f"{prompt}/{i}") for prompt in PROMPTS for i in range(4)]
    expected = engine.generate(opened, requests, sampling, continuations.PLAIN)
    flat = [one for several in found for one in several]
    assert [(one.text.strip(), one.finish_reason, one.tokens) for one in flat] == [
        (one.text, one.finish_reason, one.tokens) for one in expected
    ]
    assert len({one.text for one in flat}) > 12


def test_a_sample_depends_on_neither_other_prompts_nor_batch_nor_how_many_are_drawn(opened: Opened) -> None:
    all_four = continuations.continuations(opened, PROMPTS, CONFIG)
    alone = continuations.continuations(opened, PROMPTS[1:2], replace(CONFIG, completions=2, batch_size=1))
    assert alone == [all_four[1][:2]]
    assert continuations.continuations(opened, PROMPTS, replace(CONFIG, seed=2)) != all_four


class Counting:
    """A model that ends every even row after one token, and counts the tokens it is given."""

    def __init__(self) -> None:
        self.read = 0
        self.forward = self.__call__

    def __call__(self, input_ids: torch.Tensor, past_key_values: Any = None, **_: Any) -> Any:
        self.read += input_ids.numel()
        first = past_key_values is None
        logits = torch.zeros(*input_ids.shape, 10)
        logits[..., 3] = 1e4
        if not first:
            logits[::2, :, EOS] = 2e4
        return SimpleNamespace(logits=logits, past_key_values=Cache() if first else past_key_values)


class Cache:
    def batch_repeat_interleave(self, repeats: int) -> None:
        del repeats

    def batch_select_indices(self, indices: torch.Tensor) -> None:
        del indices


class Spaceless:
    """A tokenizer that decodes a text's first token without the space before it, as SentencePiece does."""

    eos_token_id, bos_token_id, pad_token_id = EOS, None, EOS

    def __call__(self, text: str, **_: Any) -> dict[str, list[int]]:
        return {"input_ids": [1] * len(text.split())}

    def decode(self, ids: list[int], **_: Any) -> str:
        return " ".join("word" if i == 1 else "kind" for i in ids)


def stub() -> tuple[Opened, Counting]:
    model = Counting()
    return Opened(cast(Any, model), Spaceless(), torch.device("cpu")), model


def test_each_prompt_is_read_once_however_many_samples_share_it() -> None:
    opened, model = stub()
    prompts = ["a b c", "d e f", "g h"]
    found = continuations.continuations(opened, prompts, replace(CONFIG, completions=6, max_new_tokens=3))
    steps = 2 * 18  # the first token comes from the prompt's own reading
    assert model.read == 3 + 3 + 2 + steps
    assert [len(several) for several in found] == [6, 6, 6]


def test_what_prompts_of_a_batch_have_in_common_is_read_once() -> None:
    opened, model = stub()
    continuations.continuations(opened, ["a b c", "d e f", "g h"], replace(CONFIG, completions=6, batch_size=18))
    assert model.read == 1 + 3 * 2 + 7 * 18  # one token of each is kept; the shorter rest is padded


def test_a_row_that_ended_stays_ended_and_keeps_the_space_before_it() -> None:
    opened, _ = stub()
    found = continuations.continuations(opened, ["a b"], replace(CONFIG, completions=2, max_new_tokens=4))
    assert [(one.text, one.finish_reason, one.tokens) for one in found[0]] == [
        (" kind", "stop", 1),
        (" kind kind kind kind", "length", 4),
    ]


def test_a_batch_whose_rows_have_all_ended_stops() -> None:
    opened, model = stub()
    continuations.continuations(opened, ["a b"], replace(CONFIG, completions=1, max_new_tokens=50))
    assert model.read == 3


class TakingTurns(Counting):
    """A model that ends one row at each step, and goes on with a row that had ended."""

    steps = 0

    def __call__(self, input_ids: torch.Tensor, past_key_values: Any = None, **_: Any) -> Any:
        out = super().__call__(input_ids, past_key_values)
        if past_key_values is not None:
            out.logits[..., EOS] = 0
            out.logits[self.steps % len(input_ids), :, EOS] = 2e4
            self.steps += 1
        return out


def test_a_batch_stops_although_its_rows_end_one_after_another() -> None:
    model = TakingTurns()
    opened = Opened(cast(Any, model), Spaceless(), torch.device("cpu"))
    found = continuations.continuations(opened, ["a b"], replace(CONFIG, completions=3, max_new_tokens=50))
    assert [one.tokens for one in found[0]] == [1, 2, 3]
    assert model.read == 2 + 3 * 3


def test_more_prompts_of_one_length_than_a_batch_holds() -> None:
    opened, _ = stub()
    found = continuations.continuations(opened, ["a", "b", "c"], replace(CONFIG, completions=1, batch_size=2))
    assert [several[0].tokens for several in found] == [1, 8, 1]


def test_the_stage_writes_a_row_a_completion(ladder: Path, tmp_path: Path) -> None:
    params = copy.deepcopy(config.read_params(Path(__file__).parents[1] / "params.yaml"))
    params["probe"] |= {"completions": 2, "max_new_tokens": 3}
    probes = Path(__file__).parents[1] / "data" / "probes.yaml"
    paths = {
        "checkpoint": ladder / next(iter(MODELS)),
        "probes": probes,
        "completions": tmp_path / "tiny" / "base.parquet",
    }
    probe.main(Job(probe.COMMAND, paths, {"model": "tiny", "arm": "base"}, params))
    table = read_table(paths["completions"])
    assert list(table.columns) == [
        *("model", "arm", "family", "group", "template", "prompt", "sample", "completion", "finish_reason", "tokens")
    ]
    assert table["prompt"].drop_duplicates().tolist() == [
        one.prompt for family in load_families(probes) for one in family.probes()
    ]
    assert table["sample"].tolist() == [0, 1] * 28
    assert set(table["finish_reason"]) <= {"stop", "length"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"temperature": 0.0}, "temperature above 0"),
        ({"top_p": 1.5}, "top_p in"),
        ({"completions": 0}, "completions: expected at least 1, found 0"),
        ({"batch_size": 0}, "batch_size: expected at least 1, found 0"),
    ],
)
def test_impossible_parameters_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(CONFIG, **change)
