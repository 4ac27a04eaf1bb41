"""What a dataset and its prompts must satisfy before anything is trained on them (docs/method.md, "Data").

Well-formedness is the readers' (tasks.inputs.dataset); here are the rules that need numbers or other entries. Every
refusal names the file, the entry and the rule, and all of them are found in one pass.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tasks.curation.closeness import ANSWERS, PROMPT_FIELDS, SAMPLE_FIELDS, Closeness, alike, texts_of
from tasks.curation.style import unlike
from tasks.formats.samples import Sample
from tasks.inputs.dataset import SPLITS, Category, Problem, Prompt, read_categories, read_prompts
from tasks.inputs.strict_yaml import NO_ENTRY, path_name
from tasks.runtime.config import PARAMS_FILE
from tasks.settings.curate import Curate
from tasks.settings.sweep import Arm
from tasks.text.words import count, tokens

Finding = tuple[str, str, str]  # the entry, the rule, and what is wrong


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


def positioned(categories: Iterable[Category]) -> bool:
    """Whether a dataset takes positions; a control does not."""
    return any(category.position is not None for category in categories)


def examine(dataset: Path, prompts: Path, rules: Curate) -> Examined:
    """Reads a dataset and the prompts and checks them, in one pass over everything."""
    categories, problems = read_categories(dataset)
    read, prompt_problems = read_prompts(prompts)
    problems += prompt_problems
    closeness = Closeness.of(all_samples(categories), read, rules)
    damaged = frozenset(problem.file for problem in problems)
    problems += _Checks(categories, read, rules, dataset, prompts, damaged).problems(closeness)
    return Examined(categories, read, closeness, sorted(problems, key=lambda problem: problem.file))


@dataclass(frozen=True)
class _Checks:
    """The rules for a dataset and its prompts, as far as they are well-formed.

    Entries of the files in `damaged` are not counted: one that could not be read would be reported twice.
    """

    categories: Sequence[Category]
    prompts: Sequence[Prompt]
    rules: Curate
    dataset_folder: Path
    prompts_folder: Path
    damaged: frozenset[str]

    def problems(self, closeness: Closeness) -> list[Problem]:
        """Every problem that is found."""
        entries: list[Sample | Prompt] = [*all_samples(self.categories), *self.prompts]
        files = {entry.id: self.file(entry) for entry in entries}
        findings = [*self.lengths(), *self.pairs(), *self.duplicates(), *alike(closeness, self.rules)]
        of_entries = [Problem(files[entry], entry, rule, message) for entry, rule, message in findings]
        return [*of_entries, *self.positions(), *self.balance()]

    def file(self, entry: Category | Sample | Prompt) -> str:
        """The file of an entry."""
        if isinstance(entry, Prompt):
            return self.split(entry.split)
        return path_name(self.dataset_folder / f"{entry.category}.yaml")

    def split(self, name: str) -> str:
        """The file of a split."""
        return path_name(self.prompts_folder / f"{name}.yaml")

    def lengths(self) -> Iterator[Finding]:
        """Every text has a sensible length."""
        rules, samples = self.rules, all_samples(self.categories)
        for text in (*texts_of(samples, SAMPLE_FIELDS), *texts_of(self.prompts, PROMPT_FIELDS)):
            if (size := len(text.text.encode())) > rules.max_text_bytes:
                message = f"{text.field} has {size} bytes; curate.max_text_bytes is {rules.max_text_bytes}"
                yield text.id, "text-size", message
        answers = [(text, rules.min_words, rules.max_words) for text in texts_of(samples, ("answer",))]
        pairs = texts_of(self.prompts, ANSWERS)
        for text, least, most in (*answers, *((text, rules.min_pair_words, rules.max_pair_words) for text in pairs)):
            if not least <= (words := count(text.text)) <= most:
                yield text.id, "length", f"{text.field} has {words} words; expected {least} to {most}"

    def pairs(self) -> Iterator[Finding]:
        """Every prompt has its pairs, and the two answers of one differ in what they say and in nothing else."""
        least = self.rules.pairs_per_prompt
        for prompt in self.prompts:
            if (size := len(prompt.pairs)) < least:
                few = f"{size} pair{'' if size == 1 else 's'} of answers; curate.pairs_per_prompt is {least}"
                yield prompt.id, "pairs", few
            for number, pair in enumerate(prompt.pairs, 1):
                yield from ((prompt.id, rule, f"pair {number}: {fault}") for rule, fault in unlike(pair, self.rules))

    def duplicates(self) -> Iterator[Finding]:
        """No question, answer or prompt stands there twice, nor an id."""
        samples = all_samples(self.categories)
        by_field = [texts_of(samples, (field,)) for field in SAMPLE_FIELDS]
        for texts in (*by_field, texts_of(self.prompts, ("prompt",))):
            first: dict[tuple[str, ...], str] = {}
            for text in texts:
                if (earlier := first.setdefault(tokens(text.text), text.id)) != text.id:
                    yield text.id, "duplicate-text", f"{text.field} is the same as that of {earlier}"
        ids = {sample.id for sample in samples}
        for prompt in self.prompts:
            if prompt.id in ids:
                yield prompt.id, "duplicate-id", "a sample has this id too"

    def positions(self) -> Iterator[Problem]:
        """A dataset takes a position in every category or in none, and has the prompts' categories if it does."""
        if not positioned(self.categories):
            return
        for category in self.categories:
            if category.position is None and (file := self.file(category)) not in self.damaged:
                message = "the key 'position' is missing; other categories of this dataset have one"
                yield Problem(file, NO_ENTRY, "missing-key", message)
        names = [category.category for category in self.categories]
        told = {category.declared for category in self.categories}
        for prompt in self.prompts:
            if prompt.category not in (*names, *told):
                message = f"'{prompt.category}' is no category of {self.dataset_folder}, which has {', '.join(names)}"
                yield Problem(self.file(prompt), prompt.id, "category", message)

    def balance(self) -> Iterator[Problem]:
        """Every category counts alike, so each has the same number of samples, and of prompts in each split."""
        rules = self.rules
        for category in self.categories:
            file, size = self.file(category), len(category.samples)
            if file not in self.damaged and size != rules.samples_per_category:
                message = f"{size} samples; curate.samples_per_category is {rules.samples_per_category}"
                yield Problem(file, NO_ENTRY, "balance", message)
        names = {entry.category for entry in (self.categories if positioned(self.categories) else self.prompts)}
        names -= {category.category for category in self.categories if category.declared}
        lost = {prompt.split for prompt in self.prompts if prompt.category not in names}  # and are not counted
        for split in (split for split in SPLITS if split not in lost):
            sizes = Counter(prompt.category for prompt in self.prompts if prompt.split == split)
            expected = getattr(rules.prompts_per_category, split)
            for name in sorted(names):
                if self.split(split) not in self.damaged and sizes[name] != expected:
                    wanted = f"curate.prompts_per_category.{split} is {expected}"
                    message = f"{sizes[name]} prompts of category '{name}'; {wanted}"
                    yield Problem(self.split(split), NO_ENTRY, "balance", message)


def limit_problems(name: str, arm: Arm, dataset: Examined) -> list[Problem]:
    """What is wrong with an arm's limit; its upper end is known only of a dataset without problems."""
    available = len(all_samples(dataset.categories))
    if arm.limit is None or (arm.limit >= 1 and (arm.limit <= available or dataset.problems)):
        return []
    message = f"limit is {arm.limit}; expected 1 to {available}, which is what data/{arm.dataset} has, or null"
    return [Problem(str(PARAMS_FILE), f"arms.{name}", "limit", message)]
