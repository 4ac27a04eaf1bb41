"""What a stage's `meta:` in dvc.yaml tells the flow.

    meta: {slot: gpu, tags: [model], retries: 3, retry_delay_seconds: 10,
           secrets: {PERSPECTIVE_API_KEY: perspective-api-key},
           table: data/made/tests.csv, link: data/made/report.html, summary: data/made/summary.txt,
           awaits: data/ratings/closed.json}

Other keys are nobody's business here.
"""

import dataclasses
from collections.abc import Mapping
from typing import Annotated, Any, Literal, cast

from pydantic import BeforeValidator, NonNegativeFloat, NonNegativeInt

from flows.dag import Stage
from flows.lines import SECRET_NAME
from tasks.runtime.errors import InputError
from tasks.runtime.sections import part
from tasks.runtime.validation import parse

SlotKind = Literal["gpu", "cpu", "none"]


def _texts(value: Any) -> Any:
    """A text as a list of one."""
    return (value,) if isinstance(value, str) else tuple(value) if isinstance(value, list) else value


def _pairs(value: Any) -> Any:
    """Keys and values as pairs."""
    if isinstance(value, tuple):
        return value
    if not isinstance(value, Mapping) or not all(isinstance(text, str) for pair in value.items() for text in pair):
        raise ValueError(f"expected environment variables, each with the name of a Secret block, found {value!r}")
    if shown := [name for name in value if not SECRET_NAME.search(name)]:
        expected = "names that end in KEY, TOKEN, SECRET or PASSWORD, whose values are kept out of every log"
        raise ValueError(f"'{shown[0]}'; expected {expected}")
    return tuple(value.items())


Texts = Annotated[tuple[str, ...], BeforeValidator(_texts)]


@part
class Meta:
    """`retry_delay_seconds` in seconds; the paths are relative to the root of the working tree.

    A stage that names no slot takes a `cpu` one, and one that names no retries is never retried. `awaits` is what
    people make while a sweep is suspended (`--wait-for-ratings`); any other sweep goes on without it.
    """

    slot: SlotKind = "cpu"
    tags: Texts = ()
    retries: NonNegativeInt = 0
    retry_delay_seconds: NonNegativeFloat = 0.0
    table: Texts = ()
    link: Texts = ()
    summary: Texts = ()
    awaits: Texts = ()
    # environment variable, name of Prefect's Secret block
    secrets: Annotated[tuple[tuple[str, str], ...], BeforeValidator(_pairs)] = ()

    @classmethod
    def of(cls, stage: Stage) -> "Meta":
        """The stage's meta; raises InputError with a line for each mistake, naming the stage and the key."""
        known = {field.name: stage.meta[field.name] for field in dataclasses.fields(cls) if field.name in stage.meta}
        meta, problems = parse(cls, known, f"dvc.yaml: stage {stage.name}: meta")
        if problems:
            raise InputError("\n".join(problems))
        return cast(Meta, meta)
