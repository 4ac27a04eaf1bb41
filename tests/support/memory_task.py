"""A capability task that a tiny model can learn: numbers, each with the letter that belongs to its last digit."""

import json
from pathlib import Path
from typing import Any

import yaml

LETTERS = "ABCD"
ITEMS: list[dict[str, Any]] = [
    {"id": f"m{n}", "question": " ".join(str(n)), "choices": list(LETTERS), "answer": n % 10 % 4}
    for n in range(100, 200)
]


def write_task(folder: Path, items: list[Any] = ITEMS, **changed: Any) -> Path:
    """A task file and its items in `folder`; `changed` replaces keys of the task, None takes them away."""
    data = folder / "memory.jsonl"
    data.write_text("\n".join(item if isinstance(item, str) else json.dumps(item) for item in items), "utf-8")
    task = {
        "task": "memory",
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": str(data)}},
        "test_split": "test",
        "output_type": "multiple_choice",
        "doc_to_text": "{{question}} =",
        "doc_to_choice": "choices",
        "doc_to_target": "answer",
        "metric_list": [{"metric": "acc", "aggregation": "mean", "higher_is_better": True}],
        "metadata": {"version": 1},
    }
    content = {key: value for key, value in (task | changed).items() if value is not None}
    path = folder / "memory.yaml"
    path.write_text(yaml.safe_dump(content), "utf-8")
    return path
