"""The memory that fine-tuning and generation need, reckoned from a model's shape; docs/models.md compares it with
measured peaks. Bytes throughout. Imports no torch.
"""

from dataclasses import dataclass

from tasks.lm.shapes import Shape
from tasks.settings.finetune import Lora
from tasks.settings.resources import FinetuneResources

WEIGHT = 4  # bytes of fp32; a gradient takes as much, Adam's two moments twice as much
LIBRARIES = 700_000_000  # Python and torch, or the context of a GPU
BUCKET = 500_000_000  # weights that DeepSpeed collects before it sends them, its own default
LIVE = 1_000_000_000  # weights that ZeRO-3 has whole at once, its own default


@dataclass(frozen=True)
class Need:
    """The memory of one process where it computes, and what it puts aside in the node's memory beside a GPU."""

    device: int
    host: int = 0


def finetuning(
    shape: Shape, resources: FinetuneResources, lora: Lora | None, micro: int, tokens: int, *, bf16: bool
) -> Need:
    """At most what each process needs to train on `micro` samples of `tokens` at once, with bf16 autocast or without.

    Without DeepSpeed: weights, gradients and Adam's moments, 16 bytes a weight; with several processes the gradients'
    buckets, too. ZeRO-1, -2 and -3 share the moments, the gradients and the weights; DeepSpeed keeps a copy of the
    weights that a process updates, but not in ZeRO-3 without offload.
    """
    weights = WEIGHT * shape.parameters
    trained = WEIGHT * shape.adapters(lora.rank) if lora else weights
    adapters = trained if lora else 0
    world, stage = resources.world, resources.zero
    cast = weights // 2 if bf16 and not lora and stage < 3 else 0  # autocast keeps bf16 copies of trained weights
    batch = micro * tokens * activations(shape, bf16=bf16)
    if not stage:
        buckets = trained if world > 1 else 0
        return Need(LIBRARIES + weights + adapters + 3 * trained + buckets + cast + batch)
    moved = WEIGHT * (2 * min(shape.parameters, BUCKET) + (min(shape.parameters, LIVE) if stage == 3 else 0))
    held = weights // world if stage == 3 else weights
    gradients = trained // world if stage >= 2 else trained
    copy = stage < 3 or resources.offload != "none"
    update = (3 if copy else 2) * trained // world
    fixed = LIBRARIES + moved + cast + batch + adapters
    if resources.offload == "all":
        return Need(fixed, held + gradients + update)
    if resources.offload == "optimizer":
        return Need(fixed + held + (gradients if stage != 2 else 0), update + (gradients if stage == 2 else 0))
    return Need(fixed + held + gradients + update)


def activations(shape: Shape, *, bf16: bool) -> int:
    """What a token leaves for the backward pass: two norms (fp32) of each layer, the inputs of its matrices and of
    attention, and at the end the logits with their softmax and gradient. GPT-2 itself leaves half as much again."""
    size = 2 if bf16 else 4
    norms = (6 if shape.gated else 3) * shape.hidden * WEIGHT  # Llama's kind is several operations, LayerNorm is one
    inside = (4 * shape.heads * shape.head_dim + (4 if shape.gated else 2) * shape.intermediate) * size
    return shape.layers * (norms + inside) + shape.vocabulary * (size + 3 * WEIGHT)


def generation(shape: Shape, batch: int, tokens: int, *, bf16: bool) -> int:
    """What `batch` completions need that are `tokens` long with their prompts: weights, keys and values, and the
    logits as they are sorted and drawn from."""
    size = 2 if bf16 else 4
    cache = 2 * shape.layers * shape.kv_heads * shape.head_dim * size
    return LIBRARIES + WEIGHT * shape.parameters + batch * (tokens * cache + 6 * WEIGHT * shape.vocabulary)
