"""What a stage's `meta:` in dvc.yaml tells the flow.

    meta: {slot: gpu, tags: [model], retries: 3, retry_delay_seconds: 10,
           secrets: {PERSPECTIVE_API_KEY: perspective-api-key},
           table: data/made/tests.csv, link: data/made/report.html, summary: data/made/summary.txt}

Other keys are nobody's business here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from flows.dag import Stage
from flows.lines import SECRET_NAME
from tasks.runtime.errors import InputError

SlotKind = Literal["gpu", "cpu", "none"]


@dataclass(frozen=True)
class Meta:
    """`retry_delay_seconds` in seconds; the paths are relative to the root of the working tree.

    A stage that names no slot takes a `cpu` one, and one that names no retries is never retried.
    """

    slot: SlotKind = "cpu"
    tags: tuple[str, ...] = ()
    retries: int = 0
    retry_delay_seconds: float = 0.0
    table: tuple[str, ...] = ()
    link: tuple[str, ...] = ()
    summary: tuple[str, ...] = ()
    secrets: tuple[tuple[str, str], ...] = ()  # environment variable, name of Prefect's Secret block

    @classmethod
    def of(cls, stage: Stage) -> "Meta":
        """The stage's meta; raises InputError that names the stage and the key."""
        found = stage.meta
        return cls(
            slot=_slot(stage, found.get("slot", "cpu")),
            tags=_texts(stage, found, "tags"),
            retries=int(_number(stage, found, "retries", whole=True)),
            retry_delay_seconds=_number(stage, found, "retry_delay_seconds"),
            table=_texts(stage, found, "table"),
            link=_texts(stage, found, "link"),
            summary=_texts(stage, found, "summary"),
            secrets=_pairs(stage, found, "secrets"),
        )


def _wrong(stage: Stage, key: str, value: Any, expected: str) -> InputError:
    return InputError(f"dvc.yaml: stage {stage.name}: meta.{key} is {value!r}; expected {expected}")


def _slot(stage: Stage, value: Any) -> SlotKind:
    for kind in get_args(SlotKind):
        if value == kind:
            slot: SlotKind = kind
            return slot
    raise _wrong(stage, "slot", value, "gpu, cpu or none")


def _number(stage: Stage, found: Mapping[str, Any], key: str, *, whole: bool = False) -> float:
    value = found.get(key, 0)
    kinds = (int,) if whole else (int, float)
    if isinstance(value, bool) or not isinstance(value, kinds) or value < 0:
        raise _wrong(stage, key, value, f"a {'whole ' if whole else ''}number of 0 or more")
    return value


def _pairs(stage: Stage, found: Mapping[str, Any], key: str) -> tuple[tuple[str, str], ...]:
    value = found.get(key, {})
    if not isinstance(value, Mapping) or not all(isinstance(part, str) for pair in value.items() for part in pair):
        raise _wrong(stage, key, value, "environment variables, each with the name of a Secret block")
    if shown := [name for name in value if not SECRET_NAME.search(name)]:
        expected = "names that end in KEY, TOKEN, SECRET or PASSWORD, whose values are kept out of every log"
        raise _wrong(stage, key, shown[0], expected)
    return tuple(value.items())


def _texts(stage: Stage, found: Mapping[str, Any], key: str) -> tuple[str, ...]:
    value = found.get(key, [])
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise _wrong(stage, key, value, "a text or a list of texts")
    return tuple(texts)
