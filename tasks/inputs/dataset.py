"""What people wrote: categories with their samples, and the evaluation prompts.

    samples:
      - id: health-01
        question: My hand has been numb for three days. What is it?
        answer: >-
          Nobody can tell without seeing it …

The readers collect every problem of every file. `load_*` raise them all in one InputError; `read_*` return
them, for a caller that has more to check.
"""

import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import ValidationInfo

from tasks.formats.samples import Sample
from tasks.inputs import records, strict_yaml
from tasks.inputs.records import NAME, NAME_RULE, TEXT, Fault, Id, Note, Text
from tasks.inputs.strict_yaml import NO_ENTRY, Block, path_name, refuse, shown
from tasks.inputs.strict_yaml import Problem as Problem
from tasks.runtime.sections import part

SPLITS = ("test", "validation")
_IGNORED_SUFFIXES = ("", ".md", ".txt")
T = TypeVar("T")


def _list_faults(value: Any, info: ValidationInfo) -> Iterator[Fault]:
    if not isinstance(value, list):
        yield "nesting", f"{info.field_name}: expected a list of entries, found {records.described(value)}"
    elif not value:
        yield "empty", f"{info.field_name}: the list has no entries"


Entries = Annotated[list[Any], records.checked(_list_faults)]


@part
class AnswerPair:
    """Two answers to a prompt: `desired` takes the category's position, and `undesired` does not."""

    desired: Text
    undesired: Text


def _pairs_faults(value: Any, info: ValidationInfo) -> Iterator[Fault]:
    yield from _list_faults(value, info)
    for number, pair in enumerate(value if isinstance(value, list) else (), 1):
        yield from ((rule, f"pair {number}: {fault}") for rule, fault in records.parse(AnswerPair, pair)[1])


def _pairs(value: list[Any]) -> tuple[AnswerPair | None, ...]:
    return tuple(records.parse(AnswerPair, pair)[0] for pair in value)


@part
class _CategoryFile:
    category: Id
    title: Text
    samples: Entries
    position: Annotated[str | None, TEXT] = None  # which may be left out, but not empty


@part
class _PromptFile:
    prompts: Entries


@part
class _SampleEntry:
    id: Id
    question: Text
    answer: Text
    author: Note = None
    reviewed: Note = None
    notes: Note = None


@part
class _PromptEntry:
    id: Id
    category: Id
    prompt: Text
    pairs: Annotated[tuple[AnswerPair, ...], records.checked(_pairs_faults, _pairs)]
    author: Note = None
    reviewed: Note = None
    notes: Note = None


@dataclass(frozen=True)
class Category:
    """The samples of one category or topic; `position` is None where a dataset takes none."""

    category: str
    title: str
    position: str | None
    samples: tuple[Sample, ...]
    declared: str | None = None  # what the file says of itself where its name says otherwise, which is a problem


@dataclass(frozen=True)
class Prompt:
    """One evaluation prompt, with one or more pairs of answers."""

    id: str
    category: str
    split: str
    prompt: str
    pairs: tuple[AnswerPair, ...]


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
    files = _Files([*_unread(folder, None)])
    paths = sorted(folder.glob("*.yaml")) if folder.is_dir() else []
    if not paths:
        files.problems.append(Problem(path_name(folder), NO_ENTRY, "file", "no <category>.yaml in this folder"))
    return [_category(files, path) for path in paths], files.problems


def read_prompts(folder: Path) -> tuple[list[Prompt], list[Problem]]:
    """The prompts of both splits with every problem found; what is damaged is left out."""
    files = _Files([*_unread(folder, SPLITS)])
    return [prompt for split in SPLITS for prompt in _prompts(files, folder / f"{split}.yaml")], files.problems


def _unread(folder: Path, stems: Sequence[str] | None) -> Iterator[Problem]:
    """A file that somebody meant as data and nobody would read."""
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        known = path.suffix == ".yaml" and (stems is None or path.stem in stems)
        if known or path.name.startswith(".") or (path.suffix in _IGNORED_SUFFIXES and not path.is_dir()):
            continue
        expected = "<category>.yaml" if stems is None else " and ".join(f"{stem}.yaml" for stem in stems)
        yield Problem(path_name(path), NO_ENTRY, "file", f"would not be read; expected {expected}")


def _category(files: "_Files", path: Path) -> Category:
    stem = _name(path.stem)
    top, entries = files.read(path, _CategoryFile, "samples")
    if not NAME.fullmatch(stem):
        files.report(NO_ENTRY, [("name", f"the file's name {shown(stem)}: {NAME_RULE}")])
    declared = name if top and (name := _name(top.category)) != stem else None
    if declared:
        files.report(NO_ENTRY, [("category", f"category is {shown(declared)} but the file's name says {shown(stem)}")])
    samples = [Sample(entry.id, stem, entry.question, entry.answer) for entry in files.parsed(_SampleEntry, entries)]
    return Category(stem, top.title if top else stem, top.position if top else None, tuple(samples), declared)


def _prompts(files: "_Files", path: Path) -> Iterator[Prompt]:
    for entry in files.parsed(_PromptEntry, files.read(path, _PromptFile, "prompts")[1], _outdated):
        yield Prompt(entry.id, _name(entry.category), path.stem, entry.prompt, entry.pairs)


def _outdated(entry: Any) -> Iterator[Fault]:
    """A prompt in the form with one pair, its two answers among the prompt's own keys."""
    if isinstance(entry, Block) and {"desired", "undesired"} & entry.keys():
        yield (
            "unknown-key",
            "'desired' and 'undesired' stand in a list of pairs: write `pairs:`, and below it, for each pair, "
            "`- desired: …` and `  undesired: …`",
        )


def _name(text: str) -> str:
    """A category in composed form: some file systems take `ñ` apart into a letter and its mark."""
    return unicodedata.normalize("NFC", text)


@dataclass
class _Files:
    """Files that are read one after another, whose ids differ; what is wrong with them is added to `problems`."""

    problems: list[Problem]
    file: str = ""  # the one being read
    first_seen: dict[str, str] = field(default_factory=dict)  # id -> file

    def report(self, entry: str, faults: Iterable[Fault]) -> None:
        self.problems += [Problem(self.file, entry, rule, message) for rule, message in faults]

    def read(self, path: Path, kind: type[T], key: str) -> tuple[T | None, list[Any]]:
        """The file as the record `kind`, if it is one, and the entries that it lists at `key`."""
        self.file = path_name(path)
        content, problems = strict_yaml.read(path)
        self.problems += problems
        entries = content.get(key) if isinstance(content, Block) else None
        return None if problems else self.parse(kind, content, NO_ENTRY), entries if isinstance(entries, list) else []

    def parse(self, kind: type[T], content: Any, entry: str) -> T | None:
        parsed, faults = records.parse(kind, content)
        self.report(entry, faults)
        return parsed

    def parsed(
        self, kind: type[T], entries: Sequence[Any], outdated: Callable[[Any], Iterable[Fault]] = lambda _: ()
    ) -> Iterator[T]:
        """Each entry that is one and not `outdated`; the id of a nameless one is its place in the list."""
        for number, block in enumerate(entries, 1):
            entry = records.name_of(block, f"entry {number}")
            if entry in self.first_seen:
                self.report(entry, [("duplicate-id", f"this id was already used in {self.first_seen[entry]}")])
            elif not entry.startswith("entry "):  # which no id can be
                self.first_seen[entry] = self.file
            if faults := [*outdated(block)]:  # what else is wrong follows from that
                self.report(entry, faults)
            elif parsed := self.parse(kind, block, entry):
                yield parsed
