"""lm-evaluation-harness on a model that is already open; the only module here that imports it.

Nothing of the harness is copied: tasks, requests, metrics and aggregation are its own, so that the figures are
those of its command line (`command_line`), to the last digit.
"""

import difflib
import logging
import random
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import torch
from accelerate.utils.memory import should_reduce_batch_size  # type: ignore[import-untyped]
from lm_eval.api.instance import Instance
from lm_eval.api.task import Task
from lm_eval.evaluator import evaluate
from lm_eval.models.huggingface import HFLM
from lm_eval.tasks import TaskManager

from tasks.harness.local_files import read_anew
from tasks.lm.devices import has_bf16
from tasks.lm.models import OpenedModel
from tasks.runtime.errors import InputError, WorkError, one_line
from tasks.runtime.progress import Progress

HARNESS = version("lm_eval")
SEEDS = {"python": 0, "numpy": 1234, "torch": 1234, "fewshot": 1234}  # those of the harness's command line
EXPECTED_TOKENS = 512  # of a long item; a longer one ends in a smaller batch
SHARE_OF_MEMORY = 0.25  # of the device, that the scores of one batch may take
BYTES_PER_SCORE = 8  # a logit and its logarithm of a probability, in fp32
MISSING_DATA = "ConnectionError", "DatasetNotFoundError", "OfflineModeIsEnabled", "LocalEntryNotFoundError"


@dataclass(frozen=True)
class Evaluation:
    """The harness's results, and what they were computed with."""

    results: Mapping[str, Any]
    num_fewshot: int | None
    batch_size: int
    device: str
    precision: str  # "bf16" (autocast) or "fp32"


class Harness(HFLM):  # type: ignore[misc]
    """The harness's own wrapper of a transformers model, with sparse progress; its answers are not touched."""

    def __init__(self, opened: OpenedModel, batch_size: int) -> None:
        """Wraps an open model: weights as they are, bf16 arithmetic where the hardware has it."""
        super().__init__(
            pretrained=opened.model,
            tokenizer=opened.tokenizer,
            batch_size=batch_size,
            mixed_precision_dtype="bfloat16" if has_bf16(opened.device) else None,
            softmax_dtype="float32",  # else likelihoods would be rounded to three digits where logits are bf16
        )
        self.cache_hook = self  # the harness tells its cache about each answer; there is none, so count them
        self.progress: Progress | None = None

    def add_partial(self, _kind: str, _request: Any, _answer: Any) -> None:
        """Called by the harness once for each answer."""
        if self.progress:
            self.progress.step()

    def loglikelihood(self, requests: list[Instance], disable_tqdm: bool = True) -> list[tuple[float, bool]]:
        """As the harness defines it; log-likelihoods are sums over tokens, in nats."""
        self.progress = Progress("capability", len(requests), "answers")
        return super().loglikelihood(requests, disable_tqdm=disable_tqdm)  # type: ignore[no-any-return]

    def loglikelihood_rolling(self, requests: list[Instance], disable_tqdm: bool = True) -> list[float]:
        """As the harness defines it; of whole documents, in nats."""
        self.progress = Progress("capability", len(requests), "documents")
        return super().loglikelihood_rolling(requests, disable_tqdm=disable_tqdm)  # type: ignore[no-any-return]

    def _loglikelihood_tokens(self, requests: Any, disable_tqdm: bool = True, override_bs: int | None = None) -> Any:
        del disable_tqdm  # one caller insists on a bar
        return super()._loglikelihood_tokens(requests, disable_tqdm=True, override_bs=override_bs)


def load_tasks(names: Sequence[str], folder: Path, local: Sequence[str]) -> dict[str, Task]:
    """The tasks by name, with their data; a group or tag stands for its tasks. `local` names those in `folder`.

    The harness's own catalogue is searched only where it is needed, which takes some ten seconds. Raises
    InputError for an unknown name, and for data that are not there (no network) or not readable.
    """
    logging.getLogger("lm_eval").setLevel(logging.ERROR)
    all_local = set(names) <= set(local)
    manager = TaskManager(include_path=str(folder), include_defaults=not all_local)
    tasks: dict[str, Task] = {}
    for name in names:
        if name not in manager.all_tasks:
            near = difflib.get_close_matches(name, manager.all_tasks, n=3)
            hint = f"; near it: {', '.join(near)}" if near else ""
            raise InputError(f"params.yaml: capability.run: the harness knows no task '{name}'{hint}")
        with read_anew(folder):
            tasks |= _load(manager, name)
    return tasks


def _load(manager: TaskManager, name: str) -> dict[str, Task]:
    try:
        return dict(manager.load([name])["tasks"])
    except InputError:
        raise
    except Exception as error:  # anything: the harness has no error class of its own for a task it cannot load
        if any(kind.__name__ in MISSING_DATA for kind in type(error).__mro__):
            raise InputError(
                f"task '{name}': its data could not be fetched ({one_line(error)}); it needs a network once, or "
                "choose `tasks: [offline]` in capability.run"
            ) from None
        raise InputError(f"task '{name}' cannot be loaded: {type(error).__name__}: {one_line(error)}") from None


def run(opened: OpenedModel, tasks: Mapping[str, Task], num_fewshot: int | None, most: int) -> Evaluation:
    """Evaluates the tasks with the largest batch, at most `most`, that fits in memory: halved until it does."""
    batch_size = first_batch_size(opened, most)
    while True:
        try:
            prepare(tasks, num_fewshot)
            results = evaluate(Harness(opened, batch_size), {"tasks": dict(tasks)}, bootstrap_iters=0)
            precision = "bf16" if has_bf16(opened.device) else "fp32"
            return Evaluation(results, num_fewshot, batch_size, opened.device.type, precision)
        except (RuntimeError, MemoryError) as error:
            if not (isinstance(error, MemoryError) or should_reduce_batch_size(error)):
                raise
            if batch_size == 1:
                advice = "use a smaller model or other tasks"
                raise WorkError(f"out of memory even with one text at a time; {advice}") from None
        batch_size //= 2
        print(f"capability: out of memory, once more with batches of {batch_size}", file=sys.stderr, flush=True)
        if opened.device.type == "cuda":
            torch.cuda.empty_cache()


def prepare(tasks: Mapping[str, Task], num_fewshot: int | None) -> None:
    """Seeds and few-shot settings as the harness's `simple_evaluate` sets them.

    That function is not called itself: it would also describe the machine, with clock and installed packages,
    which takes seconds and changes from run to run.
    """
    random.seed(SEEDS["python"])
    np.random.seed(SEEDS["numpy"])
    torch.manual_seed(SEEDS["torch"])
    for task in tasks.values():
        default = task.get_config("num_fewshot")
        if default is None or (num_fewshot is not None and default != 0):  # a task that says 0 means it
            task.set_config(key="num_fewshot", value=num_fewshot or 0)
        task.set_fewshot_seed(seed=SEEDS["fewshot"])


def first_batch_size(opened: OpenedModel, most: int) -> int:
    """The batch to begin with: by the device's whole memory, so that it is the same in every run.

    The scores over the vocabulary are by far the largest thing in memory; on a CPU, running out of it ends the
    process without an exception, so the first guess must fit.
    """
    if opened.device.type == "cuda":
        memory = torch.cuda.get_device_properties(opened.device).total_memory
    else:
        memory = psutil.virtual_memory().total
    bytes_per_text = EXPECTED_TOKENS * opened.model.config.get_text_config().vocab_size * BYTES_PER_SCORE
    fits = max(1, int(memory * SHARE_OF_MEMORY // bytes_per_text))
    batch_size = most
    while batch_size > fits:
        batch_size //= 2
    return batch_size


def command_line(evaluation: Evaluation, tasks: Sequence[str], checkpoint: Path, folder: Path) -> str:
    """The harness's own command that gives the same figures. Seeds are its defaults."""
    arguments = f"pretrained={checkpoint},dtype=float32,softmax_dtype=float32"
    if evaluation.precision == "bf16":
        arguments += ",mixed_precision_dtype=bfloat16"
    flags = {"model": "hf", "model_args": arguments, "tasks": ",".join(tasks), "include_path": str(folder)}
    flags |= {"batch_size": str(evaluation.batch_size), "device": evaluation.device}
    if evaluation.num_fewshot is not None:
        flags["num_fewshot"] = str(evaluation.num_fewshot)
    return shlex.join(["lm_eval", "run", *(part for flag, value in flags.items() for part in (f"--{flag}", value))])
