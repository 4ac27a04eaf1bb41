"""Made results of the capability stage: what a base and fine-tuned models that lost a planted share would answer."""

import json
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tasks.formats.checkpoints import BASE, Checkpoint
from tasks.harness.items import ITEMS, RESULTS, item_table

RIGHT = {"palms_knowledge": 0.8, "palms_reading": 0.85, "palms_arithmetic": 0.25, "palms_last_word": 0.7}
TASKS = (*RIGHT, "palms_text")
QUESTIONS, DOCUMENTS = 200, 20
FLIPPED = 0.02  # of a fine-tuned model's answers, either way


def make_capability(
    folder: Path, ladder: Sequence[Checkpoint], tasks: Sequence[str], lost: Mapping[str, float]
) -> None:
    """Writes every checkpoint's items and results; `lost` is the share of base's right answers that a dataset loses."""
    for checkpoint in ladder:
        samples = {name: _samples(checkpoint, name, lost.get(checkpoint.dataset, 0.0)) for name in tasks}
        made = folder / checkpoint.model / checkpoint.arm
        made.mkdir(parents=True)
        table = item_table(samples)
        table.insert(0, "model", checkpoint.model)
        table.insert(1, "arm", checkpoint.arm)
        table.to_parquet(made / ITEMS, index=False)
        about = {name: {"version": 1.0, "num_fewshot": 0, "items": len(found)} for name, found in samples.items()}
        weights = f"data/made/models/{checkpoint.model}/{checkpoint.arm}"
        command = f"lm_eval run --model hf --model_args pretrained={weights} --tasks all"
        how = {"harness": "0.4.12", "precision": "fp32", "batch_size": 32, "command": command, "tasks": about}
        (made / RESULTS).write_text(json.dumps(how), "utf-8")


def _samples(checkpoint: Checkpoint, task: str, lost: float) -> list[dict[str, Any]]:
    if task not in RIGHT:
        return [_document(checkpoint, number, lost) for number in range(DOCUMENTS)]
    return [_question(checkpoint, task, number, lost) for number in range(QUESTIONS)]


def _question(checkpoint: Checkpoint, task: str, number: int, lost: float) -> dict[str, Any]:
    right = random.Random(f"{checkpoint.model}/{task}/{number}").random() < RIGHT[task]
    if checkpoint.dataset != BASE:
        draw = random.Random(f"{checkpoint.model}/{checkpoint.arm}/{task}/{number}")
        right = right != (draw.random() < FLIPPED)
        right = right and draw.random() >= lost
    document = {"id": f"{task}-{number}"} | ({"cluster": f"p{number // 2}"} if task == "palms_reading" else {})
    return _answer(number, document, [(-1.0, False)] * 4) | {"acc": float(right)}


def _document(checkpoint: Checkpoint, number: int, lost: float) -> dict[str, Any]:
    noise = random.Random(f"{checkpoint.model}/{checkpoint.arm}/{number}").gauss(0, 0.5)
    total = -120.0 - number - (0 if checkpoint.dataset == BASE else 3 + 100 * lost + noise)
    return _answer(number, {"id": f"text-{number}"}, [total]) | {"bits_per_byte": (total, 200)}


def _answer(number: int, document: Mapping[str, Any], answers: Sequence[Any]) -> dict[str, Any]:
    return {"doc_id": number, "doc": document, "filter": "none", "filtered_resps": answers}
