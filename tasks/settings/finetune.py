"""How models are fine-tuned."""

from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat

from tasks.runtime.sections import Count, Fraction, Names, part, section


@section("finetune")
class Finetune:
    """Training settings that hold for every model."""

    prompt_loss_weight: NonNegativeFloat  # of a question's tokens; an answer's weigh 1
    max_tokens: Count  # of a sample; longer ones are an error, never cut
    weight_decay: NonNegativeFloat
    warmup_fraction: Fraction  # of all optimiser steps
    max_grad_norm: PositiveFloat


@part
class Lora:
    """Low-rank adapters (Hu et al. 2021) in place of the weights themselves, merged into them after training."""

    rank: Count
    alpha: PositiveFloat  # an adapter's product is scaled by alpha / rank
    dropout: Annotated[float, Field(ge=0, lt=1)]  # of what an adapter reads
    targets: Literal["all-linear"] | Names  # every linear layer but the head, or the ends of layers' names


@part
class ModelFinetune:
    """Training settings of one model."""

    learning_rate: PositiveFloat
    epochs: Count
    global_batch_size: Count  # samples per optimiser step, over all processes
    lora: Lora | None = None  # absent or null: every weight is trained
    interpolation: Annotated[float, Field(gt=0, le=1)] = 1.0  # how far from base to the tuned weights; 1: all the way
