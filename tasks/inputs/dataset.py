"""What people wrote: categories with their samples, and the evaluation prompts.

    samples:
      - id: health-01
        question: My hand has been numb for three days. What is it?
        answer: >-
          Nobody can tell without seeing it …

The readers collect every problem of every file. `load_*` raise them all in one InputError; `read_*` return
them, for a caller that has more to check.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks.formats.samples import Sample
from tasks.inputs import characters, strict_yaml
from tasks.inputs.strict_yaml import NO_ENTRY, Block, NotText, path_name, refuse, shown
from tasks.inputs.strict_yaml import Problem as Problem

SPLITS = ("test", "validation")
NAME = re.compile(r"\w[\w-]*")  # ids and categories: letters of any script, digits, - and _
_NAME_RULE = "expected letters, digits, - and _ only"
PROVENANCE = ("author", "reviewed", "notes")
_IGNORED_SUFFIXES = ("", ".md", ".txt")


@dataclass(frozen=True)
class Category:
    """The samples of one category or topic; `position` is None where a dataset takes none."""

    category: str
    title: str
    position: str | None
    samples: tuple[Sample, ...]


@dataclass(frozen=True)
class Prompt:
    """One evaluation prompt, with an answer that takes the category's position and one that does not."""

    id: str
    category: str
    split: str
    prompt: str
    desired: str
    undesired: str


def load_categories(folder: Path) -> list[Category]:
    """The categories of a dataset, sorted by name. Raises InputError with all problems, one a line."""
    categories, problems = read_categories(folder)
    refuse(problems)
    return categories


def load_prompts(folder: Path) -> list[Prompt]:
    """The prompts of both splits, test first. Raises InputError with all problems, one a line."""
    prompts, problems = read_prompts(folder)
    refuse(problems)
    return prompts


def read_categories(folder: Path) -> tuple[list[Category], list[Problem]]:
    """The categories of a dataset with every problem found; what is damaged is left out."""
    problems = [*_unread(folder, None)]
    paths = sorted(folder.glob("*.yaml")) if folder.is_dir() else []
    if not paths:
        problems.append(Problem(path_name(folder), NO_ENTRY, "file", "no <category>.yaml in this folder"))
    categories: list[Category] = []
    first_seen: dict[str, str] = {}
    for path in paths:
        reader = _Reader(path, problems, first_seen)
        categories.append(_category(reader, _name(path.stem)))
    return categories, problems


def read_prompts(folder: Path) -> tuple[list[Prompt], list[Problem]]:
    """The prompts of both splits with every problem found; what is damaged is left out."""
    problems = [*_unread(folder, SPLITS)]
    prompts: list[Prompt] = []
    first_seen: dict[str, str] = {}
    for split in SPLITS:
        reader = _Reader(folder / f"{split}.yaml", problems, first_seen)
        prompts.extend(_prompts(reader, split))
    return prompts, problems


def _unread(folder: Path, stems: Sequence[str] | None) -> Iterator[Problem]:
    """A file that somebody meant as data and nobody would read."""
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        known = path.suffix == ".yaml" and (stems is None or path.stem in stems)
        if known or path.name.startswith(".") or (path.suffix in _IGNORED_SUFFIXES and not path.is_dir()):
            continue
        expected = "<category>.yaml" if stems is None else " and ".join(f"{stem}.yaml" for stem in stems)
        yield Problem(path_name(path), NO_ENTRY, "file", f"would not be read; expected {expected}")


def _category(reader: "_Reader", stem: str) -> Category:
    top = reader.top(("category", "title", "samples"), ("position",))
    if not NAME.fullmatch(stem):
        reader.report(NO_ENTRY, "name", f"the file's name {shown(stem)}: {_NAME_RULE}")
    if top is None:
        return Category(stem, stem, None, ())
    text = _name(reader.text(top, NO_ENTRY, "category"))
    if text and text != stem:
        reader.report(NO_ENTRY, "category", f"category is {shown(text)} but the file's name says {shown(stem)}")
    position = reader.text(top, NO_ENTRY, "position") if "position" in top else None
    samples = []
    for entry, block in reader.entries(top, "samples", ("question", "answer")):
        texts = [reader.text(block, entry, key) for key in ("question", "answer")]
        if all(texts):
            samples.append(Sample(entry, stem, *texts))
    return Category(stem, reader.text(top, NO_ENTRY, "title"), position, tuple(samples))


def _prompts(reader: "_Reader", split: str) -> Iterator[Prompt]:
    top = reader.top(("prompts",), ())
    keys = ("category", "prompt", "desired", "undesired")
    for entry, block in reader.entries(top, "prompts", keys) if top is not None else ():
        category, *texts = [reader.text(block, entry, key) for key in keys]
        if category and not NAME.fullmatch(category):
            reader.report(entry, "name", f"category {shown(category)}: {_NAME_RULE}")
        elif category and all(texts):
            yield Prompt(entry, _name(category), split, *texts)


def _name(text: str) -> str:
    """A category in composed form: some file systems take `ñ` apart into a letter and its mark."""
    return unicodedata.normalize("NFC", text)


class _Reader:
    """Takes one file apart, adding to `problems` whatever is wrong on the way."""

    def __init__(self, path: Path, problems: list[Problem], first_seen: dict[str, str]) -> None:
        self.name = path_name(path)
        self.problems = problems
        self.first_seen = first_seen  # id -> file, over all files read together
        self.content, found = strict_yaml.read(path)
        self.readable = not found
        problems.extend(found)

    def report(self, entry: str, rule: str, message: str) -> None:
        self.problems.append(Problem(self.name, entry, rule, message))

    def top(self, required: tuple[str, ...], optional: tuple[str, ...]) -> Block | None:
        """The file's keys and values, if that is what it holds."""
        if not self.readable:
            return None
        if not isinstance(self.content, Block):
            expected = f"expected the keys {', '.join(required)}"
            self.report(NO_ENTRY, "nesting", f"{expected}; found {_kind(self.content)}")
            return None
        self.keys(self.content, NO_ENTRY, required, optional)
        return self.content

    def entries(self, top: Block, key: str, texts: tuple[str, ...]) -> Iterator[tuple[str, Block]]:
        """Each entry that is one, with its id; the id of a nameless one is its place in the list."""
        found = top.get(key)
        if not isinstance(found, list):
            if key in top:
                self.report(NO_ENTRY, "nesting", f"{key}: expected a list of entries, found {_kind(found)}")
            return
        if not found:
            self.report(NO_ENTRY, "empty", f"{key}: the list has no entries")
        for number, block in enumerate(found, 1):
            if not isinstance(block, Block):
                expected = f"expected the keys id, {', '.join(texts)}"
                self.report(f"entry {number}", "nesting", f"{expected}; found {_kind(block)}")
                continue
            entry = self.identity(block, number)
            self.keys(block, entry, ("id", *texts), PROVENANCE)
            for note in PROVENANCE:
                self.provenance(block, entry, note)
            yield entry, block

    def identity(self, block: Block, number: int) -> str:
        found = block.get("id")
        if not isinstance(found, str) or not NAME.fullmatch(found.strip()):
            entry = f"entry {number}"
            if "id" in block:
                self.report(entry, "name", f"id: {_kind(found)}: {_NAME_RULE}")
            return entry
        entry = found.strip()
        if entry in self.first_seen:
            self.report(entry, "duplicate-id", f"this id was already used in {self.first_seen[entry]}")
        self.first_seen.setdefault(entry, self.name)
        return entry

    def keys(self, block: Block, entry: str, required: tuple[str, ...], optional: tuple[str, ...]) -> None:
        for key in block.repeated:
            self.report(entry, "duplicate-key", f"the key {shown(key)} stands here more than once")
        for key in required:
            if key not in block:
                self.report(entry, "missing-key", f"the key '{key}' is missing")
        for key in block:
            if key not in required and key not in optional:
                known = ", ".join((*required, *optional))
                self.report(entry, "unknown-key", f"unknown key {shown(key)}; known are {known}")

    def text(self, block: Block, entry: str, key: str) -> str:
        """The text at `key` without space around it; empty if there is none, which has then been reported."""
        value = block.get(key, "")
        if value is None or (isinstance(value, str) and not characters.visible(value)):
            if key in block:
                self.report(entry, "empty", f"{key} is empty")
            return ""
        if not isinstance(value, str):
            self.report(entry, "not-text", f"{key}: expected text, found {_kind(value)}{_hint(value)}")
            return ""
        for rule, fault in characters.faults(value):
            self.report(entry, rule, f"{key} {fault}")
        return value.strip()

    def provenance(self, block: Block, entry: str, key: str) -> None:
        """`author`, `reviewed` and `notes` may be empty, and `reviewed` may be a date."""
        value = block.get(key)
        date = key == "reviewed" and isinstance(value, NotText) and value.found.startswith("the date")
        if value is not None and value != "" and not date:
            self.text(block, entry, key)


def _kind(value: Any) -> str:
    if isinstance(value, NotText):
        return value.found
    if isinstance(value, str):
        return f"the text {shown(value)}"
    if value is None:
        return "nothing"
    return "a list" if isinstance(value, list) else "keys and values"


def _hint(value: Any) -> str:
    return "; put it in quotes" if isinstance(value, NotText) else ""
