"""Weights kept in bf16 for inference give the numbers that casting them at each step gives."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import torch
from lm_eval.api.instance import Instance
from transformers.pytorch_utils import Conv1D

from tasks.adherence import score
from tasks.harness.evaluation import Harness
from tasks.inputs.dataset import AnswerPair, Prompt
from tasks.lm import models
from tasks.lm.engines.transformers import sample
from tasks.lm.models import OpenedModel, open_model
from tasks.lm.prompting import Encoder
from tasks.lm.sampling import EncodedPrompt
from tasks.settings.generate import Generate, SamplesPerPrompt
from tasks.settings.prompting import Prompting
from tests.fixtures import families

PROMPTING = Prompting(chat=True, template="Question: {question}\nAnswer:", date="2026-01-01", stop=())
CONFIG = Generate(SamplesPerPrompt(3, 1), 1.0, 0.9, max_new_tokens=12, batch_size=5, seed=1)
PAIRS = (AnswerPair("It is.", "It is not."),)
PROMPTS = [Prompt(f"p{i}", "c", "test", text, PAIRS) for i, text in enumerate(("Who?", "What? " * 9))]
TEXTS = [("The sky is", " blue"), ("One and one are", " two and no more")]


@dataclass(frozen=True)
class Pair:
    """One model, opened as stages open it where bf16 is computed, and with weights that are cast at each step."""

    kept: OpenedModel
    cast: OpenedModel


@pytest.fixture(scope="module", params=families.FAMILIES)
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    folder = tmp_path_factory.mktemp("precision") / request.param
    families.make_model(folder, request.param)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True})
        kept = open_model(folder)
        with patch.context() as other:
            other.setattr(models, "keep_in_bf16", lambda _: None)
            cast = open_model(folder)
        yield Pair(kept, cast)


def test_only_the_weights_of_linear_layers_are_kept_in_bf16(pair: Pair) -> None:
    """A tied head is a copy: the embedding, which autocast never casts, stays as it is."""
    linear = {
        f"{name}.weight"
        for name, module in pair.kept.model.named_modules()
        if isinstance(module, torch.nn.Linear | Conv1D)
    }
    kept = dict(pair.kept.model.named_parameters())
    assert {name for name, weight in kept.items() if weight.dtype == torch.bfloat16} == linear
    assert {weight.dtype for name, weight in kept.items() if name not in linear} == {torch.float32}
    head = pair.kept.model.get_output_embeddings()
    assert head.weight.dtype == torch.bfloat16
    embedding = pair.kept.model.get_input_embeddings().weight
    assert torch.equal(embedding, pair.cast.model.get_input_embeddings().weight)
    assert {weight.dtype for weight in pair.cast.model.parameters()} == {torch.float32}


def test_a_layer_of_another_class_which_may_compute_in_fp32_stays_as_it_is() -> None:
    class Router(torch.nn.Linear):
        def forward(self, hidden: torch.Tensor) -> torch.Tensor:
            with torch.autocast("cpu", enabled=False):
                return torch.nn.functional.linear(hidden.float(), self.weight)

    layers = torch.nn.Sequential(torch.nn.Linear(4, 4, bias=False), Router(4, 4, bias=False))
    models.keep_in_bf16(layers)
    assert [layer.weight.dtype for layer in layers] == [torch.bfloat16, torch.float32]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert layers(torch.ones(1, 4)).dtype == torch.float32


def test_tokens_scores_and_the_harness_s_likelihoods_are_equal(pair: Pair) -> None:
    encoder = Encoder(pair.kept.tokenizer, PROMPTING)
    prompts = [EncodedPrompt(encoder.question(each.prompt), [f"{each.id}/{i}" for i in range(4)]) for each in PROMPTS]
    drawn = sample(pair.kept, prompts, CONFIG, "test")
    assert drawn == sample(pair.cast, prompts, CONFIG, "test")
    assert len({tuple(ids) for rows in drawn for ids in rows}) == 8
    assert score(pair.kept, PROMPTS, PROMPTING, 4).equals(score(pair.cast, PROMPTS, PROMPTING, 4))
    requests = [Instance("loglikelihood", {}, text, i) for i, text in enumerate(TEXTS)]
    kept, cast = (Harness(opened, 2).loglikelihood(requests) for opened in (pair.kept, pair.cast))
    assert kept == cast
    assert len({value for value, _ in kept}) == 2
