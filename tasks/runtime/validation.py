"""Plain values as typed ones by pydantic, with every mistake told at once in this project's words."""

import dataclasses
import functools
import json
import types
import typing
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import TypeAdapter, ValidationError

from tasks.runtime.errors import instead, nearest

EXPECTED = {  # by pydantic's name of the mistake
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "string_type": "text",
    "bool_type": "true or false",
    "tuple_type": "a list",
    "dict_type": "keys and values",
    "dataclass_type": "keys and values",
    "model_attributes_type": "keys and values",
    "greater_than_equal": "at least {ge:g}",
    "greater_than": "more than {gt:g}",
    "less_than": "less than {lt:.10g}",
    "less_than_equal": "at most {le:g}",
    "literal_error": "{expected}",
    "union_tag_invalid": "{expected_tags}",
}
_adapter = functools.lru_cache(maxsize=None)(TypeAdapter)


def parse(kind: Any, value: Any, where: str) -> tuple[Any, list[str]]:
    """`value`, as YAML gives it, as the annotated type `kind`; or None and a line for each mistake.

    A line begins with `where` and the key. Lists become tuples and whole numbers serve as numbers; nothing else
    is converted.
    """
    try:
        return _adapter(kind).validate_json(json.dumps(_plain(value)), strict=True), []
    except ValidationError as error:
        return None, _lines(kind, error.errors(include_url=False), where)


def _plain(value: Any) -> Any:
    """`value` as JSON holds it; a date, which JSON lacks, becomes what no class accepts."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value if value is None or isinstance(value, str | int | float) else [[str(value)]]


def _lines(kind: Any, mistakes: Sequence[Mapping[str, Any]], where: str) -> list[str]:
    """A line for each mistake, but one alone for a key that is unknown as it is misspelt, and so missing, too."""
    missing: dict[tuple[Any, ...], list[str]] = {}
    for mistake in mistakes:
        if mistake["type"] == "missing":
            *above, key = mistake["loc"]
            missing.setdefault(tuple(above), []).append(str(key))
    misspelt = set()
    for mistake in mistakes:
        *above, key = mistake["loc"] or ("",)
        if mistake["type"] == "unexpected_keyword_argument" and (meant := nearest(key, missing.get(tuple(above), ()))):
            misspelt.add((*above, meant))
    return [
        _line(kind, mistake, where, missing.get(tuple(mistake["loc"][:-1]), ()))
        for mistake in mistakes
        if mistake["type"] != "missing" or mistake["loc"] not in misspelt
    ]


def _line(kind: Any, mistake: Mapping[str, Any], where: str, missing: Sequence[str]) -> str:
    path, cls = trace(kind, mistake["loc"])
    name, value, context = mistake["type"], mistake["input"], mistake.get("ctx", {})
    if name == "union_tag_not_found":
        text = f"missing key {context['discriminator']}"
    elif name == "missing":
        text = f"missing key '{path.pop()}'"
    elif name == "unexpected_keyword_argument":
        key, known = path.pop(), [field.name for field in dataclasses.fields(cls)]
        text = f"unknown key '{key}'; {instead(key, missing if nearest(key, missing) else known)}"
    elif name == "value_error":
        text = str(context["error"])
        if not path or ":" in text:  # a class's own rule begins with the key that it is about, if it is about one
            return f"{where}{_dotted(path)}{'.' if ':' in text else ': '}{text}"
    else:
        if name == "union_tag_invalid":
            path, value = [*path, context["discriminator"].strip("'")], context["tag"]
        expected = EXPECTED.get(name, mistake["msg"]).format(**context).replace(", ", " or ")
        text = f"expected {expected}, found {_found(value)}"
        quotable = isinstance(value, int | float) or _found(value).startswith("the date")
        text += "; write it in quotes" if name == "string_type" and quotable else ""
    return f"{where}{_dotted(path)}: {text}"


def _found(value: Any) -> str:
    match value:
        case None:
            return "nothing"
        case [[str(date)]]:
            return f"the date {date}"
    return repr(value)[:80]


def _dotted(path: list[Any]) -> str:
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)


def trace(kind: Any, location: tuple[Any, ...]) -> tuple[list[Any], Any]:
    """The keys on the way to a mistake, without pydantic's marks of a union's members, and the last class passed."""
    path, cls = [], None
    for step in location:
        kind = _bare(kind)
        arguments = typing.get_args(kind)
        if typing.get_origin(kind) in (typing.Union, types.UnionType):
            kind = next(member for member in arguments if repr(step) in str(typing.get_type_hints(member)))
            continue
        path.append(step)
        if dataclasses.is_dataclass(kind):
            cls, kind = kind, typing.get_type_hints(kind).get(step)
        else:
            kind = arguments[0] if typing.get_origin(kind) is tuple else arguments[-1]
    return path, cls


def _bare(kind: Any) -> Any:
    """The type without its constraints, and without None beside it."""
    kind = typing.get_args(kind)[0] if typing.get_origin(kind) is Annotated else kind
    members = [member for member in typing.get_args(kind) if member is not type(None)]
    return members[0] if len(members) == 1 and typing.get_origin(kind) is types.UnionType else kind
