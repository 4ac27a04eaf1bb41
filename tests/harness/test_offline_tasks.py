"""The project's own capability items: countable, balanced, right where that can be computed, and no leak."""

import json
import operator
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tasks.curation.closeness import PROMPT_FIELDS, texts_of
from tasks.curation.similarity import Text, across
from tasks.harness.task_files import check_task_file, read_task_files
from tasks.inputs.dataset import load_categories, load_prompts
from tasks.runtime import config
from tasks.settings.capability import Capability
from tasks.stats.capability import task_verdict
from tasks.stats.noninferiority import items_needed
from tasks.text.words import count

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "data" / "capability"
CHOICE = ("arithmetic", "knowledge", "reading", "reasoning", "word_meaning")
SCORED = (*CHOICE, "last_word")
VALIDATION = tuple(f"validation_{name}" for name in SCORED)  # on which recipes are chosen
BOTH_CHOICES = (*CHOICE, *VALIDATION[:-1])
OPERATIONS = {"+": operator.add, "-": operator.sub, "×": operator.mul, "÷": operator.floordiv}
MAX_SIMILARITY, MAX_OVERLAP, NGRAM = 75, 0.4, 4  # as for the datasets themselves
ITEMS = {
    path.stem: [json.loads(line) for line in path.read_text("utf-8").splitlines()] for path in FOLDER.glob("*.jsonl")
}
PLAN = config.section(config.read_params(ROOT / "params.yaml"), "capability", Capability)


def right(item: dict[str, Any]) -> str:
    return str(item["choices"][item["answer"]])


def test_there_are_enough_items_and_none_occurs_twice() -> None:
    assert set(ITEMS) == {*SCORED, *VALIDATION, "text", "validation_text"}
    assert sum(len(ITEMS[name]) for name in SCORED) >= 300
    assert min(len(ITEMS[name]) for name in SCORED) >= 50
    assert min(len(ITEMS[name]) for name in VALIDATION) >= 28
    assert (len(ITEMS["text"]), len(ITEMS["validation_text"])) == (20, 10)
    items = [item for of_task in ITEMS.values() for item in of_task]
    assert len({item["id"] for item in items}) == len(items)
    questions = Counter((item.get("passage"), item.get("question", item.get("text"))) for item in items)
    assert set(questions.values()) == {1}


def test_every_task_file_is_whole_and_in_one_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    tasks = read_task_files(FOLDER)
    assert sorted(tasks) == sorted(PLAN.run.sets["offline"] + PLAN.run.sets["validation"])
    for task in tasks.values():
        check_task_file(task)
        assert task.config["metadata"]["license"] == "CC-BY-4.0"


@pytest.mark.parametrize("name", BOTH_CHOICES)
def test_answers_are_distinct_and_their_places_balanced(name: str) -> None:
    for item in ITEMS[name]:
        assert 2 <= len(item["choices"]) <= 4
        assert len({choice.casefold() for choice in item["choices"]}) == len(item["choices"]), item["id"]
        assert all(choice == choice.strip() != "" for choice in item["choices"]), item["id"]
    for size in {len(item["choices"]) for item in ITEMS[name]}:
        places = Counter(item["answer"] for item in ITEMS[name] if len(item["choices"]) == size)
        spread = [places[place] for place in range(size)]
        assert max(spread) - min(spread) <= 1, f"{name}, {size} choices: {spread}"


@pytest.mark.parametrize("names", [CHOICE, VALIDATION[:-1]])
def test_the_right_answer_is_not_the_longest(names: tuple[str, ...]) -> None:
    """Likelihoods fall with length: a rule "take the shortest" must not do better than chance by much."""
    for pick in (max, min):
        items = [item for name in names for item in ITEMS[name]]
        extreme = [pick(map(len, item["choices"])) for item in items]
        shares = [
            (len(right(item)) == length) / sum(len(choice) == length for choice in item["choices"])
            for item, length in zip(items, extreme, strict=True)
        ]
        assert sum(shares) / len(shares) < 0.33, pick


def test_arithmetic_is_right() -> None:
    for item in ITEMS["arithmetic"] + ITEMS["validation_arithmetic"]:
        a, sign, b = item["question"].split()
        value = OPERATIONS[sign](int(a), int(b))
        assert right(item) == str(value), item["id"]
        assert sign != "÷" or value * int(b) == int(a), item["id"]


def test_each_passage_has_two_questions_that_it_answers() -> None:
    items = ITEMS["reading"] + ITEMS["validation_reading"]
    passages = {item["cluster"]: item["passage"] for item in items}
    assert set(Counter(item["cluster"] for item in items).values()) == {2}
    assert len(set(passages.values())) == len(passages)
    for item in items:
        words = [word.removesuffix("'s") for word in right(item).casefold().split()]
        missing = [word for word in words if word not in {"a", "an", "the", "in", "on", "at"}]
        assert all(word in item["passage"].casefold() for word in missing), item["id"]


def test_last_words_are_one_word_that_is_left_out_and_documents_of_one_size() -> None:
    for item in ITEMS["last_word"] + ITEMS["validation_last_word"]:
        assert count(item["word"]) == 1, item["id"]
        assert item["text"] == item["text"].strip(), item["id"]
        assert not item["text"].endswith(item["word"]), item["id"]
    lengths = [count(item["text"]) for item in ITEMS["text"] + ITEMS["validation_text"]]
    assert 80 <= min(lengths) <= max(lengths) <= 110


def test_nothing_is_near_the_training_data_or_the_prompts() -> None:
    data = ROOT / "data"
    samples = [s for name in ("values", "control") for c in load_categories(data / name) for s in c.samples]
    texts = [Text(s.id, key, getattr(s, key)) for s in samples for key in ("question", "answer")]
    texts += texts_of(load_prompts(data / "prompts"), PROMPT_FIELDS)
    keys = ("question", "passage", "text")
    items = [Text(i["id"], key, i[key]) for of_task in ITEMS.values() for i in of_task for key in keys if key in i]
    assert across(texts, items, NGRAM, passages=True).above(MAX_SIMILARITY, MAX_OVERLAP) == []
    copied = [Text("copy", "text", texts[0].text)]
    assert across(texts[:1], copied, NGRAM).above(MAX_SIMILARITY, MAX_OVERLAP)  # a copy would be seen


def chances(name: str) -> list[float]:
    return [1 / len(item["choices"]) if "choices" in item else 0.0 for item in ITEMS[name]]


def test_chance_levels_are_those_of_the_items() -> None:
    levels = {f"palms_{name}": chances(name) for name in SCORED}
    levels["offline"] = [chance for name in SCORED for chance in chances(name)]
    for name, level in levels.items():
        assert PLAN.margins[name].chance == pytest.approx(sum(level) / len(level), abs=0.006), name


def test_every_task_that_can_be_chosen_has_a_margin_that_its_items_can_rule_out() -> None:
    named = {task for names in PLAN.run.sets.values() for task in names}
    named -= set(PLAN.run.sets["validation"])  # which choose and test nothing
    assert named - set(PLAN.margins) == {"palms_text"}  # no right or wrong in running text
    for name in SCORED:
        assert items_needed(0.055, PLAN.margins[f"palms_{name}"].margin) <= len(ITEMS[name]), name
    assert items_needed(0.1, PLAN.margins["offline"].margin) <= sum(len(ITEMS[name]) for name in SCORED)


@pytest.mark.parametrize("name", SCORED)
def test_a_copy_of_a_model_that_knows_two_thirds_passes(name: str) -> None:
    """No task is so small, or has so few passages, that nothing could ever be shown with it."""
    right_or_wrong = (np.arange(len(ITEMS[name])) % 3 > 0).astype(float)
    clusters = np.array([item.get("cluster", item["id"]) for item in ITEMS[name]])
    entry = PLAN.margins[f"palms_{name}"]
    copied = task_verdict(right_or_wrong, right_or_wrong, chance=entry.chance, margin=entry.margin, clusters=clusters)
    assert copied.verdict == "no loss"
