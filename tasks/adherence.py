"""adherence: how much likelier a checkpoint finds the desired answers than the undesired ones.

`python -m tasks adherence --model smollm2-135m --arm values --checkpoint … --prompts data/prompts --scores … --pairs …`

For each pair of answers: the mean log-likelihood per token of the desired one minus that of the undesired one, given
the prompt, in nats per token; and the same without the prompt, which tells how fluent each answer is by itself. A
prompt's score is the mean over its pairs.
"""

from collections.abc import Sequence

import pandas as pd

from tasks.formats.scores import write_scores
from tasks.inputs.dataset import Prompt, load_prompts
from tasks.lm.devices import out_of_memory
from tasks.lm.likelihood import mean_log_likelihoods
from tasks.lm.models import OpenedModel, open_model, require_positions
from tasks.lm.prompting import Encoder
from tasks.runtime.command import Command, Job
from tasks.runtime.files import write_text
from tasks.runtime.progress import Progress
from tasks.settings.adherence import Adherence
from tasks.settings.prompting import Prompting

COMMAND = Command(
    help="Compares the likelihood of desired and undesired answers.",
    inputs={"checkpoint": "folder of the checkpoint", "prompts": "folder of the evaluation prompts"},
    outputs={"scores": "Parquet: three scores a prompt", "pairs": "CSV: the likelihoods of each pair, and its texts"},
    params=("adherence", "prompting"),
    names={"model": "a model of the ladder", "arm": "base or a tuned arm"},
)
ANSWERS = ("desired", "undesired")
LIKELIHOODS = (*ANSWERS, *(f"{which}_free" for which in ANSWERS))


def main(job: Job) -> None:
    """Scores every pair and writes the scores."""
    config = job.section("adherence", Adherence)
    prompting = job.section("prompting", Prompting)
    prompts = [prompt for prompt in load_prompts(job.path("prompts")) if prompt.split in config.splits]
    opened = open_model(job.path("checkpoint"))
    with out_of_memory("lower adherence.batch_size"):
        pairs = score(opened, prompts, prompting, config.batch_size).assign(**job.names)
    write_text(job.path("pairs"), pairs.to_csv(index=False))
    write_scores(job.path("scores"), metrics(of_prompts(pairs)).assign(**job.names))


def metrics(prompts: pd.DataFrame) -> pd.DataFrame:
    """Three metrics of a prompt (`of_prompts`): `adherence`, the margin in nats per token, and what it is the sum of:
    `adherence_free`, the margin that the answers have without the prompt, and `adherence_less_free`, the rest."""
    free = prompts["margin_free"]
    parts = {"adherence": prompts["margin"], "adherence_free": free, "adherence_less_free": prompts["margin"] - free}
    return pd.concat(
        [prompts.assign(sample=0, metric=name, score=values) for name, values in parts.items()], ignore_index=True
    )


def of_prompts(pairs: pd.DataFrame) -> pd.DataFrame:
    """One row a prompt: the means over its pairs (`score`), the margins anew, and how many `pairs` they were."""
    groups = pairs.groupby(["category", "prompt_id", "split"], sort=False, as_index=False)
    return with_margins(groups[list(LIKELIHOODS)].mean()).assign(pairs=groups.size()["size"])


def with_margins(table: pd.DataFrame) -> pd.DataFrame:
    """The table with `margin` and `margin_free`, by which the desired answer is likelier."""
    return table.assign(
        margin=table["desired"] - table["undesired"], margin_free=table["desired_free"] - table["undesired_free"]
    )


def score(opened: OpenedModel, prompts: Sequence[Prompt], prompting: Prompting, batch_size: int) -> pd.DataFrame:
    """One row a pair, which has its number (`pair`, from 1) and its texts: `desired`, `undesired` (mean log-likelihood
    per token, nats), the same `_free` of the prompt, `margin` and `margin_free` (their differences)."""
    encoder = Encoder(opened.tokenizer, prompting)
    pairs = [(prompt, number, pair) for prompt in prompts for number, pair in enumerate(prompt.pairs, 1)]
    rows = [encoder.pair(prompt.prompt, getattr(pair, which)) for prompt, _, pair in pairs for which in ANSWERS]
    longest = max(len(question + answer) for question, answer in rows)
    require_positions(opened.model, longest, "the longest prompt with an answer of its pairs")
    progress = Progress("adherence", 2 * len(rows), "answers")

    def in_order(rows: Sequence[tuple[list[int], list[int]]]) -> list[float]:
        """The rows' values, read with those of one context together and about equally long ones near each other."""
        longest: dict[tuple[int, ...], int] = {}
        for context, answer in rows:
            longest[tuple(context)] = max(len(answer), longest.get(tuple(context), 0))
        order = sorted(range(len(rows)), key=lambda i: (longest[tuple(rows[i][0])], rows[i][0], len(rows[i][1])))
        values = mean_log_likelihoods(opened, [rows[i] for i in order], batch_size, progress)
        return [value for _, value in sorted(zip(order, values, strict=True))]

    prompted = in_order(rows)
    free = in_order([(encoder.start(), answer) for _, answer in rows])
    table = pd.DataFrame(
        {
            "category": prompt.category,
            "prompt_id": prompt.id,
            "split": prompt.split,
            "pair": number,
            "desired_text": pair.desired,
            "undesired_text": pair.undesired,
        }
        for prompt, number, pair in pairs
    )
    columns = zip(LIKELIHOODS, (prompted[::2], prompted[1::2], free[::2], free[1::2]), strict=True)
    return with_margins(table.assign(**dict(columns)))
