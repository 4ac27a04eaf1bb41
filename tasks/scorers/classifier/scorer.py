"""Scorer `classifier`: a sequence-classification model of one's own, from the hub at a pinned commit or a folder.

`toxicity.classifier.models` says what a model's labels mean as attributes. It runs batched, texts of one
length together, on a GPU where there is one, and in bf16 where the hardware computes it.
"""

import hashlib
import json
import math
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from tasks.runtime.errors import InputError, one_line
from tasks.scorers import Answer, Question, Score, Scorer
from tasks.settings.toxicity import Classifier, ClassifierModel, Toxicity
from tasks.text.chunks import cut

WEIGHTS = ("*.safetensors", "*.bin", "*.json", "*.txt", "*.model")  # what decides a model's scores, in a folder


def open_scorer(config: Toxicity) -> Scorer:
    """The backend with its settings; the model is opened only when something must be asked."""
    return ClassifierScorer(config.classifier, config.classifier.models[config.classifier.model])


class ClassifierScorer(Scorer):
    """A model and what its labels mean. Its languages are those that it was trained on."""

    name = "classifier"

    def __init__(self, config: Classifier, model: ClassifierModel) -> None:
        self.config, self.model = config, model
        self.attributes = tuple(model.labels.values())
        self.languages = model.languages

    def version(self) -> str:
        """Model and commit (or a digest of the folder), precision, and a digest of what its labels mean."""
        return self._version

    @cached_property
    def _version(self) -> str:
        meaning = json.dumps([self.model.labels, self.model.activation, self.model.max_tokens], sort_keys=True)
        if self.model.revision:
            source = f"{self.model.id}@{self.model.revision[:12]}"
        else:  # without where the folder lies: it may lie elsewhere on the next machine
            source = f"{Path(self.model.id).name}@{_digest(Path(self.model.id))}"
        return f"{source} {self._precision} {hashlib.sha256(meaning.encode()).hexdigest()[:8]}"

    @cached_property
    def _precision(self) -> str:
        from tasks.lm import devices

        exact = self.config.precision == "fp32" or not devices.has_bf16(devices.best_device())
        return "fp32" if exact else "bf16"

    def cut(self, text: str) -> list[str]:
        """Chunks within the model's tokens, cut at sentence borders."""
        return cut(text, lambda chunk: len(self._tokenizer(chunk)["input_ids"]) <= self.model.max_tokens)

    def ask(self, questions: Sequence[Question], language: str) -> Iterator[Sequence[Answer]]:
        """Answers batch by batch, the longest texts first, so that too large a batch fails at once."""
        del language
        from tasks.lm import devices

        ordered = sorted(questions, key=lambda question: len(question.text), reverse=True)
        net, indices = self._opened
        for start in range(0, len(ordered), self.config.batch_size):
            batch = ordered[start : start + self.config.batch_size]
            with devices.out_of_memory("lower toxicity.classifier.batch_size"):
                rows = self._probabilities(net, [question.text for question in batch])
            yield [
                Answer(question.text, tuple(_score(a, row[indices[a]]) for a in question.attributes))
                for question, row in zip(batch, rows, strict=True)
            ]

    def _probabilities(self, net: Any, texts: Sequence[str]) -> list[list[float]]:
        import torch

        inputs = self._tokenizer(list(texts), padding=True, return_tensors="pt").to(net.device)
        mixed = torch.autocast(net.device.type, dtype=torch.bfloat16, enabled=self._precision == "bf16")
        with torch.inference_mode(), mixed:
            logits = net(**inputs).logits.float()
        shares = logits.sigmoid() if self.model.activation == "sigmoid" else logits.softmax(-1)
        rows: list[list[float]] = shares.tolist()
        return rows

    @cached_property
    def _tokenizer(self) -> Any:
        from tasks.lm import devices

        devices.quiet()  # and before transformers, which devices sets up as it imports it
        from transformers import AutoTokenizer

        tokenizer = self._load(AutoTokenizer.from_pretrained, "tokenizer", trust_remote_code=False)
        tokenizer.model_max_length = 10**9  # texts are cut by us; its own limit would only print warnings
        return tokenizer

    @cached_property
    def _opened(self) -> tuple[Any, dict[str, int]]:
        """The model on its device, and the index of each attribute among its labels."""
        import torch

        from tasks.lm import devices, weights
        from tasks.runtime import launch

        devices.quiet()
        from transformers import AutoModelForSequenceClassification

        torch.set_num_threads(launch.threads())
        open_model = partial(weights.load, AutoModelForSequenceClassification, unused=True)
        net = self._load(open_model, "model", dtype=torch.float32, use_safetensors=True)
        known = {str(label): int(index) for index, label in net.config.id2label.items()}
        if unknown := [label for label in self.model.labels if label not in known]:
            raise InputError(
                f"params.yaml: toxicity.classifier.models: {self.model.id} has no label '{unknown[0]}'; "
                f"it has {', '.join(known)}"
            )
        self._check_length(net.config)
        indices = {attribute: known[label] for label, attribute in self.model.labels.items()}
        return net.to(devices.best_device()).train(False), indices

    def _check_length(self, config: Any) -> None:
        """Raises InputError if the model has fewer positions than the texts may have tokens."""
        positions = getattr(config, "max_position_embeddings", None) or math.inf
        if config.model_type in ("roberta", "xlm-roberta", "camembert"):  # these count from after the padding
            positions -= config.pad_token_id + 1
        if self.model.max_tokens > positions:
            raise InputError(
                f"params.yaml: toxicity.classifier.models: {self.model.id} reads {positions} tokens at most, "
                f"max_tokens is {self.model.max_tokens}"
            )

    def _load(self, opening: Callable[..., Any], what: str, **options: Any) -> Any:
        if self.model.revision is None and not Path(self.model.id).is_dir():
            raise InputError(f"{self.model.id}: no such folder; a model of the hub needs a revision")
        try:
            return opening(self.model.id, revision=self.model.revision or "main", **options)
        except (OSError, ValueError, KeyError, RuntimeError) as error:
            raise InputError(f"{self.model.id}: no {what} that can be had: {one_line(error)}") from None


def _score(attribute: str, value: float) -> Score:
    if not math.isfinite(value):
        return Score(attribute, None, "NOT_A_NUMBER", permanent=False)
    return Score(attribute, value)


def _digest(folder: Path) -> str:
    """A digest of a model folder's files; read in full, since a score is stored under it."""
    digest = hashlib.sha256()
    for path in sorted({path for pattern in WEIGHTS for path in folder.glob(pattern)}):
        with path.open("rb") as file:
            digest.update(f"{path.name}\0{hashlib.file_digest(file, 'sha256').hexdigest()}\0".encode())
    return digest.hexdigest()[:12]
