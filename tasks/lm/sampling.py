"""Sampling, whichever engine does it: prompts and their random streams go in, token ids come out."""

import hashlib
import itertools
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from tasks.runtime.errors import WorkError
from tasks.settings.generate import Generate
from tasks.settings.probe import Probe

Sampling = Generate | Probe  # both say how tokens are drawn


@dataclass(frozen=True)
class EncodedPrompt:
    """A prompt's token ids, and the names of its completions' random streams."""

    ids: list[int]
    streams: Sequence[str]


@dataclass(frozen=True)
class Completion:
    """The text up to its end, why it ended, and how many tokens were drawn for it."""

    text: str
    finish_reason: str  # stop (end-of-text, or a stop string) or length
    tokens: int


def stream_seed(seed: int, stream: str) -> int:
    """63 bits from the run's seed and the stream's name."""
    digest = hashlib.sha256(f"{seed}/{stream}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def require_some(completions: Sequence[Sequence[Completion]], cause: str) -> None:
    """Raises WorkError where every completion is empty: nothing that reads them could say anything."""
    drawn = [completion for of_prompt in completions for completion in of_prompt]
    if not any(completion.text.strip() for completion in drawn):
        raise WorkError(f"all {len(drawn)} completions are empty: {cause}")


def until_end(ids: list[int], ends: Collection[int]) -> tuple[list[int], bool]:
    """The token ids before the first that ends a completion, and whether there was one."""
    before = list(itertools.takewhile(lambda token: token not in ends, ids))
    return before, len(before) < len(ids)
