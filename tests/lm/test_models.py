"""A checkpoint with one thing wrong is refused in one line, by whoever opens it; nothing is made up for it."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from tasks import fetch
from tasks.lm.models import load_tokenizer, load_weights
from tasks.runtime.errors import InputError
from tests.fixtures import families

Tensors = dict[str, torch.Tensor]
QUERY = "model.layers.0.self_attn.q_proj"


def without(*names: str) -> Callable[[Tensors], Tensors]:
    return lambda tensors: {name: tensor for name, tensor in tensors.items() if not name.endswith(names)}


WRONG_TENSORS: dict[str, tuple[Callable[[Tensors], Tensors], str]] = {
    "three missing": (without("0.mlp.up_proj.weight", "q_proj.weight"), "missing: model.layers.0.mlp.up_proj.weight, "),
    "no head": (without("lm_head.weight"), r"missing: lm_head\.weight\)"),
    "all prefixed": (
        lambda tensors: {f"net.{name}": tensor for name, tensor in tensors.items()},
        r"missing: lm_head.weight, .* and \d+ more; not part of the model: net\..* and \d+ more",
    ),
    "a bias too many": (lambda t: t | {f"{QUERY}.bias": torch.ones(32)}, rf"not part of the model: {QUERY}\.bias\)"),
    "another shape": (lambda t: t | {f"{QUERY}.weight": torch.ones(32, 31)}, "read"),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    families.make_model(tmp_path / "mine", "llama2")
    return tmp_path / "mine"


@pytest.mark.parametrize("case", WRONG_TENSORS)
@pytest.mark.parametrize("opening", [load_weights, lambda folder: fetch.load_dense(folder, None)])
def test_weights_that_do_not_fit_the_model_are_refused(
    folder: Path, case: str, opening: Callable[[Path], object]
) -> None:
    change, message = WRONG_TENSORS[case]
    file = folder / "model.safetensors"
    save_file(change(load_file(file)), file, metadata={"format": "pt"})
    with pytest.raises(InputError, match=message) as caught:
        opening(folder)
    assert "\n" not in str(caught.value)


def edit(name: str, **changes: Any) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        content = json.loads((folder / name).read_text())
        (folder / name).write_text(json.dumps(content | changes))

    return change


def not_finite(folder: Path) -> None:
    tensors = load_file(folder / "model.safetensors")
    tensors["model.norm.weight"][3] = torch.nan
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


def larger_tokenizer(folder: Path) -> None:
    tokenizer = load_tokenizer(folder)
    tokenizer.add_tokens(["hyperbole", "antonym"])
    tokenizer.save_pretrained(folder)


def template(text: str) -> Callable[[Path], None]:
    return lambda folder: (folder / "chat_template.jinja").write_text(text) and None


UNUSABLE: dict[str, tuple[Callable[[Path], None], str]] = {
    "64 positions": (edit("config.json", max_position_embeddings=64), "reads 64 tokens at most"),
    "weights that are no numbers": (not_finite, r"model\.norm\.weight holds numbers that are not finite"),
    "a tokenizer with more words": (larger_tokenizer, r"lacks 2 that are used, such as \d+ \(.hyperbole\)"),
    "an end beyond the vocabulary": (edit("generation_config.json", eos_token_id=[2, 99999]), "lacks 1 that are used"),
    "a template that wants a system's turn": (
        template("{% if messages[0].role != 'system' %}{{ raise_exception('no system turn') }}{% endif %}"),
        r"refuses a turn of user \(TemplateError: no system turn\)",
    ),
    "a template that refuses an answer": (
        template("{% if messages[1] %}{{ raise_exception('one turn only') }}{% endif %}{{ messages[0].content }}"),
        r"refuses a turn of user and assistant \(TemplateError: one turn only\)",
    ),
    "a template that draws": (template("{{ range(99) | random }}{{ messages[0].content }}"), "another text each time"),
    "no end of text": (edit("tokenizer_config.json", eos_token=None), "has no end-of-text token"),
}


@pytest.mark.parametrize("case", UNUSABLE)
def test_fetch_tells_once_what_no_stage_could_use(folder: Path, case: str) -> None:
    change, message = UNUSABLE[case]
    change(folder)
    with pytest.raises(InputError, match=message) as caught:
        fetch.load_dense(folder, None)
    assert "\n" not in str(caught.value)


def test_a_padding_token_that_the_model_lacks_is_never_read(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As of the many fine-tuned Llamas whose tokenizer got a `<pad>` and whose embedding did not."""
    tokenizer = load_tokenizer(folder)
    tokenizer.add_special_tokens({"pad_token": "<pad>"})
    tokenizer.save_pretrained(folder)
    _, kept = fetch.load_dense(folder, None)
    kept.save_pretrained(tmp_path / "kept")
    assert load_tokenizer(tmp_path / "kept").pad_token_id == kept.eos_token_id
    assert "lacks the padding token" in capsys.readouterr().err


@pytest.mark.parametrize("family", families.FAMILIES)
def test_a_whole_model_of_every_family_is_taken(tmp_path: Path, family: str) -> None:
    families.make_model(tmp_path / "a", family)
    model, tokenizer = fetch.load_dense(tmp_path / "a", None)
    model.save_pretrained(tmp_path / "b")
    tokenizer.save_pretrained(tmp_path / "b")
    again = load_weights(tmp_path / "b").state_dict()
    assert all(torch.equal(tensor, again[name]) for name, tensor in model.state_dict().items())
    assert load_weights(tmp_path / "b").generation_config.eos_token_id == model.generation_config.eos_token_id


def test_old_buffers_in_a_file_are_no_fault(folder: Path) -> None:
    """Llama's files of 2023 hold the rotary frequencies that are computed today."""
    file = folder / "model.safetensors"
    save_file(load_file(file) | {"model.layers.0.self_attn.rotary_emb.inv_freq": torch.ones(8)}, file, {"format": "pt"})
    load_weights(folder)


def test_a_shard_that_is_not_there_is_one_line(folder: Path) -> None:
    file = folder / "model.safetensors"
    shutil.move(file, folder / "model-00001-of-00002.safetensors")
    index = dict.fromkeys(load_file(folder / "model-00001-of-00002.safetensors"), "model-00001-of-00002.safetensors")
    index["lm_head.weight"] = "model-00002-of-00002.safetensors"
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": index}))
    with pytest.raises(InputError, match=r"model-00002-of-00002\.safetensors") as caught:
        fetch.load_dense(folder, None)
    assert "\n" not in str(caught.value)
