"""What a dataset and its prompts must satisfy before anything is trained on them.

Well-formedness is the readers' (tasks.inputs.dataset); here are the rules that need numbers or other entries. Every
refusal names the file, the entry and the rule, and all of them are found in one pass.
"""

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from tasks.curation.closeness import SAMPLE_FIELDS, Closeness, alike, prompt_texts, sample_texts
from tasks.curation.similarity import Text
from tasks.formats.samples import Sample
from tasks.inputs.dataset import SPLITS, Category, Problem, Prompt, read_categories, read_prompts
from tasks.inputs.strict_yaml import NO_ENTRY, path_name
from tasks.runtime.config import PARAMS_FILE
from tasks.settings.curate import Curate
from tasks.settings.sweep import Arm
from tasks.text.words import count, tokens

T = TypeVar("T", Sample, Prompt)


@dataclass(frozen=True)
class Folders:
    """Where the entries stand, for messages."""

    dataset: Path
    prompts: Path

    def category(self, name: str) -> str:
        """The file of a category."""
        return path_name(self.dataset / f"{name}.yaml")

    def split(self, name: str) -> str:
        """The file of a split."""
        return path_name(self.prompts / f"{name}.yaml")

    def of(self, entry: Sample | Prompt) -> str:
        """The file of an entry."""
        return self.category(entry.category) if isinstance(entry, Sample) else self.split(entry.split)


@dataclass(frozen=True)
class Examined:
    """A dataset and its prompts as far as they are well-formed, and every problem found."""

    categories: list[Category]
    prompts: list[Prompt]
    closeness: Closeness
    problems: list[Problem]


def all_samples(categories: Iterable[Category]) -> list[Sample]:
    """The samples of all categories, in the dataset's order."""
    return [sample for category in categories for sample in category.samples]


def examine(dataset: Path, prompts: Path, rules: Curate) -> Examined:
    """Reads a dataset and the prompts and checks them, in one pass over everything."""
    categories, problems = read_categories(dataset)
    read, prompt_problems = read_prompts(prompts)
    problems += prompt_problems
    closeness = Closeness.of(all_samples(categories), read, rules)
    damaged = {problem.file for problem in problems}
    problems += check(categories, read, rules, Folders(dataset, prompts), closeness, damaged)
    return Examined(categories, read, closeness, sorted(problems, key=lambda problem: problem.file))


def check(
    categories: Sequence[Category],
    prompts: Sequence[Prompt],
    rules: Curate,
    folders: Folders,
    closeness: Closeness | None = None,
    damaged: Iterable[str] = (),
) -> list[Problem]:
    """Every problem of a well-formed dataset and its prompts.

    Entries of the files in `damaged` are not counted: one that could not be read would be reported twice.
    """
    samples, skip = all_samples(categories), frozenset(damaged)
    closeness = closeness or Closeness.of(samples, prompts, rules)
    entries: list[Sample | Prompt] = [*prompts, *samples]
    files = {entry.id: folders.of(entry) for entry in entries}
    return [
        *_lengths(samples, prompts, rules, folders),
        *_duplicates(samples, prompts, folders),
        *_categories(categories, prompts, folders, skip),
        *_balance(categories, prompts, rules, folders, skip),
        *(Problem(files[entry], entry, rule, message) for entry, rule, message in alike(closeness, rules)),
    ]


def _lengths(
    samples: Sequence[Sample], prompts: Sequence[Prompt], rules: Curate, folders: Folders
) -> Iterator[Problem]:
    for sample in samples:
        file = folders.of(sample)
        yield from _too_large(file, sample_texts([sample]), rules)
        yield from _out_of(file, sample.id, "answer", sample.answer, (rules.min_words, rules.max_words))
    for prompt in prompts:
        file = folders.of(prompt)
        yield from _too_large(file, prompt_texts([prompt]), rules)
        for field in ("desired", "undesired"):
            bounds = (rules.min_pair_words, rules.max_pair_words)
            yield from _out_of(file, prompt.id, field, getattr(prompt, field), bounds)
        yield from _pair_length(file, prompt, rules.pair_length_tolerance)


def _too_large(file: str, texts: Iterable[Text], rules: Curate) -> Iterator[Problem]:
    for text in texts:
        if (size := len(text.text.encode())) > rules.max_text_bytes:
            message = f"{text.field} has {size} bytes; curate.max_text_bytes is {rules.max_text_bytes}"
            yield Problem(file, text.id, "text-size", message)


def _out_of(file: str, entry: str, field: str, text: str, bounds: tuple[int, int]) -> Iterator[Problem]:
    least, most = bounds
    if not least <= (words := count(text)) <= most:
        yield Problem(file, entry, "length", f"{field} has {words} words; expected {least} to {most}")


def _pair_length(file: str, prompt: Prompt, tolerance: float) -> Iterator[Problem]:
    a, b = count(prompt.desired), count(prompt.undesired)
    if abs(a - b) > tolerance * max(a, b):
        message = f"desired has {a} words, undesired {b}; they may differ by {tolerance:.0%} of the longer"
        yield Problem(file, prompt.id, "pair-length", message)


def _duplicates(samples: Sequence[Sample], prompts: Sequence[Prompt], folders: Folders) -> Iterator[Problem]:
    for field in SAMPLE_FIELDS:
        for again, first in _repeated(samples, lambda sample: tokens(getattr(sample, field))):  # noqa: B023
            message = f"{field} is the same as that of {first.id}"
            yield Problem(folders.of(again), again.id, "duplicate-text", message)
    for other, prompt in _repeated(prompts, lambda prompt: tokens(prompt.prompt)):
        message = f"prompt is the same as that of {prompt.id}"
        yield Problem(folders.of(other), other.id, "duplicate-text", message)
    ids = {sample.id for sample in samples}
    for prompt in prompts:
        if tokens(prompt.desired) == tokens(prompt.undesired):
            yield Problem(folders.of(prompt), prompt.id, "pair-same", "desired and undesired are the same")
        if prompt.id in ids:
            yield Problem(folders.of(prompt), prompt.id, "duplicate-id", "a sample has this id too")


def _repeated(entries: Iterable[T], key: Callable[[T], Hashable]) -> Iterator[tuple[T, T]]:
    """Each entry whose key an earlier one had, with that one."""
    first: dict[Hashable, T] = {}
    for entry in entries:
        if first.setdefault(key(entry), entry) is not entry:
            yield entry, first[key(entry)]


def _categories(
    categories: Sequence[Category], prompts: Sequence[Prompt], folders: Folders, damaged: frozenset[str]
) -> Iterator[Problem]:
    """A dataset takes a position in every category or in none, and has the prompts' categories if it does."""
    if all(category.position is None for category in categories):
        return
    for category in categories:
        file = folders.category(category.category)
        if category.position is None and file not in damaged:
            message = "the key 'position' is missing; other categories of this dataset have one"
            yield Problem(file, NO_ENTRY, "missing-key", message)
    names = [category.category for category in categories]
    for prompt in prompts:
        if prompt.category not in names:
            message = f"'{prompt.category}' is no category of {folders.dataset}, which has {', '.join(names)}"
            yield Problem(folders.of(prompt), prompt.id, "category", message)


def _balance(
    categories: Sequence[Category],
    prompts: Sequence[Prompt],
    rules: Curate,
    folders: Folders,
    damaged: frozenset[str],
) -> Iterator[Problem]:
    """Every category counts alike, so each has the same number of samples, and of prompts in each split."""
    for category in categories:
        file, size = folders.category(category.category), len(category.samples)
        if file not in damaged and size != rules.samples_per_category:
            message = f"{size} samples; curate.samples_per_category is {rules.samples_per_category}"
            yield Problem(file, NO_ENTRY, "balance", message)
    positioned = any(category.position is not None for category in categories)
    names = {category.category for category in categories} if positioned else {p.category for p in prompts}
    for split in SPLITS:
        counts = Counter(prompt.category for prompt in prompts if prompt.split == split)
        for name in sorted(names):
            if folders.split(split) not in damaged and counts[name] != rules.prompts_per_category:
                expected = f"curate.prompts_per_category is {rules.prompts_per_category}"
                message = f"{counts[name]} prompts of category '{name}'; {expected}"
                yield Problem(folders.split(split), NO_ENTRY, "balance", message)


def limit_problems(name: str, arm: Arm, dataset: Examined) -> list[Problem]:
    """What is wrong with an arm's limit; its upper end is known only of a dataset without problems."""
    available = len(all_samples(dataset.categories))
    if arm.limit is None or (arm.limit >= 1 and (arm.limit <= available or dataset.problems)):
        return []
    message = f"limit is {arm.limit}; expected 1 to {available}, which is what data/{arm.dataset} has, or null"
    return [Problem(str(PARAMS_FILE), f"arms.{name}", "limit", message)]
