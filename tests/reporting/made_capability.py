"""Made results of the capability stage: what a base and fine-tuned models that lost a planted share would answer."""

import json
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tasks.cells import BASE, Cell
from tasks.harness.items import ITEMS, RESULTS, item_table

RIGHT = {"palms_knowledge": 0.8, "palms_reading": 0.85, "palms_arithmetic": 0.25, "palms_last_word": 0.7}
TASKS = (*RIGHT, "palms_text")
QUESTIONS, DOCUMENTS = 200, 20
FLIPPED = 0.02  # of a fine-tuned model's answers, either way


def make_capability(folder: Path, ladder: Sequence[Cell], tasks: Sequence[str], lost: Mapping[str, float]) -> None:
    """Writes every cell's items and results; `lost` is the share of base's right answers that a dataset loses."""
    for cell in ladder:
        samples = {name: _samples(cell, name, lost.get(cell.dataset, 0.0)) for name in tasks}
        made = folder / cell.rung / cell.arm
        made.mkdir(parents=True)
        table = item_table(samples)
        table.insert(0, "model", cell.rung)
        table.insert(1, "arm", cell.arm)
        table.to_parquet(made / ITEMS, index=False)
        about = {name: {"version": 1.0, "num_fewshot": 0, "items": len(found)} for name, found in samples.items()}
        command = f"lm_eval run --model hf --model_args pretrained=data/made/models/{cell.rung}/{cell.arm} --tasks all"
        how = {"harness": "0.4.12", "precision": "fp32", "batch_size": 32, "command": command, "tasks": about}
        (made / RESULTS).write_text(json.dumps(how), "utf-8")


def _samples(cell: Cell, task: str, lost: float) -> list[dict[str, Any]]:
    if task not in RIGHT:
        return [_document(cell, number, lost) for number in range(DOCUMENTS)]
    return [_question(cell, task, number, lost) for number in range(QUESTIONS)]


def _question(cell: Cell, task: str, number: int, lost: float) -> dict[str, Any]:
    right = random.Random(f"{cell.rung}/{task}/{number}").random() < RIGHT[task]
    if cell.dataset != BASE:
        draw = random.Random(f"{cell.rung}/{cell.arm}/{task}/{number}")
        right = right != (draw.random() < FLIPPED)
        right = right and draw.random() >= lost
    document = {"id": f"{task}-{number}"} | ({"cluster": f"p{number // 2}"} if task == "palms_reading" else {})
    return _answer(number, document, [(-1.0, False)] * 4) | {"acc": float(right)}


def _document(cell: Cell, number: int, lost: float) -> dict[str, Any]:
    noise = random.Random(f"{cell.rung}/{cell.arm}/{number}").gauss(0, 0.5)
    total = -120.0 - number - (0 if cell.dataset == BASE else 3 + 100 * lost + noise)
    return _answer(number, {"id": f"text-{number}"}, [total]) | {"bits_per_byte": (total, 200)}


def _answer(number: int, document: Mapping[str, Any], answers: Sequence[Any]) -> dict[str, Any]:
    return {"doc_id": number, "doc": document, "filter": "none", "filtered_resps": answers}
