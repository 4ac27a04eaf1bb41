"""LoRA: only adapters are trained, and what is saved is the plain model with what they learned in it."""

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

from tasks import finetune
from tasks.formats.samples import Sample
from tasks.lm.devices import quiet
from tasks.lm.models import load_tokenizer, load_weights
from tasks.runtime.command import Job
from tasks.runtime.errors import InputError, WorkError
from tasks.settings.finetune import Finetune, Lora, ModelFinetune
from tasks.settings.prompting import Prompting
from tasks.settings.resources import FinetuneResources
from tasks.training import lora
from tasks.training.recipe import Recipe
from tasks.training.rows import encode
from tasks.training.trainer import arguments, train
from tests.fixtures import families, tiny

pytestmark = pytest.mark.usefixtures("precision")
PROMPTING = Prompting(chat=True, template="Question: {question}\nAnswer:", date="2026-01-01", stop=("\nQuestion:",))
COMMON = Finetune(prompt_loss_weight=0.01, max_tokens=400, weight_decay=0.0, warmup_fraction=0.0, max_grad_norm=1.0)
ALL = Lora(rank=4, alpha=8.0, dropout=0.1, targets="all-linear")
SAMPLES = [
    Sample(f"s{i}", "c", f"What is {word}?", f"It is {word}, of course, and {word * i} too.")
    for i, word in enumerate(("bread", "rain", "wood", "light", "salt", "wool"), start=1)
]


@pytest.fixture(scope="module", params=["tied", "untied", "gpt2"])
def base(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model with its tokenizer: of Llama's kind with and without a head of its own, and of GPT-2's."""
    quiet()
    folder: Path = tmp_path_factory.mktemp(request.param)
    if request.param == "gpt2":
        families.make_model(folder, "gpt2")
    else:
        tiny.make_model(folder, layers=2)
        config = transformers.AutoConfig.from_pretrained(folder, tie_word_embeddings=request.param == "tied")
        transformers.LlamaForCausalLM(config).save_pretrained(folder)
    return folder


def trained(folder: Path, how: Lora = ALL, learning_rate: float = 1e-2) -> tuple[Any, Any, list[dict[str, float]]]:
    """A model with trained adapters, its rows, and its log."""
    recipe = Recipe(COMMON, ModelFinetune(learning_rate, 1, 2, how), PROMPTING, seed=3)
    tokenizer, model = load_tokenizer(folder), lora.wrap(load_weights(folder), how, recipe.seed)
    rows = encode(SAMPLES, tokenizer, recipe)
    with tempfile.TemporaryDirectory() as scratch:
        args = arguments(recipe, FinetuneResources(2), len(rows), Path(scratch))
        return model, list(rows), train(model, rows, tokenizer.pad_token_id, recipe, args)


def test_gradients_go_to_adapters_alone_and_the_base_stays_as_it_was(base: Path) -> None:
    original = load_weights(base).state_dict()
    model, _, log = trained(base)
    assert len(log) == 3
    assert all(parameter.requires_grad == ("lora_" in name) for name, parameter in model.named_parameters())
    kept = {n.replace(".base_layer", "").removeprefix("base_model.model."): t for n, t in model.state_dict().items()}
    assert all(torch.equal(kept[name], tensor) for name, tensor in original.items())


def test_the_merged_model_is_of_the_bases_class_with_its_tensors(base: Path, tmp_path: Path) -> None:
    model, rows, _ = trained(base)
    ids = torch.tensor([rows[-1]["input_ids"]])
    model.train(False)
    with torch.no_grad():
        adapted = model(input_ids=ids).logits
    plain, original = lora.merged(model, rows), load_weights(base)
    assert type(plain) is type(original)
    assert {name: tensor.dtype for name, tensor in plain.state_dict().items()} == {
        name: tensor.dtype for name, tensor in original.state_dict().items()
    }
    with torch.no_grad():
        assert (plain(input_ids=ids).logits - adapted).abs().max() < lora.TOLERANCE * adapted.abs().max()
        assert (original(input_ids=ids).logits - adapted).abs().max() > 1e-2
    plain.save_pretrained(tmp_path / "lora")
    original.save_pretrained(tmp_path / "full")
    assert {p.name for p in (tmp_path / "lora").iterdir()} == {p.name for p in (tmp_path / "full").iterdir()}
    saved = load_weights(tmp_path / "lora")
    tied = saved.get_output_embeddings().weight is saved.get_input_embeddings().weight
    assert tied == saved.config.tie_word_embeddings
    with torch.no_grad():
        assert torch.equal(saved(input_ids=ids).logits, plain(input_ids=ids).logits)


@pytest.mark.parametrize("base", ["tied"], indirect=True)
def test_adapters_that_learned_nothing_are_refused(base: Path) -> None:
    model = lora.wrap(load_weights(base), ALL, seed=1)
    with pytest.raises(InputError, match=r"^the adapters changed nothing and no model is kept; raise models\."):
        lora.merged(model, [{"input_ids": [5, 6, 7]}])


@pytest.mark.parametrize("base", ["tied"], indirect=True)
def test_a_merge_that_is_not_what_was_trained_is_refused(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model, rows, _ = trained(base)
    monkeypatch.setattr(type(model.base_model), "merge_and_unload", lambda self: self.unload())  # the adapters get lost
    with pytest.raises(WorkError, match=r"^the merged model's logits differ from the adapters' by \S+, more than \S+$"):
        lora.merged(model, rows)


@pytest.mark.parametrize("base", ["tied"], indirect=True)
def test_weights_that_are_no_numbers_are_refused_as_of_a_full_fine_tuning(base: Path) -> None:
    model = lora.wrap(load_weights(base), ALL, seed=1)
    next(p for p in model.parameters() if p.requires_grad).data.fill_(float("nan"))
    with pytest.raises(InputError, match="training diverged"):
        lora.merged(model, [{"input_ids": [5, 6, 7]}])


@pytest.mark.parametrize(
    ("base", "targets", "message"),
    [
        ("tied", ("q_proj", "lm_head"), r"lora\.targets: lm_head: this model's head is its embedding"),
        ("tied", ("embed_tokens",), r"lora\.targets: embed_tokens: this model's head is its embedding"),
        ("untied", ("nothing_proj",), r"lora\.targets: .*nothing_proj.* not found"),
    ],
    indirect=["base"],
)
def test_targets_that_cannot_be_are_one_line(base: Path, targets: tuple[str, ...], message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        lora.wrap(load_weights(base), Lora(4, 8.0, 0.0, targets), seed=1)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("base", ["untied"], indirect=True)
def test_named_targets_alone_get_adapters(base: Path) -> None:
    model = lora.wrap(load_weights(base), Lora(4, 8.0, 0.0, ("q_proj", "lm_head")), seed=1)
    names = {name.split(".lora_")[0].rpartition(".")[2] for name, p in model.named_parameters() if p.requires_grad}
    assert names == {"q_proj", "lm_head"}


def test_what_lora_cannot_do_is_said_before_a_model_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    lora.require_possible(FinetuneResources(1, 2, zero=2))
    with pytest.raises(InputError, match="asks for zero: 3, which lora does not go with"):
        lora.require_possible(FinetuneResources(1, 2, zero=3))
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(InputError) as caught:
        lora.require_possible(FinetuneResources(1))
    assert str(caught.value) == "models.<model>.finetune 'lora' needs the package 'peft': pip install peft"


def test_the_stage_saves_the_same_files_and_the_same_bytes_twice(ladder: Path, tmp_path: Path) -> None:
    """The command itself: files as of full fine-tuning, weights that differ from base, and the same ones again."""
    params = tiny.tiny_params(ladder, list(tiny.MODELS))
    recipe = params["models"]["tiny-2"]["finetune"]
    rows = [{"id": s.id, "category": s.category, "question": s.question, "answer": s.answer} for s in SAMPLES]
    (tmp_path / "samples.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))

    def run(name: str, method: dict[str, Any] | None) -> dict[str, bytes]:
        params["models"]["tiny-2"]["finetune"] = recipe | ({"lora": method} if method else {})
        paths = {"base": ladder / "tiny-2", "samples": tmp_path / "samples.jsonl",
                 "checkpoint": tmp_path / name, "log": tmp_path / f"{name}.csv"}
        finetune.main(Job(finetune.COMMAND, paths, {"model": "tiny-2", "arm": "values"}, params))
        return {path.name: path.read_bytes() for path in (tmp_path / name).iterdir()}

    method = {"rank": 4, "alpha": 8.0, "dropout": 0.05, "targets": "all-linear"}
    first, second, full = run("first", method), run("second", method), run("full", None)
    assert first == second
    assert first.keys() == full.keys()
    assert len(first["model.safetensors"]) == len(full["model.safetensors"])
    assert first["config.json"] == full["config.json"]
    base = (ladder / "tiny-2" / "model.safetensors").read_bytes()
    assert base != first["model.safetensors"] != full["model.safetensors"]

