"""finetune: full fine-tuning of a base model on one arm's dataset, by the Hugging Face Trainer.

`python -m tasks finetune --model smollm2-135m --arm values --base … --samples … --checkpoint … --log …`
"""

import pandas as pd
import torch

from tasks.formats.samples import read_samples
from tasks.lm.devices import quiet
from tasks.lm.models import load_tokenizer, load_weights, require_positions
from tasks.runtime import launch
from tasks.runtime.command import Command, Job
from tasks.runtime.files import atomic_write, require_space, write_text
from tasks.settings.finetune import Finetune, ModelFinetune
from tasks.settings.prompting import Prompting
from tasks.settings.resources import finetune_resources
from tasks.settings.sweep import Arm
from tasks.training.loss import require_finite
from tasks.training.recipe import Recipe
from tasks.training.rows import encode
from tasks.training.trainer import train
from tasks.training.watch import LOG_COLUMNS

COMMAND = Command(
    help="Fine-tunes a base model on one arm's dataset.",
    inputs={"base": "folder of the base model", "samples": "JSONL that curate made"},
    outputs={"checkpoint": "folder of the fine-tuned model", "log": "CSV: loss and learning rate by step"},
    params=("finetune", "models.{model}.finetune", "prompting", "arms.{arm}"),
    names={"model": "a model of the ladder", "arm": "a tuned arm"},
)
BYTES_PER_PARAMETER = 4  # fp32: a small update would be lost in bf16's three digits


def main(job: Job) -> None:
    """Trains and saves the model and its log; leaves neither if the loss stops being a number."""
    recipe = Recipe(
        job.section("finetune", Finetune),
        job.section("models.{model}.finetune", ModelFinetune),
        job.section("prompting", Prompting),
        job.section("arms.{arm}", Arm).seed,
    )
    samples = read_samples(job.path("samples"))
    micro = finetune_resources(job.params, job.names["model"]).micro_batch_size
    quiet()
    torch.set_num_threads(launch.threads())
    tokenizer = load_tokenizer(job.path("base"))
    rows = encode(samples, tokenizer, recipe)
    model = load_weights(job.path("base"))
    require_positions(model, max(rows["length"]), "the longest sample")
    size = sum(p.numel() for p in model.parameters()) * BYTES_PER_PARAMETER
    require_space(job.path("checkpoint").parent, int(size * 1.1), "the fine-tuned model")
    # here a method that trains other weights than the model's own wraps it
    log = train(model, rows, tokenizer.pad_token_id, recipe, micro)
    # and here it puts what it learned into the model
    require_finite(model)
    with atomic_write(job.path("checkpoint")) as temporary:
        model.save_pretrained(temporary)
        tokenizer.save_pretrained(temporary)
    table = pd.DataFrame(log, columns=list(LOG_COLUMNS))
    write_text(job.path("log"), table.to_csv(index=False, lineterminator="\n"))
