"""Engines that draw completions, one file each, chosen by `generate.engine` and `probe.engine`, imported when used."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, cast

from tasks.lm.sampling import EncodedPrompt, Sampling
from tasks.runtime.backends import open_backend, require

ENGINES = {name: f"tasks.lm.engines.{name}" for name in ("transformers", "vllm")}
PACKAGES = {"vllm": {"vllm": "vllm"}}  # what an engine imports when it draws: module → name for pip


class Opened(Protocol):
    """A checkpoint's folder as an engine opened it."""

    @property
    def tokenizer(self) -> Any:
        """Its tokenizer."""

    @property
    def ends(self) -> frozenset[int]:
        """The tokens that end a completion."""


class Engine(Protocol):
    """What an engine's module offers: the same token ids in, the same stop rules, the same rows out."""

    def open_folder(self, folder: Path, tensor_parallel: int) -> Opened:
        """Opens a model; `tensor_parallel` GPUs share its weights, where the engine can. Raises InputError if the
        folder holds no readable model."""

    def sample(
        self, opened: Any, prompts: Sequence[EncodedPrompt], sampling: Sampling, label: str, stop: tuple[str, ...] = ()
    ) -> list[list[list[int]]]:
        """For each prompt and stream the token ids drawn, with the token that ended it; prompts in their order. After
        one of the strings of `stop`, that is the end of text.

        `label` is the section of params.yaml. Raises InputError if a prompt is too long for the model.
        """


def engine(label: str, name: str) -> Engine:
    """The engine that params.yaml chooses at `<label>.engine`.

    Raises InputError if there is none of that name or its package is missing.
    """
    key = f"{label}.engine"
    module = open_backend(key, name, ENGINES)
    require(key, name, PACKAGES.get(name, {}))
    return cast(Engine, module)
