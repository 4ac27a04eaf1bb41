"""perplexity: how likely the base model finds what a checkpoint wrote.

`python -m tasks perplexity --model smollm2-135m --arm values --base … --samples … --scores …`

The mean log-likelihood per token of a completion under the base model, given its prompt: minus the logarithm of its
perplexity. Text whose sentences do not follow from one another, or from the question, is less likely. So is another
manner of writing, and the base model's own text is likely by its nature: compare tuned arms with each other, and read
the distance from base as how far a model has come from what base would write.
"""

from collections.abc import Sequence

import pandas as pd

from tasks.formats.scores import write_scores
from tasks.inputs.characters import visible
from tasks.lm.devices import out_of_memory
from tasks.lm.likelihood import mean_log_likelihoods
from tasks.lm.models import OpenedModel, open_model, positions
from tasks.lm.prompting import Encoder, special_tokens
from tasks.runtime.command import Command, Job
from tasks.runtime.files import read_jsonl
from tasks.runtime.progress import Progress
from tasks.settings.perplexity import Perplexity
from tasks.settings.prompting import Prompting
from tasks.text.shown import whole_characters

METRIC = "base_likelihood"
COMMAND = Command(
    help="Measures how likely the base model finds a checkpoint's completions.",
    inputs={"base": "folder of the base model", "samples": "JSONL: the checkpoint's completions"},
    outputs={"scores": "Parquet: a score a completion"},
    params=("perplexity", "prompting"),
    names={"model": "a model of the ladder", "arm": "base or a tuned arm"},
)
KEYS = ["category", "prompt_id", "split", "sample"]


def main(job: Job) -> None:
    """Scores the first completions of each prompt of the chosen splits."""
    config, prompting = job.section("perplexity", Perplexity), job.section("prompting", Prompting)
    table = pd.DataFrame(read_jsonl(job.path("samples")), columns=[*KEYS, "prompt", "completion"])
    table = table[table["split"].isin(config.splits) & (table["sample"] < config.samples)].reset_index(drop=True)
    texts = list(zip(table["prompt"], table["completion"].map(whole_characters), strict=True))
    opened = open_model(job.path("base"))
    with out_of_memory("lower perplexity.batch_size"):
        scores = likelihoods(opened, texts, prompting, config.batch_size)
    table = table[KEYS].assign(metric=METRIC, score=pd.Series(scores, dtype=float), **job.names)
    reasons = pd.Series(["UNREADABLE" if score is None else None for score in scores], dtype=object)
    write_scores(job.path("scores"), table.assign(reason=reasons))


def likelihoods(
    opened: OpenedModel, texts: Sequence[tuple[str, str]], prompting: Prompting, batch_size: int
) -> list[float | None]:
    """The mean log-likelihood per token, in nats, of each (prompt, completion), as far as the model reads; None where
    nothing was written, or what the tokenizer would not read as text."""
    encoder, most = Encoder(opened.tokenizer, prompting), positions(opened.model)
    marks = [mark for mark in special_tokens(opened.tokenizer).values() if len(mark) > 1]
    plain = [i for i, (_, text) in enumerate(texts) if visible(text) and not any(mark in text for mark in marks)]
    rows = {i: within(*encoder.pair(*texts[i]), most) for i in plain}
    order = sorted(rows, key=lambda i: len(rows[i][1]))  # so that padding is short
    progress = Progress("perplexity", len(rows), "completions")
    found = dict(zip(order, mean_log_likelihoods(opened, [rows[i] for i in order], batch_size, progress), strict=True))
    return [found.get(i) for i in range(len(texts))]


def within(question: list[int], answer: list[int], most: float) -> tuple[list[int], list[int]]:
    """Both, the answer without what goes beyond `most` tokens."""
    return question, answer[: int(min(len(answer), most - len(question)))]
