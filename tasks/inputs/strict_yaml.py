"""YAML that people wrote, read without trust and without stopping at the first mistake.

A safe loader alone is not enough: it expands aliases (a few lines can become gigabytes), keeps the last of
two equal keys, turns `no` into false, and drops what follows ` #`. Here only text, lists and keys get through, and
whatever else is found becomes a `Problem` that names the file, the entry and the rule.
"""

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml

from tasks.runtime.errors import InputError

MAX_FILE_BYTES = 1_000_000  # the whole values dataset has about 120 kB
MAX_DEPTH = 8  # a well-formed file needs 3
NO_ENTRY = "-"  # stands for the entry where a problem is the whole file's

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_ID = re.compile(r"^[ \t]*(?:-[ \t]+)?id:[ \t]*(\S[^\r\n]*)", re.MULTILINE)
_TAB = re.compile(r"^[ -]*\t", re.MULTILINE)
_COMMENT = re.compile(r"(#.*)")
_DASH = re.compile(r"^ *-", re.MULTILINE)
_HEADER = re.compile(r"[|>][-+0-9]*[ \t]+(#.*)")
_BEHIND = re.compile(r"(?:[ \t]*\n)*[ \t]*(#.*)")
_KINDS = {"int": "number", "float": "number", "bool": "yes/no value", "timestamp": "date"}
Fault = tuple[int, str, str]  # the index in the text, the rule, and what is wrong

# YAML refuses these characters outright, which would hide every other problem of the file, or ends a line at them,
# where no reader sees one. They travel through the parser as private-use characters, and tasks.inputs.characters
# names them where they stand.
STAND_INS = {code: 0xF700 + code for code in (*range(9), *range(11, 32), *range(127, 160))}
STAND_INS |= {0x2028: 0xF7FB, 0x2029: 0xF7FC, 0xFEFF: 0xF7FD, 0xFFFE: 0xF7FE, 0xFFFF: 0xF7FF}


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong: in which file, at which entry, against which rule."""

    file: str
    entry: str
    rule: str
    message: str

    def __str__(self) -> str:
        return f"{self.file}: {self.entry}: {self.rule}: {self.message}"


@dataclass(frozen=True)
class NotText:
    """A value that YAML read as a number, a date or a yes/no value, and what to call it."""

    description: str


class Commented(str):
    """A text beside a comment, which may be a part of it: YAML drops ` #1 priority` from an unquoted text."""

    def __new__(cls, text: str, comment: str) -> "Commented":
        """`comment` begins with its #."""
        made = super().__new__(cls, text)
        made.comment = comment
        return made

    comment: str

    @property
    def fault(self) -> str:
        """What is wrong with it as a text that a model sees."""
        return (
            f"is without {shown(self.comment)}, a comment to YAML; if that is text, put all of it in quotes or on the "
            "lines after `>-`; if not, on a line above the key"
        )


@dataclass(frozen=True)
class Place:
    """Where a value hangs in a text: the index at which its key ends, or its dash stands, and their column."""

    begin: int
    column: int


TOP = Place(0, -1)


class Block(dict[str, Any]):
    """Keys and values, with the keys that stood there more than once."""

    repeated: tuple[str, ...] = ()


def refuse(problems: Iterable[Problem]) -> None:
    """Raises one InputError with a line for each problem, if there is any."""
    if lines := [str(problem) for problem in problems]:
        raise InputError("\n".join(lines))


def shown(value: object) -> str:
    """`value` for a message: short, quoted, with unprintable characters escaped."""
    text = str(value)
    return repr(text if len(text) <= 60 else f"{text[:57]}...")


def _bare(text: str) -> str:
    """`shown` without its quotes."""
    return shown(text.strip().strip("'\""))[1:-1]


def path_name(path: Path) -> str:
    """`path` for a message: one line that any terminal can print."""
    text = str(path)
    return text if text.isprintable() else repr(text)


def read(path: Path) -> tuple[Any, list[Problem]]:
    """The file as Block, list, str, None and NotText values, or None with the problems that prevent it."""
    name = path_name(path)
    try:
        with path.open("rb") as file:
            raw = file.read(16 * MAX_FILE_BYTES)
    except OSError as error:
        return None, [Problem(name, NO_ENTRY, "file", f"cannot be read: {error.strerror}")]
    text, faults = _decoded(raw)
    if not (faults := faults or [*_tabs(text)] or [*_syntax(text)]):
        return _tree(yaml.compose(text, Loader=_Loader), text), []
    ids = [*_ID.finditer(text)]
    problems: dict[tuple[str, str], Problem] = {}  # one of each kind an entry: an alias bomb holds hundreds
    for index, rule, message in faults:
        before = bisect_right(ids, index, key=lambda id: id.start())
        entry = _bare(ids[before - 1][1]) if before else NO_ENTRY
        problems.setdefault((entry, rule), Problem(name, entry, rule, message))
    return None, [*problems.values()]


def _decoded(raw: bytes) -> tuple[str, list[Fault]]:
    """The text, or one of as many characters as `raw` has bytes and why there is no better one."""
    text = raw.decode("latin-1")
    if len(raw) > MAX_FILE_BYTES:
        starts = [*(id.start() for id in _ID.finditer(text)), len(raw)]
        start, end = max(pairwise(starts), key=lambda entry: entry[1] - entry[0], default=(0, len(raw)))
        message = f"the file has more than {MAX_FILE_BYTES} bytes, which is the limit; this entry has {end - start}"
        return text, [(start, "file-size", message)]
    try:
        text = raw.decode("utf-8-sig").replace("\r\n", "\n")
        return (text if "\n" in text else text.replace("\r", "\n")).translate(STAND_INS), []
    except UnicodeDecodeError as error:
        return text, [(error.start, "utf-8", f"not valid UTF-8 at byte {error.start}; save the file as UTF-8")]


def _tabs(text: str) -> Iterator[Fault]:
    line, counted = 1, 0
    for match in _TAB.finditer(text):
        line, counted = line + text.count("\n", counted, match.end()), match.end()
        yield match.end(), "tab", f"line {line} is indented with a tab; YAML wants spaces"


def _syntax(text: str) -> Iterator[Fault]:
    """Walks the parser's events, which expand nothing, before anything is built from them."""
    try:
        yield from _features(yaml.parse(text, Loader=_Loader))
    except yaml.YAMLError as error:
        quote = "quoted" in str(getattr(error, "context", ""))  # found at the end of the file, but opened before
        mark = getattr(error, "context_mark" if quote else "problem_mark", None)
        what = " ".join(str(getattr(error, "problem", None) or error).split())
        if mark is None:
            yield -1, "yaml", f"not valid YAML: {_bare(what)}"
        else:
            hint = "write longer texts after `>-`, indented"
            yield mark.index, "yaml", f"not valid YAML at line {mark.line + 1}: {what}; {hint}"


def _features(events: Iterable[Any]) -> Iterator[Fault]:
    """Yields what is YAML but not ours; ends where it is dangerous."""
    depth, documents = 0, 0
    for event in events:
        index, line = event.start_mark.index, f"line {event.start_mark.line + 1}"
        documents += isinstance(event, yaml.DocumentStartEvent)
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if documents > 1:
            yield index, "yaml", f"{line} starts a second document; remove the '---'"
            return
        if depth > MAX_DEPTH:
            yield index, "nesting", f"{line} is nested deeper than {MAX_DEPTH} levels"
            return
        anchor, tag = getattr(event, "anchor", None), getattr(event, "tag", None)
        if isinstance(event, yaml.AliasEvent):
            yield index, "alias", f"{line} repeats the anchor {_bare(str(anchor))}; write the text out"
        elif anchor is not None:
            yield index, "alias", f"{line} sets the anchor {_bare(anchor)}; quote text that starts with &"
        if tag is not None:
            yield index, "tag", f"{line} has the tag {_bare(tag)}; quote text that starts with !"


def children(parent: yaml.CollectionNode, text: str, place: Place) -> Iterator[tuple[yaml.Node | None, Any, Place]]:
    """Each value or item of `parent`, which hangs at `place`: its key, if it has one, itself, and where it hangs."""
    end = parent.start_mark.index
    for member in parent.value:
        key, child = member if isinstance(member, tuple) else (None, member)
        dash = None if key else _DASH.search(text, end, child.start_mark.index)
        begin = key.end_mark.index if key else dash.start() if dash else end
        yield key, child, Place(begin, place.column if parent.flow_style else (key or parent).start_mark.column)
        end = child.end_mark.index


def comment_at(node: yaml.ScalarNode, text: str, place: Place) -> str | None:
    """The comment before or behind a scalar that hangs at `place` in `text`, if it stands where the scalar could.

    Behind a scalar that is on its line, or on the next one that is not blank, if that is indented as the scalar's
    could be. A comment beside a quoted text is none of it, unless it has no space after its #.
    """
    match = _COMMENT.search(text, place.begin, node.start_mark.index)
    if not match and node.style in ("|", ">"):
        match = _HEADER.match(text, node.start_mark.index)
    if not match and (match := _BEHIND.match(text, node.end_mark.index)):
        column = match.start(1) - (text.rfind("\n", 0, match.start(1)) + 1)
        match = match if column > place.column else None
    if not match or (node.style in ("'", '"') and not re.match(r"#\S", match[1])):
        return None
    return match[1]


def _tree(node: yaml.Node | None, text: str, place: Place = TOP) -> Any:
    if isinstance(node, yaml.SequenceNode):
        return [_tree(item, text, of_item) for _, item, of_item in children(node, text, place)]
    if isinstance(node, yaml.MappingNode):
        return _block(node, text, place)
    if not isinstance(node, yaml.ScalarNode):
        return None
    if (kind := node.tag.rpartition(":")[2]) not in ("str", "null"):
        return NotText(f"the {_KINDS.get(kind, kind)} {shown(node.value)}")
    value = None if kind == "null" else node.value
    comment = comment_at(node, text, place)
    return Commented(value or "", comment) if comment else value


def _block(node: yaml.MappingNode, text: str, place: Place) -> Block:
    block = Block()
    for key_node, value_node, of_value in children(node, text, place):
        key = key_node.value if isinstance(key_node, yaml.ScalarNode) else "(a list or a block)"
        if key in block:
            block.repeated = (*block.repeated, key)
        else:
            block[key] = _tree(value_node, text, of_value)
    return block
