"""What the process of `warm_ranks` imports once, as a stage would: with one thread, and without the search for garbage."""

import os

from tasks import __main__ as entry
from tasks.runtime.imports import importing

os.environ |= {**entry.ENVIRONMENT, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}

with importing():
    import tasks.finetune  # noqa: F401
    import deepspeed  # noqa: F401, I001  # after tasks.lm.devices, which says what for
    import transformers.models.llama.modeling_llama  # noqa: F401
