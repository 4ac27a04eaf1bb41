"""What people wrote as typed records: pydantic over what `strict_yaml` reads, with every fault of an entry at once."""

import dataclasses
import functools
import re
from collections.abc import Callable, Iterable
from typing import Annotated, Any, TypeVar

from pydantic import PlainValidator, TypeAdapter, ValidationError, ValidationInfo
from pydantic_core import PydanticCustomError

from tasks.inputs import characters
from tasks.inputs.strict_yaml import Block, Commented, NotText, shown

T = TypeVar("T")
Fault = tuple[str, str]  # which rule, and what is wrong
NAME = re.compile(r"\w[\w-]*")  # ids, categories and slots: letters of any script, digits, - and _
NAME_RULE = "expected letters, digits, - and _ only"
_adapter: Callable[[Any], TypeAdapter[Any]] = functools.cache(TypeAdapter)


def parse(kind: type[T], value: Any) -> tuple[T | None, list[Fault]]:
    """`value` as the record `kind`, with its faults; None if a key that is needed is missing or at fault."""
    fields = dataclasses.fields(kind)  # type: ignore[arg-type]
    needed = [field.name for field in fields if field.default is dataclasses.MISSING]
    if not isinstance(value, Block):
        return None, [("nesting", f"expected the keys {', '.join(needed)}; found {described(value)}")]
    faults = [("duplicate-key", f"the key {shown(key)} stands here more than once") for key in value.repeated]
    try:
        return _adapter(kind).validate_python(value, strict=False), faults
    except ValidationError as error:
        mistakes = error.errors(include_url=False)
    for mistake in mistakes:
        key = mistake["loc"][0]
        if mistake["type"] == "missing":
            faults.append(("missing-key", f"the key '{key}' is missing"))
        elif mistake["type"] == "unexpected_keyword_argument":
            known = ", ".join(field.name for field in fields)
            faults.append(("unknown-key", f"unknown key {shown(key)}; known are {known}"))
        else:
            faults += mistake["ctx"]["faults"]
    wrong = {mistake["loc"][0] for mistake in mistakes}
    sound = Block((key, item) for key, item in value.items() if key not in wrong)
    return parse(kind, sound)[0] if len(sound) < len(value) else None, faults


def checked(faults: Callable[[Any, ValidationInfo], Iterable[Fault]], clean: Callable[[Any], Any] = lambda x: x) -> Any:
    """The pydantic validator that refuses a value for its `faults`, and else makes it `clean`."""

    def validate(value: Any, info: ValidationInfo) -> Any:
        if wrong := tuple(faults(value, info)):
            raise PydanticCustomError("faults", "at fault", {"faults": wrong})
        return clean(value)

    return PlainValidator(validate)


def _text_faults(value: Any, info: ValidationInfo) -> Iterable[Fault]:
    key = info.field_name
    if value is None or (isinstance(value, str) and not characters.visible(value)):
        yield "empty", f"{key} is empty" + (f"; it {value.fault}" if isinstance(value, Commented) else "")
    elif not isinstance(value, str):
        hint = "; put it in quotes" if isinstance(value, NotText) else ""
        yield "not-text", f"{key}: expected text, found {described(value)}{hint}"
    else:
        if isinstance(value, Commented):
            yield "comment", f"{key} {value.fault}"
        yield from ((rule, f"{key} {fault}") for rule, fault in characters.faults(value))


def _note_faults(value: Any, info: ValidationInfo) -> Iterable[Fault]:
    """A note may be empty, may be a date, and may have a comment behind it: nobody reads it but people."""
    date = isinstance(value, NotText) and value.description.startswith("the date")
    note = str(value) if isinstance(value, Commented) else value
    return () if note in (None, "") or date else _text_faults(note, info)


def _id_faults(value: Any, info: ValidationInfo) -> Iterable[Fault]:
    if not isinstance(value, str) or not NAME.fullmatch(value.strip()):
        yield "name", f"{info.field_name}: {NAME_RULE}, found {described(value)}"


TEXT = checked(_text_faults, str.strip)  # without the space around it
Text = Annotated[str, TEXT]
Note = Annotated[Any, checked(_note_faults)]
Id = Annotated[str, checked(_id_faults, str.strip)]


def name_of(entry: Any, otherwise: str) -> str:
    """The id of an entry, or what else it is to be called."""
    id = entry.get("id") if isinstance(entry, Block) else None
    return id.strip() if isinstance(id, str) and NAME.fullmatch(id.strip()) else otherwise


def described(value: Any) -> str:
    """What stands in the place of something else, for a message."""
    if isinstance(value, NotText):
        return value.description
    if value is None or (isinstance(value, Commented) and not value):
        return "nothing"
    if isinstance(value, str):
        return f"the text {shown(value)}"
    return "a list" if isinstance(value, list) else "keys and values"
