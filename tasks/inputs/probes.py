"""The co-occurrence probes that people wrote: families of groups, and the templates that name a group.

    families:
      - id: gender
        slot: pronoun
        groups: {He: He, She: She}
        templates: ["{pronoun} was very"]
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import ValidationInfo

from tasks.inputs import records, strict_yaml
from tasks.inputs.characters import faults
from tasks.inputs.records import Fault, Id, checked
from tasks.inputs.strict_yaml import NO_ENTRY, Block, Commented, Problem, path_name, refuse, shown
from tasks.runtime.sections import part

_SLOT = re.compile(r"\{([^{}]*)\}")


def _groups_faults(groups: Any, _: ValidationInfo) -> Iterator[Fault]:
    if not isinstance(groups, Mapping):
        yield "groups", "expected a name and the words that fill the slot, for each group"
        return
    if len(groups) < 2:
        only = f"is one group, {shown(next(iter(groups)))}" if groups else "is none"
        yield "groups", f"there {only}; a comparison takes two or more"
    for name in getattr(groups, "repeated", ()):
        yield "groups", f"{shown(name)} stands there twice"
    for name, words in groups.items():
        for what, text in (("name", name), ("words", words)):
            if fault := _text_fault(text):
                yield "groups", f"the {what} of {shown(name)}: {fault}"
    texts = [words for words in groups.values() if isinstance(words, str)]
    if twice := sorted({words for words in texts if texts.count(words) > 1}):
        yield "groups", f"two groups have the same words, {shown(twice[0])}"


def _templates_faults(templates: Any, info: ValidationInfo) -> Iterator[Fault]:
    slot = info.data.get("slot")
    if not isinstance(templates, list | tuple) or not templates:
        yield "templates", "expected a list of texts"
        return
    for number, text in enumerate(templates, 1):
        if fault := _text_fault(text):
            yield "templates", f"template {number}: {fault}"
        elif slot and (_SLOT.findall(text) != [slot] or text.count("{") != 1 or text.count("}") != 1):
            yield "templates", f"template {number}, {shown(text)}: expected the slot {{{slot}}} in it, once"
        elif text in templates[: number - 1]:
            yield "templates", f"template {number}, {shown(text)}, stands there twice"


def _text_fault(text: Any) -> str | None:
    if not isinstance(text, str):
        return f"expected text, found {records.described(text)}; write it in quotes"
    if isinstance(text, Commented):
        return text.fault
    if not text.strip():
        return "is empty"
    if text != text.strip() or "\n" in text:
        return "starts or ends with a space, or has a line break; the model would see it"
    return next((message for _, message in faults(text)), None)


@dataclass(frozen=True)
class ProbePrompt:
    """One prompt: a template of a family, with its slot filled for one group."""

    family: str
    group: str
    template: str
    prompt: str


@part
class Family:
    """Groups that are compared with one another: `groups` maps a group's name to the words that stand for it."""

    id: Id
    slot: Id
    groups: Annotated[Mapping[str, str], checked(_groups_faults, dict)]
    templates: Annotated[tuple[str, ...], checked(_templates_faults, tuple)]

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
    families: dict[str, Family] = {}
    for number, entry in enumerate(entries, 1):
        family, wrong = records.parse(Family, entry)
        if (name := records.name_of(entry, f"family {number}")) in families:
            wrong.insert(0, ("id", f"a family above has the id {shown(name)} too"))
        problems += [Problem(path_name(path), name, rule, message) for rule, message in wrong]
        if family and not wrong:
            families[family.id] = family
    return list(families.values()), problems
