"""A stand-in for the package vllm: its interface, by its source, over a model that transformers reads.

What the project gives to vllm is checked as vllm checks it, and what comes back is made as vllm makes it: stop tokens
are among the token ids, the folder's generation_config adds ends unless `ignore_eos`, a stop string ends a request
when the text so far holds it, and its tokens stay.
"""

import importlib.machinery
import os
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig

GREEDY, MAX_TEMPERATURE, LEAST_TEMPERATURE = 1e-5, 2.0, 1e-2


@dataclass
class SamplingParams:
    """Of vllm/sampling_params.py: the fields that are used, and its checks."""

    n: int = 1
    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    seed: int | None = None
    stop: str | list[str] | None = None
    stop_token_ids: list[int] | None = None
    ignore_eos: bool = False
    max_tokens: int | None = 16
    detokenize: bool = True
    skip_special_tokens: bool = True
    include_stop_str_in_output: bool = False

    def __post_init__(self) -> None:
        self.stop = [self.stop] if isinstance(self.stop, str) else self.stop or []
        self.stop_token_ids = list(dict.fromkeys(self.stop_token_ids or []))
        if self.n < 1 or not 0 <= self.temperature <= MAX_TEMPERATURE or not 0 < self.top_p <= 1:
            raise ValueError(f"bad sampling parameters: {self}")
        if self.top_k < -1 or (self.max_tokens or 1) < 1 or not all(type(i) is int for i in self.stop_token_ids):
            raise ValueError(f"bad sampling parameters: {self}")
        if any(not mark for mark in self.stop) or (self.stop and not self.detokenize):
            raise ValueError("stop cannot contain an empty string, and needs detokenize")
        if self.seed == -1:
            self.seed = None
        if 0 < self.temperature < LEAST_TEMPERATURE:
            self.temperature = LEAST_TEMPERATURE


@dataclass
class CompletionOutput:
    """Of vllm/outputs.py."""

    index: int
    text: str
    token_ids: list[int]
    finish_reason: str | None
    stop_reason: int | str | None


@dataclass
class RequestOutput:
    """Of vllm/outputs.py."""

    request_id: str
    prompt_token_ids: list[int]
    outputs: list[CompletionOutput]
    finished: bool = True


@dataclass
class LLM:
    """Of vllm/entrypoints/llm.py: the arguments that are used; another is a TypeError, as there."""

    model: str
    dtype: str = "auto"
    seed: int = 0
    tensor_parallel_size: int = 1
    max_model_len: int | None = None
    max_num_seqs: int | None = None
    enable_prefix_caching: bool | None = None
    trust_remote_code: bool = False
    generation_config: str = "auto"
    requests: list[SamplingParams] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.invariant = os.environ.get("VLLM_BATCH_INVARIANT") == "1"
        self.net = AutoModelForCausalLM.from_pretrained(self.model, dtype=torch.float32).train(False)
        self.tokenizer = AutoTokenizer.from_pretrained(self.model)
        made.append(self)

    def generate(
        self, prompts: list[dict[str, Any]], sampling_params: list[SamplingParams], *, use_tqdm: bool = True
    ) -> list[RequestOutput]:
        """One output a request, in their order."""
        del use_tqdm
        if len(prompts) != len(sampling_params):
            raise ValueError("The lengths of prompts and params must be the same.")
        pairs = zip(prompts, sampling_params, strict=True)
        return [self._request(i, prompt["prompt_token_ids"], params) for i, (prompt, params) in enumerate(pairs)]

    def _request(self, number: int, prompt: list[int], params: SamplingParams) -> RequestOutput:
        self.requests.append(params)
        if len(prompt) + 1 > (self.max_model_len or 10**9):
            raise ValueError("The decoder prompt is longer than the maximum model length")
        generator = torch.Generator().manual_seed(params.seed if params.seed is not None else self.seed)
        ids: list[int] = []
        outcome: tuple[str, int | str | None] | None = None
        while outcome is None:
            with torch.inference_mode():
                logits = self.net(input_ids=torch.tensor([prompt + ids])).logits[0, -1]
            ids.append(_next(logits, params, generator))
            outcome = self._outcome(prompt, ids, params)
        text = self.tokenizer.decode(ids, skip_special_tokens=params.skip_special_tokens)
        return RequestOutput(str(number), prompt, [CompletionOutput(0, text, ids, *outcome)])

    def _outcome(
        self, prompt: list[int], ids: list[int], params: SamplingParams
    ) -> tuple[str, int | str | None] | None:
        eos, last = self.tokenizer.eos_token_id, ids[-1]
        declared: Any = []
        if not params.ignore_eos and (Path(self.model) / "generation_config.json").exists():
            declared = GenerationConfig.from_pretrained(self.model).eos_token_id or []
        if last == eos and not params.ignore_eos:
            return "stop", None
        if last in [*(params.stop_token_ids or []), *([declared] if isinstance(declared, int) else declared)]:
            return "stop", last
        text = self.tokenizer.decode(ids, skip_special_tokens=params.skip_special_tokens)
        if found := [mark for mark in params.stop or [] if mark in text]:
            return "stop", found[0]
        full = len(prompt) + len(ids) >= (self.max_model_len or 10**9)
        return ("length", None) if full or len(ids) >= (params.max_tokens or 10**9) else None


made: list[LLM] = []  # every model that was opened


def _next(logits: torch.Tensor, params: SamplingParams, generator: torch.Generator) -> int:
    if params.temperature < GREEDY:
        return int(logits.argmax())
    shares, places = (logits / params.temperature).softmax(-1).sort(descending=True)
    shares[shares.cumsum(-1) - shares >= params.top_p] = 0
    return int(places[torch.multinomial(shares, 1, generator=generator)])


def module() -> ModuleType:
    """The stand-in as a module."""
    package = ModuleType("vllm")
    package.__spec__ = importlib.machinery.ModuleSpec("vllm", None)
    package.LLM, package.SamplingParams = LLM, SamplingParams  # type: ignore[attr-defined]
    made.clear()
    return package
