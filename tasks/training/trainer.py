"""Training by the Hugging Face Trainer, whose step is the same however its batch is cut up."""

import math
import sys
from pathlib import Path
from typing import Any

import datasets
import torch
import transformers

from tasks.lm.devices import best_device, has_bf16, out_of_memory
from tasks.runtime import launch
from tasks.settings.resources import FinetuneResources
from tasks.training import zero
from tasks.training.loss import weighted_loss_sum
from tasks.training.order import Filled, Order
from tasks.training.recipe import Recipe
from tasks.training.rows import collate
from tasks.training.watch import Watch


def train(
    model: Any, rows: datasets.Dataset, pad: int, recipe: Recipe, args: transformers.TrainingArguments
) -> list[dict[str, float]]:
    """Trains `model` in place; returns the log, one row an optimiser step."""
    watch = Watch()
    trainer = WeightedTrainer(
        model=model,
        args=args,
        train_dataset=Filled(rows, recipe.model.global_batch_size),
        data_collator=lambda batch: collate(batch, pad),
        callbacks=[watch],
    )
    trainer.remove_callback(transformers.PrinterCallback)
    with out_of_memory("lower resources.finetune.<model>.micro_batch_size"):
        trainer.train()
    return watch.rows


class WeightedTrainer(transformers.Trainer):
    """A Trainer whose loss is Σ weight × nll / Σ weight over the whole optimiser step.

    The denominator runs over gradient accumulation and all processes, so that the same global batch gives
    the same step however it is cut up.
    """

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.loss_is_scaled_for_ga = True  # by the denominator above; the Trainer must not divide again

    def _get_train_sampler(self, train_dataset: Any = None) -> Order:
        """The order of the global batch, of which accelerate hands every process its micro-batches in turn."""
        del train_dataset
        assert isinstance(self.train_dataset, Filled)
        return Order(self.train_dataset, self.args.seed)

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


def arguments(
    recipe: Recipe, resources: FinetuneResources, count: int, scratch: Path
) -> transformers.TrainingArguments:
    """The Trainer's arguments; the global batch is kept whatever a process can hold and however many there are."""
    batch = recipe.model.global_batch_size
    micro = resources.micro_batch(batch)
    steps = recipe.model.epochs * math.ceil(count / batch)
    if launch.rank() == 0:
        print(f"fine-tuning on {count} samples, {steps} steps of {batch}", file=sys.stderr, flush=True)
    bf16 = has_bf16(best_device())
    made = transformers.TrainingArguments(
        output_dir=str(scratch),
        num_train_epochs=recipe.model.epochs,
        per_device_train_batch_size=micro,
        gradient_accumulation_steps=batch // micro // resources.world,
        learning_rate=recipe.model.learning_rate,
        lr_scheduler_type="linear",
        warmup_steps=round(recipe.common.warmup_fraction * steps),
        weight_decay=recipe.common.weight_decay,
        max_grad_norm=recipe.common.max_grad_norm,
        optim="adamw_torch_fused",
        seed=recipe.seed,
        data_seed=recipe.seed,
        bf16=bf16 and not resources.zero,
        deepspeed=zero.deepspeed_config(resources, bf16=bf16),
        ddp_backend="gloo" if best_device().type == "cpu" and resources.world > 1 else None,
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
