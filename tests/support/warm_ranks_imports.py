"""What the process of `warm_ranks` imports once, as a stage would: with one thread, and not looked at for garbage."""

import os

from tasks import __main__ as entry
from tasks.runtime.imports import importing

os.environ |= {**entry.ENVIRONMENT, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}

with importing():
    import transformers.models.llama.modeling_llama  # noqa: F401
