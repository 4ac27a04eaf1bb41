"""adherence: how much likelier a checkpoint finds the desired answers than the undesired ones.

`python -m tasks adherence --model smollm2-135m --arm values --checkpoint … --prompts data/prompts --scores …`

For each prompt's pair: the mean log-likelihood per token of the desired answer minus that of the undesired
one, given the prompt, in nats per token; and the same without the prompt, which tells how fluent each answer
is by itself.
"""

from collections.abc import Sequence

import pandas as pd
import torch

from tasks.formats.scores import write_scores
from tasks.inputs.dataset import Prompt, load_prompts
from tasks.lm.devices import out_of_memory
from tasks.lm.models import OpenedModel, open_model, require_positions
from tasks.lm.padding import attention_mask, padded
from tasks.lm.prefill import prefill
from tasks.lm.prompting import Encoder
from tasks.runtime.command import Command, Job
from tasks.runtime.progress import Progress
from tasks.settings.adherence import Adherence
from tasks.settings.prompting import Prompting

COMMAND = Command(
    help="Compares the likelihood of desired and undesired answers.",
    inputs={"checkpoint": "folder of the checkpoint", "prompts": "folder of the evaluation prompts"},
    outputs={"scores": "Parquet: three scores a prompt"},
    params=("adherence", "prompting"),
    names={"model": "a model of the ladder", "arm": "base or a tuned arm"},
)
ANSWERS = ("desired", "undesired")
IGNORED = -100  # marks padding among targets; torch counts no loss there


def main(job: Job) -> None:
    """Scores every pair and writes the scores."""
    config = job.section("adherence", Adherence)
    prompting = job.section("prompting", Prompting)
    prompts = load_prompts(job.path("prompts"))
    opened = open_model(job.path("checkpoint"))
    with out_of_memory("lower adherence.batch_size"):
        table = score(opened, prompts, prompting, config.batch_size)
    write_scores(job.path("scores"), metrics(table).assign(**job.names))


def metrics(table: pd.DataFrame) -> pd.DataFrame:
    """Three metrics of `score`'s table: `adherence`, the margin in nats per token, and what it is the sum of:
    `adherence_free`, the margin that the answers have without the prompt, and `adherence_less_free`, the rest."""
    free = table["margin_free"]
    parts = {"adherence": table["margin"], "adherence_free": free, "adherence_less_free": table["margin"] - free}
    return pd.concat(
        [table.assign(sample=0, metric=name, score=values) for name, values in parts.items()], ignore_index=True
    )


def score(opened: OpenedModel, prompts: Sequence[Prompt], prompting: Prompting, batch_size: int) -> pd.DataFrame:
    """One row a prompt: `desired`, `undesired` (mean log-likelihood per token, nats), the same `_free` of the
    prompt, `margin` and `margin_free` (their differences)."""
    encoder = Encoder(opened.tokenizer, prompting)
    pairs = [[encoder.pair(prompt.prompt, getattr(prompt, which)) for which in ANSWERS] for prompt in prompts]
    longest = max(len(question + answer) for pair in pairs for question, answer in pair)
    require_positions(opened.model, longest, "the longest prompt with an answer of its pair")
    # so that padding is short
    order = sorted(range(len(prompts)), key=lambda i: (max(len(answer) for _, answer in pairs[i]), i))
    progress = Progress("adherence", 4 * len(prompts), "answers")

    def of_each(start: list[int] | None) -> dict[int, list[float]]:
        """Of each prompt the desired and the undesired answer's, after `start` or else after the question."""
        rows = [(start or question, answer) for i in order for question, answer in pairs[i]]
        values = mean_log_likelihoods(opened, rows, batch_size, progress)
        return {i: values[2 * at : 2 * at + 2] for at, i in enumerate(order)}

    prompted, free = of_each(None), of_each(encoder.start())
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
        for desired, undesired, desired_free, undesired_free in [prompted[i] + free[i]]
    ]
    return pd.DataFrame(rows)


def mean_log_likelihoods(
    opened: OpenedModel,
    pairs: Sequence[tuple[list[int], list[int]]],
    batch_size: int,
    progress: Progress | None = None,
) -> list[float]:
    """Mean log-likelihood per answer token, in nats, of each (context ids, answer ids).

    Neighbours share a batch: those of one context should stand together, and answers of one length near each other.
    """
    found: list[float] = []
    for start in range(0, len(pairs), batch_size):
        rows = pairs[start : start + batch_size]
        with torch.inference_mode(), opened.autocast():
            found += _batch(opened, [context for context, _ in rows], [answer for _, answer in rows])
        if progress:
            progress.step(len(rows))
    return found


def _batch(opened: OpenedModel, contexts: Sequence[list[int]], answers: Sequence[list[int]]) -> list[float]:
    distinct = list(dict.fromkeys(map(tuple, contexts)))
    prefix = prefill(opened, [list(context) for context in distinct])
    prefix.select([distinct.index(tuple(context)) for context in contexts])
    targets = padded(answers, IGNORED).to(opened.device)
    losses = torch.nn.functional.cross_entropy(prefix.logits.float(), targets[:, 0], reduction="none").double()
    if targets.shape[1] > 1:  # an answer's last token predicts nothing that is asked for
        read_on = [answer[:-1] for answer in answers]
        ids = padded(read_on, opened.tokenizer.pad_token_id).to(opened.device)
        logits = prefix.extend(opened, ids, attention_mask(read_on).to(opened.device)).flatten(0, 1).float()
        rest = torch.nn.functional.cross_entropy(logits, targets[:, 1:].flatten(), reduction="none")
        losses = losses + rest.view(len(answers), -1).double().sum(dim=1)
    return [-loss / len(answer) for loss, answer in zip(losses.tolist(), answers, strict=True)]
