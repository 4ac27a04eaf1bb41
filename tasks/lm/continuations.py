"""Many continuations of few prompts.

The prompts are plain text, without a chat template. A sample has a random stream of its own, from the seed, the
prompt's text and the sample's number alone, so it does not depend on other prompts, and arms share their noise.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tasks.lm.models import Opened
from tasks.lm.prompting import Encoder
from tasks.lm.sampling import Text, draw
from tasks.runtime.progress import Progress
from tasks.settings.probe import Probe
from tasks.settings.prompting import Prompting

PLAIN = Prompting(chat=False, template="{question}", stop=())


@dataclass(frozen=True)
class Continuation:
    """What follows the prompt, with the space before it; why it ended; how many tokens were drawn for it."""

    text: str
    finish_reason: str  # stop (end-of-text) or length
    tokens: int


def continuations(opened: Opened, prompts: Sequence[str], config: Probe) -> list[list[Continuation]]:
    """`config.completions` samples for each of `prompts`, in their order."""
    encoder = Encoder(opened.tokenizer, PLAIN)
    numbers = range(config.completions)
    texts = [Text(encoder.question(prompt), [f"{prompt}/{number}" for number in numbers]) for prompt in prompts]
    progress = Progress("probe", len(prompts) * config.completions, "completions")
    drawn = draw(opened, texts, config, progress=progress)
    return [
        [_finish(opened.tokenizer, text.ids, ids) for ids in several]
        for text, several in zip(texts, drawn, strict=True)
    ]


def _finish(tokenizer: Any, prompt: list[int], ids: list[int]) -> Continuation:
    """The text is what the tokens add to the prompt's: alone, some tokenizers decode them without their space."""
    ended = tokenizer.eos_token_id in ids
    if ended:
        ids = ids[: ids.index(tokenizer.eos_token_id)]
    before, after = (tokenizer.decode(part, skip_special_tokens=True) for part in (prompt, prompt + ids))
    return Continuation(after.removeprefix(before), "stop" if ended else "length", len(ids))
