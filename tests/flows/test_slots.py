from pathlib import Path

import pytest
import yaml

from flows.dag import Stage
from flows.slots import Needs, Slots, find_gpus
from tasks.runtime import launch
from tasks.runtime.errors import InputError


def slots(gpus: tuple[str, ...], gpu: int) -> Slots:
    return Slots({"gpu": gpu, "cpu": 4}, gpus, cores=8)


def test_full_means_none_until_one_is_given_back() -> None:
    places = slots((), 1)
    first = places.take("gpu")
    assert first is not None
    assert places.take("gpu") is None
    assert places.take("cpu") is not None
    assert all(places.take("none") for _ in range(50))
    places.give_back(first)
    assert places.take("gpu") == first


def test_every_stage_that_works_has_the_threads_of_a_model_stage() -> None:
    places = slots((), 2)
    assert [places.take(kind).env["OMP_NUM_THREADS"] for kind in ("gpu", "cpu", "none")] == ["4", "4", "1"]


@pytest.mark.parametrize("cores", [1, 2, 3, 16])
def test_a_stage_has_the_same_threads_in_a_sweep_as_by_hand(monkeypatch: pytest.MonkeyPatch, cores: int) -> None:
    """With others the last digits of what it makes would be others: `dvc repro` would not end in the same hashes."""
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(cores)), raising=False)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    places = Slots.of_this_machine({"CUDA_VISIBLE_DEVICES": ""})
    for kind in ("gpu", "cpu"):
        assert places.take(kind).env["OMP_NUM_THREADS"] == str(launch.threads())


@pytest.mark.parametrize(
    ("gpus", "size", "expected"),
    [
        (("0", "1"), 2, ["0", "1"]),
        (("0", "1", "2", "3"), 2, ["0,2", "1,3"]),
        (("0", "1"), 3, ["0", "1", "0"]),
        (("0", "1"), 1, [None]),  # it may use both
        (("5",), 2, [None, None]),
        ((), 2, [None, None]),
    ],
)
def test_each_slot_has_its_share_of_the_gpus(gpus: tuple[str, ...], size: int, expected: list[str | None]) -> None:
    places = slots(gpus, size)
    assert [places.take("gpu").env.get("CUDA_VISIBLE_DEVICES") for _ in range(size)] == expected


@pytest.mark.parametrize(
    ("gpus", "size", "processes", "expected"),
    [
        (("0", "1", "2", "3"), 4, 2, ["0,1", "2,3", None]),
        (("0", "1", "2", "3"), 2, 2, ["0,2,1,3", None]),
        (("0", "1"), 2, 4, ["0,1", None]),  # all there are
        (("0", "1", "2"), 3, 2, ["0,1", None]),
    ],
)
def test_a_stage_of_several_processes_takes_a_place_for_each(
    gpus: tuple[str, ...], size: int, processes: int, expected: list[str | None]
) -> None:
    places = slots(gpus, size)
    taken = [places.take("gpu", processes) for _ in expected]
    assert [slot and slot.env["CUDA_VISIBLE_DEVICES"] for slot in taken] == expected
    for slot in filter(None, taken):
        places.give_back(slot)
    assert [places.take("gpu") is not None for _ in range(size + 1)] == [True] * size + [False]


def test_what_a_launcher_takes_elsewhere_has_places_of_its_own(tmp_path: Path) -> None:
    names = ("fetch@a", "finetune@a-x", "finetune@a-y", "finetune@a-z")
    stages = [Stage(name, name.split("@")[0], cmd=f"python -m tasks {name.split('@')[0]} --model a") for name in names]
    job = {"cpus": 1, "memory_gb": 1, "minutes": 1}
    resources = {
        "finetune": {"default": {"micro_batch_size": 1, "processes": 4, "zero": 3}},
        "launcher": "big",
        "launchers": {"big": {"kind": "slurm", "at_once": 2}},
        "jobs": {"finetune": {"default": job}},
    }
    (tmp_path / "params.yaml").write_text(yaml.safe_dump({"resources": resources}))
    needs = Needs.of(stages, tmp_path)
    assert needs.launched == set(names[1:])
    assert needs.places("fetch@a", "gpu") == ("gpu", 1)
    places = Slots.of_this_machine({"CUDA_VISIBLE_DEVICES": "0,1"}, needs.at_once)
    taken = [places.take(*needs.places(name, "gpu")) for name in names[1:]]
    assert [slot and slot.env for slot in taken] == [{}, {}, None]  # nothing of this machine
    chosen = Slots.of_this_machine({"PALMS_SLOTS": "job=1"}, needs.at_once)
    assert [chosen.take("job") is not None for _ in range(2)] == [True, False]
    quoted = Stage("q", "q", cmd="bash -c 'python -m tasks finetune --model a'")
    assert Needs.of([quoted], tmp_path).launched == set()


def test_fewer_places_than_processes_are_told(tmp_path: Path) -> None:
    made = ("a", "b")
    stages = [Stage(f"finetune@{name}-x", "finetune", cmd=f"python -m tasks finetune --model {name}") for name in made]
    entries = {"default": {"micro_batch_size": 1}, "b": {"micro_batch_size": 1, "processes": 4, "zero": 3}}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump({"resources": {"finetune": entries}}))
    processes = Needs.of(stages, tmp_path).processes
    assert processes == {"finetune@b-x": 4}
    told = "more processes than the 2 gpu slots, of which they take all: finetune@b-x (4)"
    assert slots((), 2).shortage(processes) == told
    assert not slots((), 4).shortage(processes)
    assert Needs.of([Stage("other", "other", cmd="make x")], tmp_path / "nowhere").processes == {}
    entries["b"]["offload"] = "half"
    (tmp_path / "params.yaml").write_text(yaml.safe_dump({"resources": {"finetune": entries}}))
    with pytest.raises(InputError, match=r"resources.finetune.b.offload: expected 'none' or 'optimizer' or 'all'"):
        Needs.of(stages, tmp_path)


def test_sizes_come_from_the_environment() -> None:
    places = Slots.of_this_machine({"PALMS_SLOTS": " gpu=2, cpu=1", "CUDA_VISIBLE_DEVICES": ""})
    assert [places.take("gpu") is not None for _ in range(3)] == [True, True, False]
    assert [places.take("cpu") is not None for _ in range(2)] == [True, False]


@pytest.mark.parametrize(("gpus", "cores", "expected"), [("", 1, 1), ("", 2, 2), ("", 16, 2), ("0,1,2", 2, 3)])
def test_by_default_a_gpu_has_one_stage_and_the_cores_two(
    monkeypatch: pytest.MonkeyPatch, gpus: str, cores: int, expected: int
) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(cores)), raising=False)
    places = Slots.of_this_machine({"CUDA_VISIBLE_DEVICES": gpus})
    taken = [places.take("gpu") for _ in range(expected + 1)]
    assert [slot is not None for slot in taken] == [True] * expected + [False]
    threads = {slot.env["OMP_NUM_THREADS"] for slot in taken if slot}
    assert threads == {str(max(1, cores // expected))}


@pytest.mark.parametrize("text", ["gpu", "gpu=0", "gpu=-1", "gpu=two", "tpu=1", "gpu=1;cpu=2", "gpu=²"])
def test_a_bad_setting_is_named(text: str) -> None:
    with pytest.raises(InputError, match=r"PALMS_SLOTS=.*expected"):
        Slots.of_this_machine({"PALMS_SLOTS": text})


def test_gpus_are_found_without_torch(tmp_path: Path) -> None:
    assert find_gpus({"CUDA_VISIBLE_DEVICES": "1,GPU-ab, -1,3"}) == ("1", "GPU-ab")
    assert find_gpus({"CUDA_VISIBLE_DEVICES": "", "PATH": str(tmp_path)}) == ()
    assert find_gpus({"PATH": str(tmp_path)}) == ()
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho 'GPU 0: A (UUID: GPU-1)'\necho '  MIG 1g (UUID: MIG-2)'\necho 'GPU 1: B'\n")
    tool.chmod(0o755)
    assert find_gpus({"PATH": str(tmp_path)}) == ("0", "1")
    tool.write_text("#!/bin/sh\necho 'GPU access is broken'\nexit 9\n")
    assert find_gpus({"PATH": str(tmp_path)}) == ()
