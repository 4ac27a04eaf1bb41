"""How models are fine-tuned."""

from pydantic import NonNegativeFloat, PositiveFloat

from tasks.runtime.sections import Count, Fraction, part, section


@section("finetune")
class Finetune:
    """Training settings that hold for every model."""

    prompt_loss_weight: NonNegativeFloat  # of a question's tokens; an answer's weigh 1
    max_tokens: Count  # of a sample; longer ones are an error, never cut
    weight_decay: NonNegativeFloat
    warmup_fraction: Fraction  # of all optimiser steps
    max_grad_norm: PositiveFloat


@part
class ModelFinetune:
    """Training settings of one model."""

    learning_rate: PositiveFloat
    epochs: Count
    global_batch_size: Count  # samples per optimiser step, over all processes
