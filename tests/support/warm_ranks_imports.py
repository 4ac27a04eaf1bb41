"""What the process of `warm_ranks` imports once, as a stage would: with one thread, and not looked at for garbage."""

import importlib
import os

from tasks import __main__ as entry
from tasks.runtime.imports import importing

os.environ |= {**entry.ENVIRONMENT, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
# tasks.finetune first, which says what DeepSpeed runs on
MODULES = ("tasks.finetune", "transformers.models.llama.modeling_llama", "deepspeed")

with importing():
    for name in MODULES:
        importlib.import_module(name)
