"""What a stage's command declares, and the job that reaches its `main`.

A stage module holds `COMMAND` and `main(job)`; `python -m tasks <stage>` builds the command line from the
first and calls the second.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from tasks.runtime import config

T = TypeVar("T")


@dataclass(frozen=True)
class Command:
    """The flags of a stage and the parts of params.yaml it reads.

    `inputs`, `outputs` and `names` map a flag's name to its help. `params` lists dotted keys of params.yaml
    as dvc.yaml tracks them, with `{model}` and `{arm}` where the stage is run for each of them.
    """

    help: str
    inputs: Mapping[str, str]
    outputs: Mapping[str, str]
    params: tuple[str, ...]
    names: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Job:
    """One run of a stage: its paths, its names, and the parameters as they were at the start."""

    command: Command
    paths: Mapping[str, Path]
    names: Mapping[str, str]
    params: Mapping[str, Any]

    def path(self, flag: str) -> Path:
        """The path given for `flag`."""
        return self.paths[flag]

    def section(self, key: str, kind: type[T]) -> T:
        """The section at `key` (`{model}` and `{arm}` filled in) as `kind`; only declared keys can be read."""
        if key not in self.command.params:
            raise KeyError(f"'{key}' is not among the command's params: dvc.yaml would not track it")
        return config.section(self.params, key.format(**self.names), kind)

    def mapping(self, key: str, kind: type[T]) -> dict[str, T]:
        """The section at `key` as a mapping of names to `kind`."""
        return self.section(key, dict[str, kind])  # type: ignore[valid-type]
