"""Whether a model can be used as every stage uses it. fetch asks once, so that no later stage has to say it."""

import sys
from typing import Any

import torch

from tasks.lm.models import end_ids, positions, require_end
from tasks.lm.prompting import Encoder, special_tokens
from tasks.runtime.errors import InputError
from tasks.settings.prompting import Prompting

LEAST_POSITIONS = 256  # a sample of a hundred words and its question
PILOT = Prompting(chat=True, template="Question: {question}\nAnswer:", date="2026-01-01", stop=())


def require_usable(name: str, model: Any, tokenizer: Any) -> None:
    """Raises InputError for a model without an end-of-text token, with too few positions, with weights that are no
    numbers, with a tokenizer that makes tokens which the model lacks, or with a chat template that refuses a question
    or draws at random.

    A padding token that the model lacks is replaced in `tokenizer` by the end-of-text token: padding is never read.
    """
    rows = model.get_input_embeddings().weight.shape[0]
    require_end(name, tokenizer)
    if (tokenizer.pad_token_id or 0) >= rows:
        print(f"{name}: the model lacks the padding token {tokenizer.pad_token_id}; using end-of-text", file=sys.stderr)
        tokenizer.pad_token = tokenizer.eos_token
    if (most := positions(model)) < LEAST_POSITIONS:
        raise InputError(f"{name}: reads {most} tokens at most; samples and prompts need {LEAST_POSITIONS}")
    encoder = Encoder(tokenizer, PILOT)
    question, answer = encoder.pair("What is this?", "This is an answer.")
    if len({tuple(encoder.question("What is this?")) for _ in range(8)}) > 1:
        raise InputError(f"{name}: the chat template gives another text each time; mend or remove it")
    words = set(tokenizer.get_vocab().values()) - set(special_tokens(tokenizer))
    ids = {*question, *answer, *end_ids(model, tokenizer)} | words
    if lacking := sorted(id for id in ids if id >= rows):
        tokens = ", ".join(f"{id} ({tokenizer.convert_ids_to_tokens(id)})" for id in lacking[:3])
        raise InputError(
            f"{name}: tokenizer and model do not belong together: the model has {rows} tokens and lacks "
            f"{len(lacking)} that are used, such as {tokens}; get both from one place"
        )
    if broken := [key for key, tensor in model.named_parameters() if not bool(torch.isfinite(tensor).all())]:
        raise InputError(f"{name}: {broken[0]} holds numbers that are not finite; the file is damaged: get it again")
