"""finetune: full or LoRA fine-tuning of a base model on one arm's dataset, by the Hugging Face Trainer.

`python -m tasks finetune --model smollm2-135m --arm values --base … --samples … --checkpoint … --log …`
"""

import tempfile
from pathlib import Path

import pandas as pd
import torch

from tasks.formats.samples import read_samples
from tasks.lm.devices import best_device, quiet
from tasks.lm.models import load_tokenizer, load_weights, require_positions
from tasks.runtime import launch
from tasks.runtime.command import Command, Job
from tasks.runtime.files import atomic_write, require_space, write_text
from tasks.settings.finetune import Finetune, ModelFinetune
from tasks.settings.prompting import Prompting
from tasks.settings.resources import finetune_resources
from tasks.settings.sweep import Arm
from tasks.training import lora, zero
from tasks.training.interpolation import interpolate
from tasks.training.loss import require_finite
from tasks.training.recipe import Recipe
from tasks.training.rows import encode
from tasks.training.trainer import arguments, train
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
    arm = job.section("arms.{arm}", Arm)
    recipe = Recipe(
        job.section("finetune", Finetune),
        arm.recipe or job.section("models.{model}.finetune", ModelFinetune),
        job.section("prompting", Prompting),
        arm.seed,
    )
    resources = finetune_resources(job.params, job.names["model"])
    if recipe.model.lora:
        lora.require_possible(resources)
    samples = read_samples(job.path("samples"))
    quiet()
    torch.set_num_threads(launch.threads())
    tokenizer = load_tokenizer(job.path("base"))
    rows = encode(samples, tokenizer, recipe)
    zero.join(resources, best_device())
    with tempfile.TemporaryDirectory(prefix="palms-trainer-") as scratch:
        args = arguments(recipe, resources, len(rows), Path(scratch))  # before the model, which ZeRO-3 partitions
        model = load_weights(job.path("base"))
        require_positions(model, max(rows["length"]), "the longest sample")
        require_space(job.path("checkpoint").parent, checkpoint_bytes(model), "the fine-tuned model")
        if recipe.model.lora:
            model = lora.wrap(model, recipe.model.lora, recipe.seed)
        log = train(model, rows, tokenizer.pad_token_id, recipe, args)
    if recipe.model.lora:
        model = lora.merged(model, list(rows))
    weights = zero.gathered(model)
    if launch.rank() == 0:
        require_finite(weights)
        if recipe.model.interpolation < 1:
            interpolate(weights, load_weights(job.path("base")).state_dict(), recipe.model.interpolation)
        with atomic_write(job.path("checkpoint")) as temporary:
            model.save_pretrained(temporary, state_dict=weights)
            tokenizer.save_pretrained(temporary)
        table = pd.DataFrame(log, columns=list(LOG_COLUMNS))
        write_text(job.path("log"), table.to_csv(index=False, lineterminator="\n"))
    zero.leave()


def checkpoint_bytes(model: torch.nn.Module) -> int:
    """What saving the model takes, and a tenth for the files beside it."""
    return int(zero.size(model) * BYTES_PER_PARAMETER * 1.1)
