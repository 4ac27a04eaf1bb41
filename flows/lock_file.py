"""dvc.lock, which says what the stages that have run were made of and what they made."""

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path, PurePath
from typing import Any

import yaml

NAME = "dvc.lock"
_LOADER: type = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times as fast, where it was built


@lru_cache(maxsize=1)  # a sweep looks at it more than once before it begins
def parse(text: str) -> Any:
    """What it says, to be read only. Raises yaml.YAMLError for text that was cut off, for instance."""
    return yaml.load(text, Loader=_LOADER)


def outs(root: Path) -> dict[str, dict[str, str]]:
    """Stage -> its outputs below `root` and their hashes, of every stage that has run, whether the graph still has it
    or not."""
    path = root / NAME
    content = parse(path.read_text(encoding="utf-8")) if path.exists() else None
    stages: Mapping[str, Any] = (content or {}).get("stages") or {}
    return {
        str(name): {str(out["path"]): str(out.get("md5", "")) for out in entry.get("outs", []) if _is_inside(out)}
        for name, entry in stages.items()
    }


def _is_inside(out: Mapping[str, Any]) -> bool:
    path = PurePath(out["path"])
    return not path.is_absolute() and ".." not in path.parts
