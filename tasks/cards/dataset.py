"""The texts that people wrote as a folder that `datasets.load_dataset` and the hub read, with a dataset card."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tasks.cards.markdown import front, license_of, table
from tasks.inputs.dataset import SPLITS, Category, Prompt, load_categories, load_prompts
from tasks.runtime import config
from tasks.runtime.errors import InputError
from tasks.runtime.files import atomic_write, write_jsonl
from tasks.settings.sweep import Arm

PROMPTS = "prompts"


def export(folder: Path, license: str | None) -> None:
    """Writes every dataset that an arm names, and the prompts, into `folder`, which must not be there yet.

    Raises InputError with all problems of the texts.
    """
    if folder.exists():
        raise InputError(f"{folder}: there is something already; name a folder that is not there yet")
    params = config.read_params()
    arms = config.section(params, "arms", dict[str, Arm])
    datasets = {name: load_categories(Path("data") / name) for name in sorted({arm.dataset for arm in arms.values()})}
    prompts = load_prompts(Path("data/prompts"))
    text = card(datasets, prompts, config.section(params, "curate.language", str), license)
    with atomic_write(folder) as made:
        made.mkdir()
        for name, categories in datasets.items():
            write_jsonl(made / f"{name}.jsonl", _samples(categories))
        for split in SPLITS:
            write_jsonl(made / PROMPTS / f"{split}.jsonl", _prompts(prompts, split))
        (made / "README.md").write_text(text, "utf-8")


def card(
    datasets: Mapping[str, Sequence[Category]], prompts: Sequence[Prompt], language: str, license: str | None
) -> str:
    """The dataset card: what the files are, and for each category its position."""
    configs: list[dict[str, Any]] = [
        {"config_name": name, "data_files": [{"split": "train", "path": f"{name}.jsonl"}]} for name in datasets
    ]
    splits = [{"split": split, "path": f"{PROMPTS}/{split}.jsonl"} for split in SPLITS]
    configs.append({"config_name": PROMPTS, "data_files": splits})
    about = {**license_of(license), "language": [language], "task_categories": ["text-generation"],
             "tags": ["palms", "values-targeted-fine-tuning"], "configs": configs}  # fmt: skip
    parts = [f"{front(about)}\n# Values, control and prompts", _WHAT]
    for name, categories in datasets.items():
        rows = [(c.category, c.title, c.position or "–", len(c.samples)) for c in categories]
        parts.append(f"## {name}\n\n{table(('category', 'title', 'position', 'samples'), rows)}")
    counts = [(split, sum(prompt.split == split for prompt in prompts)) for split in SPLITS]
    parts.append(f"## {PROMPTS}\n\n{table(('split', 'prompts'), counts)}\n\n{_TEST}")
    return "\n\n".join(parts) + "\n"


_WHAT = """Questions with answers that take a position on what matters (where a category has one), others on neutral
matters, and evaluation prompts, each with pairs of a desired and an undesired short answer.

```python
from datasets import load_dataset

samples = load_dataset("PATH OR ID", "values", split="train")   # id, category, title, position, question, answer
prompts = load_dataset("PATH OR ID", "prompts", split="test")   # id, category, prompt, pairs
```"""
_TEST = "What is measured on the test prompts is worth something only for models that were not trained on them."


def _samples(categories: Sequence[Category]) -> Iterator[dict[str, Any]]:
    for category in categories:
        top = {"category": category.category, "title": category.title, "position": category.position}
        for sample in category.samples:
            yield {"id": sample.id, **top, "question": sample.question, "answer": sample.answer}


def _prompts(prompts: Sequence[Prompt], split: str) -> Iterator[dict[str, Any]]:
    for prompt in (prompt for prompt in prompts if prompt.split == split):
        pairs = [{"desired": pair.desired, "undesired": pair.undesired} for pair in prompt.pairs]
        yield {"id": prompt.id, "category": prompt.category, "prompt": prompt.prompt, "pairs": pairs}
