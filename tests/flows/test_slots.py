from pathlib import Path

import pytest

from flows.slots import Slots, find_gpus
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
