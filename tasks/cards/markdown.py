"""What both cards are made of: the hub's YAML at the top, tables, and licences by the hub's ids."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import yaml

# those of the hub's ids that models and texts here may have; any other is called `other` and named
LICENSES = ("apache-2.0", "mit", "bsd-3-clause", "cc-by-4.0", "cc-by-sa-4.0", "cc-by-nc-4.0", "cc0-1.0", "gemma")


def front(about: Mapping[str, Any]) -> str:
    """The block of YAML that the hub reads, without keys that hold nothing."""
    filled = {key: value for key, value in about.items() if value}
    return f"---\n{yaml.safe_dump(filled, sort_keys=False, allow_unicode=True)}---\n"


def license_of(name: str | None) -> dict[str, str]:
    """The hub's keys for a licence as people write it, such as `Apache-2.0`."""
    if not name:
        return {}
    own = name.lower()
    if own in LICENSES:
        return {"license": own}
    return {"license": "other", "license_name": re.sub(r"[^a-z0-9.-]+", "-", own).strip("-") or "other"}


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table of Markdown; bars and line ends within a cell would end it."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)


def _cell(value: object) -> str:
    return " ".join(str(value).split()).replace("|", "\\|")


def number(value: str | float | None, form: str = "+.3f") -> str:
    """A number as text; a dash where there is none."""
    return "–" if value in ("", None) else format(float(value), form).replace("-", "−")
