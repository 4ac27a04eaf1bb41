"""LoRA: small adapters are trained in place of the weights, and merged into them afterwards.

What comes out is the base's own class with its tensors' names, so that everything after finetune reads it as any other.
"""

from collections.abc import Sequence
from typing import Any

import torch

from tasks.runtime.backends import require
from tasks.runtime.errors import InputError, WorkError, one_line
from tasks.settings.finetune import Lora
from tasks.settings.resources import FinetuneResources
from tasks.training.loss import require_finite

KEY = "models.<model>.finetune"
TOLERANCE = 1e-4  # of the largest logit; in fp32 a merge moves the last digits, some 3e-6 with SmolLM2-135M
ROWS, TOKENS = 4, 64  # what the merge is checked on


def require_possible(resources: FinetuneResources) -> None:
    """Raises InputError without the package peft, and under ZeRO-3, whose parts of weights cannot be merged."""
    require(KEY, "lora", {"peft": "peft"})
    if resources.zero == 3:
        raise InputError(
            "params.yaml: resources.finetune asks for zero: 3, which lora does not go with; "
            "adapters need little memory beside the weights: choose 0, 1 or 2"
        )


def wrap(model: Any, lora: Lora, seed: int) -> Any:
    """The model with adapters, which alone are trained. Raises InputError for targets that it lacks."""
    import peft

    targets = lora.targets if isinstance(lora.targets, str) else list(lora.targets)
    config = peft.LoraConfig(
        task_type="CAUSAL_LM",
        r=lora.rank,
        lora_alpha=lora.alpha,  # type: ignore[arg-type]  # any number is
        lora_dropout=lora.dropout,
        target_modules=targets,
    )
    ends = (model.get_input_embeddings(), model.get_output_embeddings())
    names = [name for name, module in model.named_modules() if module in ends]
    if _tied(model) and (shared := {name.rpartition(".")[2] for name in names}.intersection(lora.targets)):
        raise InputError(
            f"{KEY}.lora.targets: {', '.join(sorted(shared))}: this model's head is its embedding, "
            "and an adapter of one would change both; leave it out"
        )
    torch.manual_seed(seed)  # of the adapters' first weights
    try:
        return peft.get_peft_model(model, config)
    except ValueError as error:
        raise InputError(f"{KEY}.lora.targets: {one_line(error)}") from None


def merged(model: Any, rows: Sequence[Any]) -> Any:
    """The base model with what its adapters learned, checked on the logits of a few of `rows`.

    Raises InputError if the adapters changed nothing, and WorkError if the merged model is not what was trained.
    """
    require_finite(model.state_dict())
    model.train(False)
    device = next(model.parameters()).device
    texts = [torch.tensor([row["input_ids"][:TOKENS]], device=device) for row in rows[:ROWS]]
    with model.disable_adapter():
        before = _logits(model, texts)
    adapted = _logits(model, texts)
    if torch.equal(adapted, before):
        raise InputError(f"the adapters changed nothing and no model is kept; raise {KEY}.learning_rate or epochs")
    tied = _tied(model)
    plain = model.merge_and_unload()
    off = float((_logits(plain, texts) - adapted).abs().max())
    if off > (most := TOLERANCE * float(adapted.abs().max())):
        raise WorkError(f"the merged model's logits differ from the adapters' by {off:.2g}, more than {most:.2g}")
    if tied != _tied(plain):
        raise WorkError("merging the adapters parted the head from the embedding; train without lora")
    return plain


def _logits(model: Any, texts: Sequence[torch.Tensor]) -> torch.Tensor:
    with torch.no_grad():
        return torch.cat([model(input_ids=ids).logits[0].float().cpu() for ids in texts])


def _tied(model: Any) -> bool:
    return model.get_output_embeddings().weight is model.get_input_embeddings().weight
