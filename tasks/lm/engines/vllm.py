"""Sampling with vLLM, on GPUs: https://docs.vllm.ai.

Each completion is a request of its own with the seed of its stream: of several completions of one request, vLLM would
number the seeds. vLLM draws by noise of its own and computes all in bf16, so its completions are not those of the
engine transformers, though of the same law; batch-invariant mode makes them depend on seed, stream, hardware and
version alone.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import transformers

from tasks.lm.models import end_ids, load_tokenizer, require_positions
from tasks.lm.sampling import EncodedPrompt, Sampling, stream_seed
from tasks.runtime.errors import InputError, WorkError, one_line

ENVIRONMENT = {
    "VLLM_BATCH_INVARIANT": "1",
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",  # the engine runs in this process, which decides in what order it works
    "VLLM_NO_USAGE_STATS": "1",
}
TEMPERATURES = (0.01, 2.0)  # those that vLLM takes as they are
FINISHED = ("stop", "length")  # why a request ends that came to its end


@dataclass(frozen=True)
class Folder:
    """A checkpoint's folder, whose weights are read when completions are drawn."""

    path: Path
    tensor_parallel: int

    @cached_property
    def tokenizer(self) -> Any:
        """Its tokenizer."""
        return load_tokenizer(self.path)

    @cached_property
    def config(self) -> Any:
        """The model's configuration."""
        return transformers.AutoConfig.from_pretrained(self.path, trust_remote_code=False, local_files_only=True)

    @cached_property
    def ends(self) -> frozenset[int]:
        """The tokens that end a completion: those of the same model in the other engine."""
        if (self.path / transformers.utils.GENERATION_CONFIG_NAME).exists():
            generation = transformers.GenerationConfig.from_pretrained(self.path)
        else:
            generation = transformers.GenerationConfig.from_model_config(self.config)
        return end_ids(SimpleNamespace(config=self.config, generation_config=generation), self.tokenizer)


def open_folder(folder: Path, tensor_parallel: int) -> Folder:
    """The folder, once its configuration could be read. Raises InputError if not."""
    opened = Folder(folder, tensor_parallel)
    try:
        opened.ends  # noqa: B018 (reads the configuration and the tokenizer)
    except (OSError, ValueError) as error:
        raise InputError(f"{folder}: no model that vLLM can read: {one_line(error)}") from None
    return opened


def sample(
    opened: Folder, prompts: Sequence[EncodedPrompt], sampling: Sampling, label: str, stop: tuple[str, ...] = ()
) -> list[list[list[int]]]:
    """For each prompt and stream the token ids drawn, with the token that ended it; prompts in their order. After one
    of the strings of `stop`, that is the end of text.

    `batch_size` completions are drawn at once. Raises WorkError where vLLM fails.
    """
    tokens = max((len(prompt.ids) for prompt in prompts), default=0) + sampling.max_new_tokens
    require_positions(opened, tokens, f"the longest prompt with {label}.max_new_tokens")
    least, most = TEMPERATURES
    if not least <= sampling.temperature <= most:
        raise InputError(
            f"params.yaml: {label}.temperature: the engine vllm takes {least:g} to {most:g}, "
            f"found {sampling.temperature:g}"
        )
    os.environ.update(ENVIRONMENT)  # read when vllm is imported
    import vllm

    requests = [(prompt.ids, stream) for prompt in prompts for stream in prompt.streams]
    shared: Mapping[str, Any] = {
        "n": 1,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "top_k": 0,
        "max_tokens": sampling.max_new_tokens,
        "stop": list(stop),
        # ours alone: else vLLM would add those that it finds in the folder itself
        "stop_token_ids": sorted(opened.ends),
        "ignore_eos": True,
        "skip_special_tokens": False,  # as the other engine looks for strings to stop at
    }
    try:
        model = vllm.LLM(
            model=str(opened.path),
            dtype="bfloat16",
            seed=sampling.seed,
            tensor_parallel_size=opened.tensor_parallel,
            max_model_len=tokens,
            max_num_seqs=sampling.batch_size,
            enable_prefix_caching=True,
            trust_remote_code=False,
            generation_config="vllm",  # no sampling parameter comes from the folder
        )
        outputs = model.generate(
            [{"prompt_token_ids": ids} for ids, _ in requests],
            [vllm.SamplingParams(seed=stream_seed(sampling.seed, stream), **shared) for _, stream in requests],
            use_tqdm=False,
        )
    except (RuntimeError, ValueError, OSError) as error:
        advice = f"lower {label}.batch_size or raise resources.generate if memory is short"
        raise WorkError(f"vLLM: {type(error).__name__}: {one_line(error)}; {advice}") from None
    drawn = iter([_drawn(output.outputs[0], opened) for output in outputs])
    return [[next(drawn) for _ in prompt.streams] for prompt in prompts]


def _drawn(output: Any, opened: Folder) -> list[int]:
    """The token ids of one completion, with the token that ended it."""
    if output.finish_reason not in FINISHED:
        raise WorkError(f"vLLM: a completion ended by '{output.finish_reason}'; run the stage again")
    ids = list(output.token_ids)
    if isinstance(output.stop_reason, str):
        ids.append(opened.tokenizer.eos_token_id)
    return ids
