"""Mistakes in task files and their items end in one line that names them."""

import json
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
        (["", json.dumps(ITEM), "", "{"], "line 4: not valid JSON"),
        (['{"id": "a", "question": "one", "question": "two"}'], "line 1: the key 'question' stands here twice"),
        ([" ", ""], "no items"),
        ([], "no items"),
    ],
)
def test_items_with_a_mistake(tmp_path: Path, items: list[Any], message: str) -> None:
    write_task(tmp_path, items)
    with pytest.raises(InputError, match=message):
        check(tmp_path)


TEXT_KEYS = ["description", "doc_to_text", "doc_to_target", "doc_to_choice", "fewshot_delimiter", "target_delimiter"]


@pytest.mark.parametrize("key", TEXT_KEYS)
@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("the #1 priority", "is without '#1 priority', a comment to YAML; if that is text, put all of it in quotes or"),
        (">- # 1\n  a text", "is without '# 1', a comment to YAML"),
        ("\n  a text\n  #MeToo", "is without '#MeToo', a comment to YAML"),
        ("\n- a text\n- the #1 priority", "is without '#1 priority', a comment to YAML"),
        ("[yes, maybe]", "is 'yes', which YAML reads as True; put it in quotes"),
        ("[010, 012]", "is '010', which YAML reads as 8; put it in quotes"),
        ("12:30", "is '12:30', which YAML reads as 750; put it in quotes"),
        ("1.50", "is '1.50', which YAML reads as 1.5; put it in quotes"),
        ("a text\u2028#1 priority", r"U\+2028 ends a line of YAML; write"),
    ],
)
def test_a_text_that_yaml_would_change_is_named(tmp_path: Path, key: str, written: str, message: str) -> None:
    (tmp_path / "a.yaml").write_text(f"{key}: {written}\ntask: a\n", "utf-8")
    with pytest.raises(InputError, match=rf"a\.yaml: line \d: .*{message}") as caught:
        read_task_files(tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("fewshot_config: {samples: [{question: 12:30, answer: a}]}", "question is '12:30', which YAML reads as 750"),
        ("fewshot_config:\n  samples:\n    - question: a #1 priority", "question is without '#1 priority'"),
        ("generation_kwargs: {until: [no]}", "a list's item is 'no', which YAML reads as False"),
        ("description: a\ndescription: b", "line 2: description stands here twice"),
        ("metadata: {version: 1, version: 2}", "line 1: version stands here twice"),
    ],
)
def test_a_text_that_yaml_would_change_is_named_wherever_it_stands(tmp_path: Path, written: str, message: str) -> None:
    (tmp_path / "a.yaml").write_text(f"{written}\ntask: a\n", "utf-8")
    with pytest.raises(InputError, match=message):
        read_task_files(tmp_path)


def test_what_yaml_does_not_change_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    for text in (
        "doc_to_target: 3",
        "doc_to_choice: ['yes', \"no\", true, 1, 1.5, -2, a#b, '#1']  # all of them",
        "doc_to_text: >-\n  the #1 priority\n# of this task",
        "fewshot_config: {samples: [{answer: true, date: 2026-01-31, nothing: null}]}",
        "higher_is_better: yes  # as lm-evaluation-harness writes it",
        "output_type: multiple_choice  # a word\nnum_fewshot: 010",
        "a: &a [1]\nb: [*a, *a]\nmetadata: {<<: {version: 1}, version: 2}",
    ):
        path.write_text(f"\ufeff{text}\ntask: a\n", "utf-8")
        assert [*read_task_files(tmp_path)] == ["a"]


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
