"""finetune: full fine-tuning of a base model on one arm's dataset, by the Hugging Face Trainer.

`python -m tasks finetune --model smollm2-135m --arm values --base … --samples … --checkpoint … --log …`
"""

import math
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import datasets
import pandas as pd
import torch
import transformers

from tasks.formats.samples import Sample, read_samples
from tasks.lm.devices import best_device, has_bf16, out_of_memory, quiet
from tasks.lm.models import load_tokenizer, load_weights, require_positions
from tasks.lm.padding import attention_mask, padded
from tasks.lm.prompting import Encoder
from tasks.runtime import launch
from tasks.runtime.command import Command, Job
from tasks.runtime.errors import InputError
from tasks.runtime.files import atomic_write, require_space, write_text
from tasks.runtime.progress import Progress
from tasks.settings.finetune import Finetune, ModelFinetune
from tasks.settings.prompting import Prompting
from tasks.settings.resources import finetune_resources
from tasks.settings.sweep import Arm

COMMAND = Command(
    help="Fine-tunes a base model on one arm's dataset.",
    inputs={"base": "folder of the base model", "samples": "JSONL that curate made"},
    outputs={"checkpoint": "folder of the fine-tuned model", "log": "CSV: loss and learning rate by step"},
    params=("finetune", "models.{model}.finetune", "prompting", "arms.{arm}"),
    names={"model": "a model of the ladder", "arm": "a tuned arm"},
)
LOG_COLUMNS = ("step", "epoch", "loss", "learning_rate", "grad_norm")
BYTES_PER_PARAMETER = 4  # fp32: a small update would be lost in bf16's three digits


@dataclass(frozen=True)
class Recipe:
    """Everything that decides what a fine-tuning run makes."""

    common: Finetune
    model: ModelFinetune
    prompting: Prompting
    seed: int


def main(job: Job) -> None:
    """Trains and saves the model and its log; leaves neither if the loss stops being a number."""
    arm = job.section("arms.{arm}", Arm)
    recipe = Recipe(
        job.section("finetune", Finetune),
        arm.recipe or job.section("models.{model}.finetune", ModelFinetune),
        job.section("prompting", Prompting),
        arm.seed,
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
    log = train(model, rows, tokenizer.pad_token_id, recipe, micro)
    require_finite(model)
    with atomic_write(job.path("checkpoint")) as temporary:
        model.save_pretrained(temporary)
        tokenizer.save_pretrained(temporary)
    table = pd.DataFrame(log, columns=list(LOG_COLUMNS))
    write_text(job.path("log"), table.to_csv(index=False, lineterminator="\n"))


def encode(samples: Sequence[Sample], tokenizer: Any, recipe: Recipe) -> datasets.Dataset:
    """Token ids and loss weights of every sample.

    Raises InputError for a sample of more than `max_tokens`: cutting it would teach an unfinished answer.
    """
    limit = recipe.common.max_tokens
    encoder = Encoder(tokenizer, recipe.prompting)
    rows = []
    for sample in samples:
        question, answer = encoder.pair(sample.question, sample.answer)
        answer = [*answer, encoder.end]
        if len(question) + len(answer) > limit:
            raise InputError(
                f"sample {sample.id}: {len(question) + len(answer)} tokens, but finetune.max_tokens is "
                f"{limit}; shorten the answer or raise the limit"
            )
        weights = [recipe.common.prompt_loss_weight] * len(question) + [1.0] * len(answer)
        rows.append({"input_ids": question + answer, "loss_weights": weights, "length": len(weights)})
    if not rows:
        raise InputError("no samples to train on")
    return datasets.Dataset.from_list(rows)


def collate(rows: Sequence[Mapping[str, Any]], pad: int) -> dict[str, torch.Tensor]:
    """Pads to the longest row of the batch; padding weighs nothing. All tensors are batch × length."""
    ids = [row["input_ids"] for row in rows]
    return {
        "input_ids": padded(ids, pad),
        "attention_mask": attention_mask(ids),
        "loss_weights": padded([row["loss_weights"] for row in rows], 0.0, torch.float32),
    }


def weighted_loss_sum(logits: torch.Tensor, ids: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Sum over tokens of weight × negative log-likelihood in nats; position t predicts token t + 1."""
    # the targets are moved, not the logits cut: a copy of those costs as much as their softmax
    last = torch.zeros_like(weights[:, :1])
    following = torch.cat([weights[:, 1:], last], dim=1)
    targets = torch.cat([ids[:, 1:], last.to(ids.dtype)], dim=1)
    losses = torch.nn.functional.cross_entropy(logits.flatten(0, 1).float(), targets.flatten(), reduction="none")
    return (losses * following.flatten()).sum()


class WeightedTrainer(transformers.Trainer):
    """A Trainer whose loss is Σ weight × nll / Σ weight over the whole optimiser step.

    The denominator runs over gradient accumulation and all processes, so that the same global batch gives
    the same step however it is cut up.
    """

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.loss_is_scaled_for_ga = True  # by the denominator above; the Trainer must not divide again

    def get_batch_samples(self, epoch_iterator: Any, num_batches: int, device: torch.device) -> tuple[list[Any], Any]:
        """The micro-batches of a step and the sum of their loss weights over all processes."""
        batches = [batch for _, batch in zip(range(num_batches), epoch_iterator, strict=False)]
        total = sum((batch["loss_weights"][:, 1:].sum() for batch in batches), start=torch.zeros(())).to(device)
        return batches, self.accelerator.gather(total).sum()

    def compute_loss(
        self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """This micro-batch's share of the step's loss."""
        weights = inputs.pop("loss_weights")
        outputs = model(**inputs)
        total = num_items_in_batch if num_items_in_batch is not None else weights[:, 1:].sum()
        loss = weighted_loss_sum(outputs.logits, inputs["input_ids"], weights) / total
        loss = loss * self.accelerator.num_processes  # gradients are averaged over processes
        return (loss, outputs) if return_outputs else loss


def diverged(what: str) -> InputError:
    """The error of a training that ran away; its hyperparameters are the input that is wrong."""
    return InputError(f"{what}: training diverged and no model is kept; lower models.<model>.finetune.learning_rate")


def require_finite(model: torch.nn.Module) -> None:
    """Raises InputError for weights that are no numbers: the last step's loss is that before its update."""
    if not all(bool(torch.isfinite(parameter).all()) for parameter in model.parameters()):
        raise diverged("the weights are no finite numbers after the last step")


class Watch(transformers.TrainerCallback):
    """Shows progress, keeps the log, and stops a training whose loss is no number any more."""

    def __init__(self) -> None:
        self.rows: list[dict[str, float]] = []
        self.progress: Progress | None = None

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
        """Called after every optimiser step."""
        del args, control, kwargs
        if not logs or "loss" not in logs:
            return
        for key, name in (("loss", "loss"), ("grad_norm", "gradient's norm")):
            if not math.isfinite(logs.get(key, 0.0)):
                raise diverged(f"the {name} is {logs[key]} at step {state.global_step}")
        if self.progress is None:
            self.progress = Progress("finetune", state.max_steps, "steps")
        self.progress.step(note=f"loss {logs['loss']:.3f}")
        row = {"step": state.global_step, "epoch": state.epoch, **logs}
        self.rows.append({key: row[key] for key in LOG_COLUMNS if key in row})


def train(model: Any, rows: datasets.Dataset, pad: int, recipe: Recipe, micro: int) -> list[dict[str, float]]:
    """Trains `model` in place; returns the log, one row an optimiser step."""
    watch = Watch()
    with tempfile.TemporaryDirectory(prefix="palms-trainer-") as scratch:
        trainer = WeightedTrainer(
            model=model,
            args=arguments(recipe, micro, len(rows), Path(scratch)),
            train_dataset=rows,
            data_collator=lambda batch: collate(batch, pad),
            callbacks=[watch],
        )
        trainer.remove_callback(transformers.PrinterCallback)
        with out_of_memory("lower resources.finetune.<model>.micro_batch_size"):
            trainer.train()
    return watch.rows


def arguments(recipe: Recipe, micro: int, count: int, scratch: Path) -> transformers.TrainingArguments:
    """The Trainer's arguments; the global batch is kept whatever a process can hold."""
    batch = recipe.model.global_batch_size
    micro = min(micro, batch)
    if batch % micro:
        raise InputError(f"resources: micro_batch_size {micro} does not divide the global_batch_size {batch}")
    steps = recipe.model.epochs * math.ceil(count / batch)
    print(f"fine-tuning on {count} samples, {steps} steps of {batch}", file=sys.stderr, flush=True)
    made = transformers.TrainingArguments(
        output_dir=str(scratch),
        num_train_epochs=recipe.model.epochs,
        per_device_train_batch_size=micro,
        gradient_accumulation_steps=batch // micro,
        learning_rate=recipe.model.learning_rate,
        lr_scheduler_type="linear",
        warmup_steps=round(recipe.common.warmup_fraction * steps),
        weight_decay=recipe.common.weight_decay,
        max_grad_norm=recipe.common.max_grad_norm,
        optim="adamw_torch_fused",
        train_sampling_strategy="group_by_length",
        length_column_name="length",
        seed=recipe.seed,
        data_seed=recipe.seed,
        bf16=has_bf16(best_device()),
        use_cpu=best_device().type == "cpu",
        logging_steps=1,
        logging_nan_inf_filter=False,
        save_strategy="no",
        report_to=[],
        disable_tqdm=True,
        remove_unused_columns=False,
        dataloader_pin_memory=False,
    )
    if made.n_gpu > 1:  # else the Trainer would wrap the model in DataParallel, and the global batch would grow
        made._n_gpu = 1
    return made
