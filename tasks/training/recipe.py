"""What decides what a fine-tuning run makes."""

from dataclasses import dataclass

from tasks.settings.finetune import Finetune, ModelFinetune
from tasks.settings.prompting import Prompting


@dataclass(frozen=True)
class Recipe:
    """Everything that decides what a fine-tuning run makes."""

    common: Finetune
    model: ModelFinetune
    prompting: Prompting
    seed: int
