"""adherence: how much likelier a cell finds the desired answers than the undesired ones.

`python -m tasks adherence --rung smollm2-135m --arm values --model … --prompts data/prompts --scores …`

For each prompt's pair: the mean log-likelihood per token of the desired answer minus that of the undesired
one, given the prompt, in nats per token; and the same without the prompt, which tells how fluent each answer
is by itself.
"""

from collections.abc import Sequence

import pandas as pd
import torch

from tasks.command import Command, Job
from tasks.config import Adherence, Prompting
from tasks.dataset import Prompt, load_prompts
from tasks.models import Opened, open_model, out_of_memory
from tasks.progress import Progress
from tasks.prompting import Encoder
from tasks.tables import write_table

COMMAND = Command(
    help="Compares the likelihood of desired and undesired answers.",
    inputs={"model": "folder of the cell's model", "prompts": "folder of the evaluation prompts"},
    outputs={"scores": "Parquet: one row a prompt"},
    params=("adherence", "prompting"),
    names={"rung": "a rung of the ladder", "arm": "base or a tuned arm"},
)
ANSWERS = ("desired", "undesired")


def main(job: Job) -> None:
    """Scores every pair and writes one row a prompt."""
    config = job.section("adherence", Adherence)
    prompting = job.section("prompting", Prompting)
    prompts = load_prompts(job.path("prompts"))
    opened = open_model(job.path("model"))
    with out_of_memory("lower adherence.batch_size"):
        table = score(opened, prompts, prompting, config.batch_size)
    table.insert(0, "model", job.names["rung"])
    table.insert(1, "arm", job.names["arm"])
    write_table(job.path("scores"), table)


def score(opened: Opened, prompts: Sequence[Prompt], prompting: Prompting, batch_size: int) -> pd.DataFrame:
    """One row a prompt: `desired`, `undesired` (mean log-likelihood per token, nats), the same `_free` of the
    prompt, `margin` and `margin_free` (their differences)."""
    encoder = Encoder(opened.tokenizer, prompting)
    pairs = []  # (context, answer), four for each prompt
    for prompt in prompts:
        question = encoder.question(prompt.prompt)
        answers = [encoder.answer(getattr(prompt, which)) for which in ANSWERS]
        pairs += [(context, answer) for context in (question, encoder.start()) for answer in answers]
    values = mean_log_likelihoods(opened, pairs, batch_size)
    rows = [
        {
            "category": prompt.category,
            "prompt_id": prompt.id,
            "split": prompt.split,
            "desired": desired,
            "undesired": undesired,
            "desired_free": desired_free,
            "undesired_free": undesired_free,
            "margin": desired - undesired,
            "margin_free": desired_free - undesired_free,
        }
        for i, prompt in enumerate(prompts)
        for desired, undesired, desired_free, undesired_free in [values[4 * i : 4 * i + 4]]
    ]
    return pd.DataFrame(rows)


def mean_log_likelihoods(
    opened: Opened, pairs: Sequence[tuple[list[int], list[int]]], batch_size: int
) -> list[float]:
    """Mean log-likelihood per answer token, in nats, of each (context ids, answer ids)."""
    order = sorted(range(len(pairs)), key=lambda i: (len(pairs[i][0]) + len(pairs[i][1]), i))
    found: dict[int, float] = {}
    progress = Progress("adherence", len(pairs), "answers")
    for start in range(0, len(order), batch_size):
        rows = order[start : start + batch_size]
        found.update(zip(rows, _batch(opened, [pairs[i] for i in rows]), strict=True))
        progress.step(len(rows))
    return [found[i] for i in range(len(pairs))]


def _batch(opened: Opened, pairs: Sequence[tuple[list[int], list[int]]]) -> list[float]:
    longest = max(len(context) + len(answer) for context, answer in pairs)
    pad = opened.tokenizer.pad_token_id
    texts = [context + answer for context, answer in pairs]
    ids = torch.tensor([text + [pad] * (longest - len(text)) for text in texts], device=opened.device)
    mask = torch.tensor([[1] * len(t) + [0] * (longest - len(t)) for t in texts], device=opened.device)
    with torch.inference_mode(), opened.autocast():
        logits = opened.model(input_ids=ids, attention_mask=mask).logits
    means = []
    for row, (context, answer) in enumerate(pairs):
        positions = slice(len(context) - 1, len(context) + len(answer) - 1)  # position t predicts token t + 1
        answer_logits = logits[row, positions].float()
        targets = ids[row, len(context) : len(context) + len(answer)]
        means.append(-torch.nn.functional.cross_entropy(answer_logits, targets).item())
    return means
