"""Items are read as the files hold them when a stage starts, and every text as it was written."""

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.harness.evaluation import load_tasks
from tasks.harness.task_files import check_task_file, read_items, read_task_files
from tasks.runtime.errors import InputError
from tests.support.memory_task import ITEMS, write_task


def docs(folder: Path) -> list[dict[str, Any]]:
    check_task_file(read_task_files(folder)["memory"])
    return list(load_tasks(["memory"], folder, ["memory"])["memory"].test_docs())


def swap(path: Path, old: str, new: str) -> None:
    """Other content of the same size, with the same time of change, as an archive or `cp -p` leaves it."""
    stat = path.stat()
    path.write_text(path.read_text("utf-8").replace(old, new), "utf-8")
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert path.stat().st_size == stat.st_size


@pytest.mark.parametrize("suffix", ["jsonl", "json", "csv", "*"])
def test_items_that_change_without_their_time_are_the_new_ones(tmp_path: Path, suffix: str) -> None:
    rows = [{"id": item["id"], "question": item["question"], "choices": "A", "answer": 0} for item in ITEMS[:3]]
    path = tmp_path / f"items.{suffix.replace('*', 'jsonl')}"
    lines = [",".join(rows[0]), *(",".join(map(str, row.values())) for row in rows)]
    path.write_text("\n".join(lines if suffix == "csv" else map(json.dumps, rows)), "utf-8")
    files = {"test": str(tmp_path / f"items.{suffix}")}
    changes = {"dataset_path": "csv" if suffix == "csv" else "json", "dataset_kwargs": {"data_files": files}}
    write_task(tmp_path, **changes, doc_to_choice=["x"], doc_to_target="answer")
    assert docs(tmp_path)[0]["question"] == "1 0 0"
    swap(path, "1 0 0", "9 9 9")
    assert docs(tmp_path)[0]["question"] == "9 9 9"


def test_a_function_that_changes_without_its_time_is_the_new_one(tmp_path: Path) -> None:
    path = write_task(tmp_path, doc_to_text="FUNCTION")
    path.write_text(path.read_text("utf-8").replace("FUNCTION", "!function utils.text"), "utf-8")
    (tmp_path / "utils.py").write_text("def text(doc):\n    return 'one'\n", "utf-8")
    for text in ("one", "two"):
        task = load_tasks(["memory"], tmp_path, ["memory"])["memory"]
        assert task.doc_to_text(task.test_docs()[0]) == text
        swap(tmp_path / "utils.py", "one", "two")
        del sys.modules[str((tmp_path / "utils").resolve())]  # the next stage is another process
    assert not (tmp_path / "__pycache__").exists()


@pytest.mark.parametrize(
    ("raw", "texts"),
    [
        ("\ufeff{}\n{}\n", ["a", "b"]),
        ("{}\n{}\n\n", ["a", "b"]),
        ("\n{}\n  \n{}", ["a", "b"]),
        ("{}\r\n{}\r\n", ["a", "b"]),
        ("{}\n{}\n", ["one\u2028two", "one\u2029two\u0085three"]),
        ("{}\n{}\n", ["2026-01-31", "2026-01-31 10:00:00"]),  # which `datasets` would make times
        ("{}\n{}\n", ["1", "no"]),
        ("{}\n{}\n", ["\x1f\x0b\x0c", " a \ufeff"]),
    ],
)
@pytest.mark.parametrize("escaped", [True, False])
def test_texts_of_items_are_read_as_they_stand(tmp_path: Path, raw: str, texts: list[str], escaped: bool) -> None:
    lines = [json.dumps(ITEMS[n] | {"question": text}, ensure_ascii=escaped) for n, text in enumerate(texts)]
    write_task(tmp_path)
    (tmp_path / "memory.jsonl").write_bytes(raw.format(*lines).encode())
    assert [doc["question"] for doc in docs(tmp_path)] == texts


@settings(max_examples=300, deadline=None)
@given(st.lists(st.text(), min_size=1), st.booleans(), st.sampled_from(["\n", "\r\n", "\n\n", "\n \t\n"]))
def test_any_text_of_an_item_is_read_whole(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str], escaped: bool, ending: str
) -> None:
    texts = [text.encode("utf-8", "replace").decode() for text in texts]
    path = tmp_path_factory.getbasetemp() / "any.jsonl"
    path.write_bytes("".join(json.dumps({"a": text}, ensure_ascii=escaped) + ending for text in texts).encode())
    assert [item["a"] for _, item in read_items(path)] == texts


def test_fields_that_only_later_items_have_are_kept(tmp_path: Path) -> None:
    write_task(tmp_path, [ITEMS[0], ITEMS[1] | {"cluster": "c"}])
    assert [doc["cluster"] for doc in docs(tmp_path)] == [None, "c"]


def test_a_folder_with_signs_of_a_pattern_in_its_name(tmp_path: Path) -> None:
    folder = tmp_path / "a [1] %41 #b"
    folder.mkdir()
    write_task(folder)
    assert len(docs(folder)) == len(ITEMS)


def test_items_outside_the_folder_that_dvc_watches_are_refused(tmp_path: Path) -> None:
    for name in ("tasks", "other"):
        (tmp_path / name).mkdir()
        write_task(tmp_path / name)
    (tmp_path / "tasks" / "memory.yaml").unlink()
    (tmp_path / "other" / "memory.yaml").rename(tmp_path / "tasks" / "memory.yaml")
    with pytest.raises(InputError, match=r"other/memory\.jsonl: lies outside .*/tasks, the folder that DVC watches"):
        docs(tmp_path / "tasks")
