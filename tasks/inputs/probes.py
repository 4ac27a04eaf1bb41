"""The co-occurrence probes that people wrote: families of groups, and the templates that name a group.

    families:
      - id: gender
        slot: pronoun
        groups: {He: He, She: She}
        templates: ["{pronoun} was very"]
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks.inputs import strict_yaml
from tasks.inputs.characters import faults
from tasks.inputs.strict_yaml import NO_ENTRY, Block, NotText, Problem, path_name, refuse, shown

NAME = re.compile(r"\w[\w-]*")
KEYS = ("id", "slot", "groups", "templates")
_SLOT = re.compile(r"\{([^{}]*)\}")


@dataclass(frozen=True)
class ProbePrompt:
    """One prompt: a template of a family, with its slot filled for one group."""

    family: str
    group: str
    template: str
    prompt: str


@dataclass(frozen=True)
class Family:
    """Groups that are compared with one another: `groups` maps a group's name to the words that stand for it."""

    id: str
    slot: str
    groups: Mapping[str, str]
    templates: tuple[str, ...]

    def prompt(self, template: str, group: str) -> str:
        """The template with the group's words in its slot."""
        return template.replace("{" + self.slot + "}", self.groups[group])

    def probes(self) -> Iterator[ProbePrompt]:
        """Every prompt of the family, templates first."""
        for template in self.templates:
            for group in self.groups:
                yield ProbePrompt(self.id, group, template, self.prompt(template, group))


def load_families(path: Path) -> list[Family]:
    """The families of a probe file. Raises InputError with all problems, one a line."""
    families, problems = read_families(path)
    refuse(problems)
    return families


def read_families(path: Path) -> tuple[list[Family], list[Problem]]:
    """The families of a probe file with every problem found; a damaged family is left out."""
    top, problems = strict_yaml.read(path)
    if problems:
        return [], problems
    entries = top.get("families") if isinstance(top, Block) else None
    if not isinstance(entries, list) or not entries or set(top) != {"families"}:
        message = "expected `families:` with a list of families, and nothing else"
        return [], [Problem(path_name(path), NO_ENTRY, "families", message)]
    families: list[Family] = []
    for number, entry in enumerate(entries, 1):
        family, found = _family(entry, [one.id for one in families])
        name = family.id if family else _name_of(entry, number)
        problems += [Problem(path_name(path), name, rule, message) for rule, message in found]
        families += [family] if family else []
    return families, problems


def _name_of(entry: Any, number: int) -> str:
    found = entry.get("id") if isinstance(entry, Block) else None
    return found if isinstance(found, str) and NAME.fullmatch(found) else f"family {number}"


def _family(entry: Any, taken: Sequence[str]) -> tuple[Family | None, list[tuple[str, str]]]:
    """A family, or None with (rule, message) for everything wrong with it."""
    if not isinstance(entry, Block):
        return None, [("family", f"expected {', '.join(KEYS)}")]
    problems = [*_keys(entry)]
    if problems:
        return None, problems
    name, slot = entry["id"], entry["slot"]
    for key, value in (("id", name), ("slot", slot)):
        if not isinstance(value, str) or not NAME.fullmatch(value):
            problems.append((key, f"expected letters, digits, - and _ only, found {_found(value)}"))
    if name in taken:
        problems.append(("id", f"a family above has the id {shown(name)} too"))
    problems += [*_groups(entry["groups"]), *_templates(entry["templates"], slot)]
    if problems:
        return None, problems
    return Family(name, slot, dict(entry["groups"]), tuple(entry["templates"])), []


def _keys(entry: Block) -> Iterator[tuple[str, str]]:
    for key in KEYS:
        if entry.get(key) in (None, "", []):
            yield key, "is missing or empty"
    for key in entry:
        if key not in KEYS:
            yield "key", f"unknown key {shown(key)}; known are {', '.join(KEYS)}"
    for key in entry.repeated:
        yield "key", f"{shown(key)} stands there twice"


def _groups(groups: Any) -> Iterator[tuple[str, str]]:
    if not isinstance(groups, Block):
        yield "groups", "expected a name and the words that fill the slot, for each group"
        return
    if len(groups) < 2:
        yield "groups", f"there is one group, {shown(next(iter(groups)))}; a comparison takes two or more"
    for name in groups.repeated:
        yield "groups", f"{shown(name)} stands there twice"
    for name, words in groups.items():
        for what, text in (("name", name), ("words", words)):
            if fault := _text_fault(text):
                yield "groups", f"the {what} of {shown(name)}: {fault}"
    filled = [words for words in groups.values() if isinstance(words, str)]
    if twice := sorted({words for words in filled if filled.count(words) > 1}):
        yield "groups", f"two groups have the same words, {shown(twice[0])}"


def _templates(templates: Any, slot: Any) -> Iterator[tuple[str, str]]:
    if not isinstance(templates, list):
        yield "templates", "expected a list of texts"
        return
    for number, text in enumerate(templates, 1):
        if fault := _text_fault(text):
            yield "templates", f"template {number}: {fault}"
        elif _SLOT.findall(text) != [slot] or text.count("{") != 1 or text.count("}") != 1:
            yield "templates", f"template {number}, {shown(text)}: expected the slot {{{slot}}} in it, once"
        elif text in templates[: number - 1]:
            yield "templates", f"template {number}, {shown(text)}, stands there twice"


def _text_fault(text: Any) -> str | None:
    if not isinstance(text, str):
        return f"expected text, found {_found(text)}; write it in quotes"
    if not text.strip():
        return "is empty"
    if text != text.strip() or "\n" in text:
        return "starts or ends with a space, or has a line break; the model would see it"
    return next((message for _, message in faults(text)), None)


def _found(value: Any) -> str:
    if isinstance(value, NotText):
        return value.found
    return "nothing" if value is None else shown(value) if isinstance(value, str) else "a list or a block"
