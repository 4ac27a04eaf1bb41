"""What `palms check` says of texts under the base models: figures of these texts alone, and the warnings."""

import csv
from collections.abc import Callable, Mapping
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from tasks.curation.check import check_tree
from tasks.curation.checks import all_samples
from tasks.curation.foreseen import foreseen
from tasks.formats.fluency import SampleFluency, digest, write_fluency
from tasks.inputs.dataset import load_categories, load_prompts
from tasks.runtime.config import read_params
from tests.support import data_trees as trees

MODEL = "smollm2-135m"
NATS, MARGIN = {"values": 3.2, "control": 3.1}, 0.1


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return trees.project(tmp_path, ["birds", "fish"])


def measured(root: Path, nats: Mapping[str, float] = NATS, margin: Callable[[str], float] = lambda _: MARGIN) -> None:
    """Leaves what a sweep would: each dataset's nats, and a margin for each prompt by its id."""
    rows = [
        SampleFluency(name, sample.id, digest(sample), tokens, value + (5 if tokens == 1 else 0) - 5 / 100)
        for name, value in nats.items()
        for sample, tokens in zip(all_samples(load_categories(root / "data" / name))[:2], (1, 99), strict=True)
    ]
    write_fluency(root / f"data/made/fluency/{MODEL}.jsonl", rows)
    file = StringIO()
    table = csv.writer(file)
    table.writerow(["prompt_id", "desired_text", "undesired_text", "margin_free"])
    for prompt in load_prompts(root / "data/prompts"):
        for pair in prompt.pairs:
            table.writerow([prompt.id, pair.desired, pair.undesired, margin(prompt.id)])
    trees.write(root / f"data/made/pairs/{MODEL}/base.csv", file.getvalue())


def shown(root: Path) -> str:
    console = Console(file=StringIO(), width=200)
    assert check_tree(root, console=console) == 0, "a warning is no problem"
    text: str = console.file.getvalue()  # type: ignore[attr-defined]
    assert text.splitlines()[-1] == "no problems"
    return text


def warned(root: Path) -> list[str]:
    """The warnings that follow from the figures, and not from params.yaml."""
    of_params = {f"warning: {text}" for text in foreseen(root, read_params(root / "params.yaml"))}
    return [line for line in shown(root).splitlines() if "warning" in line and line not in of_params]


def test_before_a_sweep_it_says_how_to_get_the_figures(root: Path) -> None:
    text = shown(root)
    assert f"not measured of these texts; to do so: palms sweep fluency@{MODEL} adherence@{MODEL}-base\n" in text
    assert not warned(root)


def test_sound_texts_are_shown_without_a_warning(root: Path) -> None:
    measured(root)
    text = shown(root)
    row = next(line for line in text.splitlines() if MODEL in line)
    assert [cell.strip() for cell in row.strip("│").split("│")] == [MODEL, "3.20", "3.10", "+0.10", "+0.10 birds-test"]
    assert not warned(root)
    assert "not measured" not in text


def test_texts_that_the_model_cannot_learn_from_are_a_warning(root: Path) -> None:
    measured(root, {"values": 4.4, "control": 4.35})
    assert warned(root) == [
        f"warning: data/{name}: {nats} nats per token under {MODEL}, more than fluency.max_nats, 3.5: it cannot "
        "predict these texts and will learn their manner instead of what they say; write plainer ones (the answer "
        "first, common words, one idea after another), or take a model that knows their language"
        for name, nats in (("values", "4.40"), ("control", "4.35"))
    ]


def test_values_that_are_harder_than_control_are_a_warning(root: Path) -> None:
    measured(root, {"values": 3.4, "control": 2.9})
    (line,) = warned(root)
    assert line.startswith(f"warning: data/values and data/control: 3.40 and 2.90 nats per token under {MODEL}, furt")


def test_pairs_that_differ_without_the_prompt_are_a_warning(root: Path) -> None:
    """By a prompt's mean: two pairs that lean to different sides balance each other."""
    measured(root, margin=lambda id: {"fish-test": -0.5, "birds-validation": 0.4}.get(id, 0.0))
    (line,) = warned(root)
    assert line.startswith("warning: data/prompts: 2 of 4 prompts have answers that differ")
    assert "(+: desired likelier): fish-test -0.50, birds-validation +0.40; say" in line


def test_figures_of_other_texts_do_not_count(root: Path) -> None:
    measured(root, {"values": 9.0, "control": 9.0}, lambda _: 9.0)
    content = trees.category("fish")
    content["samples"][0]["answer"] = trees.text("rewritten", 51).capitalize() + "."
    birds = trees.category("birds")
    birds["samples"][0]["answer"] = trees.text("rewritten too", 51).capitalize() + "."
    for name, category in (("fish", content), ("birds", birds)):
        trees.write(root / f"data/values/{name}.yaml", category)
    text = shown(root)
    assert f"palms sweep fluency@{MODEL}\n" in text
    assert "data/values:" not in text
    assert "warning: data/control: 9.00" in text
    prompts = trees.prompts("test", ["birds", "fish"])
    prompts["prompts"][0]["pairs"] = [trees.pair("rewritten")]
    trees.write(root / "data/prompts/test.yaml", prompts)
    assert f"palms sweep fluency@{MODEL} adherence@{MODEL}-base\n" in shown(root)
