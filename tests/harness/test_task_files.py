"""Mistakes in task files and their items end in one line that names them."""

from pathlib import Path
from typing import Any

import pytest

from tasks.harness.task_files import REQUIRED, check_task_file, read_task_files
from tasks.runtime.errors import InputError
from tests.support.memory_task import write_task

ITEM = {"id": "a", "question": "?", "choices": ["x", "y"], "answer": 1}


def check(folder: Path) -> None:
    check_task_file(read_task_files(folder)["memory"])


@pytest.mark.parametrize("key", [*REQUIRED, "doc_to_choice", "test_split", "dataset_kwargs"])
def test_a_task_file_with_a_missing_key(tmp_path: Path, key: str) -> None:
    path = write_task(tmp_path, **{key: None})
    with pytest.raises(InputError, match=rf"memory\.yaml: missing key '{key}") as caught:
        check(tmp_path)
    assert str(caught.value).startswith(str(path))


@pytest.mark.parametrize(
    ("items", "message"),
    [
        ([{k: v for k, v in ITEM.items() if k != "question"}], "line 1: missing field 'question', which doc_to_text"),
        ([{k: v for k, v in ITEM.items() if k != "choices"}], "line 1: missing field 'choices', which doc_to_choice"),
        ([ITEM, ITEM], "line 2: the id 'a' was already used"),
        ([ITEM | {"answer": 2}], "line 1: answer 2: there are choices 0 to 1"),
        (["{"], "line 1: not valid JSON"),
        (["3"], "line 1: expected an item's keys"),
        ([], "no items"),
    ],
)
def test_items_with_a_mistake(tmp_path: Path, items: list[Any], message: str) -> None:
    write_task(tmp_path, items)
    with pytest.raises(InputError, match=message):
        check(tmp_path)


@pytest.mark.parametrize(
    ("text", "message"), [("task: [", "not valid YAML"), ("- a", "expected the keys"), ("a: 1", "missing key 'task'")]
)
def test_files_that_the_harness_would_skip_silently(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "x.yaml").write_text(text, "utf-8")
    with pytest.raises(InputError, match=message):
        read_task_files(tmp_path)


def test_functions_groups_and_fragments_are_left_to_the_harness(tmp_path: Path) -> None:
    path = write_task(tmp_path, doc_to_text="!function utils.text")
    path.write_text(path.read_text("utf-8").replace("'!function utils.text'", "!function utils.text"), "utf-8")
    (tmp_path / "_part.yaml").write_text("output_type: multiple_choice", "utf-8")
    (tmp_path / "all.yaml").write_text("{group: everything, task: [memory]}", "utf-8")
    check(tmp_path)


def test_a_folder_or_a_data_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        read_task_files(tmp_path / "gone")
    write_task(tmp_path)
    (tmp_path / "memory.jsonl").unlink()
    with pytest.raises(InputError, match=r"its data file .*memory\.jsonl does not exist"):
        check(tmp_path)
