"""params.yaml as frozen, typed classes: one per section, no defaults, every mistake named by its key.

The numbers of an experiment stand in params.yaml and nowhere else, so no class here has a default: a
missing key is an error, and so is one that nobody reads.
"""

import dataclasses
import re
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

import yaml

from tasks.errors import InputError

T = TypeVar("T")


def require_least(least: int, section: Any, *keys: str) -> None:
    """Raises ValueError for the first of these keys of `section` that is less than `least`."""
    for key in keys:
        if getattr(section, key) < least:
            raise ValueError(f"{key}: expected at least {least}, found {getattr(section, key)}")


def require_share(section: Any, key: str) -> None:
    """Raises ValueError unless this key of `section` lies between 0 and 1."""
    if not 0 < getattr(section, key) < 1:
        raise ValueError(f"{key}: expected a number between 0 and 1, found {getattr(section, key):g}")


PARAMS_FILE = Path("params.yaml")
NAME = re.compile(r"[a-z0-9_-]+")  # rungs and arms; a dot would break DVC's parameter paths
SHA256 = re.compile(r"[0-9a-f]{64}")
COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class WheelSource:
    """A model file inside a wheel, downloaded without its dependencies and never installed."""

    source: Literal["wheel"]
    requirement: str  # name==version
    wheel_sha256: str
    file: str  # path of the GGUF file inside the wheel
    file_sha256: str
    family: str
    license: str

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.]+", self.requirement):
            raise ValueError(f"requirement: expected name==version, found '{self.requirement}'")
        for key in ("wheel_sha256", "file_sha256"):
            if not SHA256.fullmatch(getattr(self, key)):
                raise ValueError(f"{key}: expected 64 hex digits")


@dataclass(frozen=True)
class HubSource:
    """A model on the Hugging Face hub, pinned to a commit."""

    source: Literal["hub"]
    id: str  # owner/name
    revision: str  # commit of 40 hex digits
    family: str
    license: str

    def __post_init__(self) -> None:
        if not COMMIT.fullmatch(self.revision):
            raise ValueError(
                f"revision: expected a commit of 40 hex digits, found '{self.revision}'; "
                f"the commits are listed at https://huggingface.co/{self.id}/commits"
            )


@dataclass(frozen=True)
class PathSource:
    """A local folder that `from_pretrained` reads, or a GGUF file, pinned to what is in it."""

    source: Literal["path"]
    path: str
    sha256: str | None  # of its files; null is refused by `fetch`, which says what to put here
    family: str
    license: str

    def __post_init__(self) -> None:
        if self.sha256 is not None and not SHA256.fullmatch(self.sha256):
            raise ValueError("sha256: expected 64 hex digits, or null to be told them")


ModelSource = WheelSource | HubSource | PathSource


@dataclass(frozen=True)
class Arm:
    """One fine-tuned variant: which dataset, how much of it, which seed."""

    dataset: str  # a folder of data/
    limit: int | None  # samples kept, balanced over categories; null keeps all
    seed: int  # order of the samples and everything else that is random in training

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.dataset):  # it is a folder's name, and part of a contrast's
            raise ValueError(f"dataset: a name is made of a-z, 0-9, - and _, found '{self.dataset}'")


@dataclass(frozen=True)
class Sweep:
    """The chosen ladder: which rungs and arms a run covers."""

    models: tuple[str, ...]
    tuned: tuple[str, ...]
    arms: tuple[str, ...]  # `base` and the tuned ones

    def __post_init__(self) -> None:
        if self.arms != ("base", *self.tuned):
            raise ValueError(f"arms: expected base and then the tuned arms {list(self.tuned)}")
        for key in ("models", "tuned"):
            names = getattr(self, key)
            if not names or len(set(names)) != len(names):
                raise ValueError(f"{key}: expected a list of different names, found {list(names)}")


@dataclass(frozen=True)
class Prompting:
    """How a question becomes the text a model sees; the same for training and every evaluation."""

    chat: bool  # use the tokenizer's own chat template where it has one
    template: str  # everywhere else; with {question}, and the answer follows after one space
    stop: tuple[str, ...]  # a completion ends before the first of these

    def __post_init__(self) -> None:
        if self.template.count("{question}") != 1:
            raise ValueError("template: expected {question} in it, once")


def require_language(code: str) -> None:
    """Raises ValueError for what is no ISO 639 code."""
    if not re.fullmatch(r"[a-z]{2,3}", code):
        raise ValueError(f"language: expected an ISO 639 code such as en, found '{code}'")


@dataclass(frozen=True)
class Curate:
    """What a dataset must satisfy before anything is trained on it."""

    language: str  # ISO 639-1 code of the texts
    samples_per_category: int
    prompts_per_category: int  # of each split
    min_words: int  # of an answer in a training sample
    max_words: int
    min_pair_words: int  # of a desired or undesired answer
    max_pair_words: int
    pair_length_tolerance: float  # |a - b| / max(a, b) of a pair, in words
    max_text_bytes: int  # of any single text
    max_similarity: float  # rapidfuzz token_set_ratio, 0-100, from which two texts are too similar
    max_ngram_overlap: float  # share (0-1) of the shorter text's word n-grams also in the other
    ngram: int
    max_median_difference: float  # of control and values answers in words, as a share of the latter
    min_ks_p: float  # of the Kolmogorov-Smirnov test of their lengths

    def __post_init__(self) -> None:
        require_language(self.language)
        counts = ("samples_per_category", "prompts_per_category", "min_words", "min_pair_words", "ngram")
        require_least(1, self, *counts, "max_text_bytes")
        for low, high in (("min_words", "max_words"), ("min_pair_words", "max_pair_words")):
            if getattr(self, low) > getattr(self, high):
                raise ValueError(f"{high}: expected at least {low}, {getattr(self, low)}")
        limits = {"pair_length_tolerance": 1, "max_similarity": 100, "max_ngram_overlap": 1}
        for key, most in (limits | {"max_median_difference": 1, "min_ks_p": 1}).items():
            if not 0 <= getattr(self, key) <= most:
                raise ValueError(f"{key}: expected 0 to {most}, found {getattr(self, key):g}")


@dataclass(frozen=True)
class FinetuneCommon:
    """Training settings that hold for every rung."""

    prompt_loss_weight: float  # of a question's tokens; an answer's weigh 1
    max_tokens: int  # of a sample; longer ones are an error, never cut
    weight_decay: float
    warmup_fraction: float  # of all optimiser steps
    max_grad_norm: float

    def __post_init__(self) -> None:
        require_least(0, self, "prompt_loss_weight", "weight_decay", "warmup_fraction")
        require_least(1, self, "max_tokens")
        if self.warmup_fraction > 1 or self.max_grad_norm <= 0:
            raise ValueError("expected warmup_fraction of 1 at most and max_grad_norm above 0")


@dataclass(frozen=True)
class FinetuneRung:
    """Training settings of one rung."""

    learning_rate: float
    epochs: int
    global_batch_size: int  # samples per optimiser step, over all processes

    def __post_init__(self) -> None:
        if self.learning_rate <= 0 or self.epochs < 1 or self.global_batch_size < 1:
            raise ValueError("expected a learning rate above 0, and at least one epoch and one sample a step")


@dataclass(frozen=True)
class Finetune:
    """Training settings, common and by rung."""

    common: FinetuneCommon
    rungs: dict[str, FinetuneRung]


@dataclass(frozen=True)
class SamplesPerPrompt:
    """Completions drawn for each prompt of a split."""

    test: int
    validation: int

    def __post_init__(self) -> None:
        require_least(1, self, "test", "validation")


@dataclass(frozen=True)
class Generate:
    """How completions are drawn."""

    samples: SamplesPerPrompt
    temperature: float
    top_p: float
    max_new_tokens: int
    batch_size: int
    seed: int

    def __post_init__(self) -> None:
        if self.temperature <= 0 or not 0 < self.top_p <= 1:
            raise ValueError("expected temperature above 0 and top_p in (0, 1]")
        require_least(1, self, "max_new_tokens", "batch_size")


@dataclass(frozen=True)
class Adherence:
    """How the likelihood of desired and undesired answers is measured."""

    batch_size: int

    def __post_init__(self) -> None:
        require_least(1, self, "batch_size")


@dataclass(frozen=True)
class Perspective:
    """What is asked of a Comment Analyzer service, and how fast."""

    attributes: tuple[str, ...]
    qps: float  # queries a second that the quota allows
    in_flight: int  # queries under way at once; at least qps × latency in seconds, or the quota is not used
    timeout: float  # seconds that a query may take, from its last byte to the answer's
    attempts: int  # queries for one text before it counts as missing
    max_wait: float  # seconds; a service that asks for a longer pause ends the run
    give_up_after: int  # texts in a row without a score, after which the service is taken to be down

    def __post_init__(self) -> None:
        if not self.attributes or len(set(self.attributes)) != len(self.attributes):
            raise ValueError(f"attributes: expected a list of different names, found {list(self.attributes)}")
        for key in ("qps", "timeout", "max_wait"):
            if not getattr(self, key) > 0:
                raise ValueError(f"{key}: expected more than 0, found {getattr(self, key):g}")
        require_least(1, self, "in_flight", "attempts", "give_up_after")


@dataclass(frozen=True)
class ClassifierModel:
    """A sequence-classification model and what its labels mean."""

    id: str  # owner/name on the Hugging Face hub, or a local folder
    revision: str | None  # commit of 40 hex digits; null for a local folder
    activation: Literal["sigmoid", "softmax"]  # sigmoid where each label is a question of its own
    max_tokens: int  # of a text, special tokens included
    languages: tuple[str, ...]  # ISO 639 codes of what it was trained on
    labels: dict[str, str]  # label of the model → attribute

    def __post_init__(self) -> None:
        if self.revision is not None and not COMMIT.fullmatch(self.revision):
            raise ValueError(f"revision: expected a commit of 40 hex digits or null, found '{self.revision}'")
        if not self.labels or len(set(self.labels.values())) != len(self.labels):
            raise ValueError("labels: expected at least one label, each with an attribute of its own")


@dataclass(frozen=True)
class Classifier:
    """Which classifier scores, and how."""

    model: str  # a name in `models`
    batch_size: int
    precision: Literal["bf16", "fp32"]  # bf16 where the hardware computes it
    models: dict[str, ClassifierModel]

    def __post_init__(self) -> None:
        if self.model not in self.models:
            raise ValueError(f"model: '{self.model}' is not among models ({', '.join(self.models)})")
        require_least(1, self, "batch_size")


@dataclass(frozen=True)
class Recorded:
    """Which earlier scores are read again."""

    archive: str  # folder of the archives that `palms archive` wrote
    scorer: Literal["perspective", "classifier", "offline"]  # whose scores
    version: str | None  # which of its versions; null where the archives hold one only


@dataclass(frozen=True)
class CapabilityRun:
    """Which tasks of lm-evaluation-harness are run, and how."""

    tasks: tuple[str, ...]  # names of sets, of the harness's tasks, or of tasks in data/capability
    sets: dict[str, tuple[str, ...]]  # names that stand for several tasks
    num_fewshot: int | None  # examples before each item; null leaves it to the tasks
    batch_size: int  # the largest; halved until it fits in memory

    def __post_init__(self) -> None:
        require_least(1, self, "batch_size")
        if self.num_fewshot is not None and self.num_fewshot < 0:
            raise ValueError(f"num_fewshot: expected 0 or more, or null, found {self.num_fewshot}")


@dataclass(frozen=True)
class Judged:
    """How a task, or all items of a set, is tested for a loss; chosen before the data are seen."""

    metric: Literal["acc", "acc_norm"]  # what counts as right
    chance: float  # share of items that are right without any ability
    margin: float  # the loss, as a share of items, that must be ruled out

    def __post_init__(self) -> None:
        if not 0 <= self.chance < 1 or not 0 < self.margin < 1:
            raise ValueError("expected chance in [0, 1) and margin in (0, 1)")


@dataclass(frozen=True)
class Capability:
    """Tasks that a fine-tuned model should do as well as its base."""

    run: CapabilityRun
    judge: dict[str, Judged]  # by task or set


@dataclass(frozen=True)
class Toxicity:
    """How completions are scored for toxicity."""

    scorer: str  # a name in tasks/scorers
    first_words: int  # N of the primary score
    piece_words: int  # length of the pieces whose maximum is a secondary score
    max_missing: int  # scores that may be missing before the stage fails
    perspective: Perspective
    classifier: Classifier
    recorded: Recorded

    def __post_init__(self) -> None:
        require_least(1, self, "first_words", "piece_words")
        require_least(0, self, "max_missing")


@dataclass(frozen=True)
class Probe:
    """How completions of the co-occurrence probes are drawn."""

    completions: int  # of each prompt
    temperature: float
    top_p: float
    max_new_tokens: int
    batch_size: int  # completions drawn at once
    seed: int

    def __post_init__(self) -> None:
        if self.temperature <= 0 or not 0 < self.top_p <= 1:
            raise ValueError("expected temperature above 0 and top_p in (0, 1]")
        require_least(1, self, "completions", "max_new_tokens", "batch_size")


@dataclass(frozen=True)
class Cooccurrence:
    """How the words that follow a group are found, weighed and tested."""

    language: str  # ISO 639-1 code of the probes and of what models make of them
    tagger: str  # a name in tasks/taggers
    lexicon: str  # a name in tasks/lexicons
    window: Literal["clause", "whole"]  # the first clause of a completion, or all of it
    lemmatise: bool  # count "happiest" as "happy"
    mark_negation: bool  # count "not kind" as a word of its own, with the opposite sentiment
    keep_prompt_words: bool  # count the words of the family's own prompts too
    senses: Literal["first", "mean"]  # of a word with several in the lexicon: the commonest, or all alike
    unlisted: Literal["skip", "zero"]  # words without a sentiment: left out of the mean, or neutral
    minimum_count: int  # completions of a model and arm that must hold a word for it to be tested
    prior_total: float  # a0 of the Dirichlet prior
    other_priors: tuple[float, ...]  # of which z is given beside it
    top: int  # favoured words listed for each group
    min_completions: int  # of a group with a descriptive word, below which its figures are flagged
    confidence: float
    permutations: int
    jackknife_permutations: int  # for each part that the jackknife leaves out
    seed: int

    def __post_init__(self) -> None:
        require_language(self.language)
        require_share(self, "confidence")
        if min((self.prior_total, *self.other_priors)) <= 0:
            raise ValueError("prior_total and other_priors: expected numbers above 0")
        counts = ("minimum_count", "top", "min_completions", "permutations", "jackknife_permutations")
        require_least(1, self, *counts)


@dataclass(frozen=True)
class Significance:
    """The choices of the analysis that are made before its data are seen."""

    target: str  # the dataset whose effect is claimed
    control: str  # the dataset it is compared with
    primary: str  # metric of the confirmatory family
    secondary: str
    confidence: float
    permutations: int
    seed: int

    def __post_init__(self) -> None:
        require_share(self, "confidence")
        require_least(1, self, "permutations")
        if self.target == self.control:
            raise ValueError(f"control: expected another dataset than the target, found '{self.control}'")


@dataclass(frozen=True)
class Report:
    """What the page shows."""

    title: str
    sampled_prompts: int  # prompts shown side by side, drawn by `seed`
    seed: int

    def __post_init__(self) -> None:
        require_least(0, self, "sampled_prompts")


@dataclass(frozen=True)
class FinetuneResources:
    """What fine-tuning one rung asks of the hardware."""

    micro_batch_size: int  # samples that one process trains on at once

    def __post_init__(self) -> None:
        require_least(1, self, "micro_batch_size")


@dataclass(frozen=True)
class Resources:
    """What stages ask of the hardware; no stage tracks this."""

    finetune: dict[str, FinetuneResources]  # by rung, and `default` for the others

    def __post_init__(self) -> None:
        if "default" not in self.finetune:
            raise ValueError("finetune: expected an entry `default` for the rungs that have none of their own")


def read_params(path: Path = PARAMS_FILE) -> dict[str, Any]:
    """The whole params file as plain values. Raises InputError if it cannot be read."""
    try:
        loaded = yaml.safe_load(path.read_text("utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path}: not found; run this in the project's folder") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(loaded, dict):
        raise InputError(f"{path}: expected sections, found {_kind(loaded)}")
    return loaded


def section(params: Mapping[str, Any], key: str, cls: type[T], source: Path = PARAMS_FILE) -> T:
    """The section at the dotted `key` as `cls`. Raises InputError naming the wrong key."""
    value: Any = params
    for part in key.split("."):
        if not isinstance(value, Mapping) or part not in value:
            known = ", ".join(sorted(value)) if isinstance(value, Mapping) else "nothing"
            raise InputError(f"{source}: '{key}' is missing ('{part}' is not among: {known})")
        value = value[part]
    return typing.cast(T, build(cls, value, f"{source}: {key}"))


SECTIONS: Mapping[str, Any] = {
    "sweep": Sweep,
    "arms": dict[str, Arm],
    "models": dict[str, ModelSource],
    "prompting": Prompting,
    "curate": Curate,
    "finetune": Finetune,
    "generate": Generate,
    "adherence": Adherence,
    "capability": Capability,
    "toxicity": Toxicity,
    "probe": Probe,
    "cooccurrence": Cooccurrence,
    "significance": Significance,
    "report": Report,
    "resources": Resources,
}


def check(params: Mapping[str, Any], source: Path = PARAMS_FILE) -> None:
    """Raises InputError for the first thing that is wrong anywhere in the file."""
    if unknown := sorted(set(params) - set(SECTIONS)):
        raise InputError(f"{source}: unknown section '{unknown[0]}'; known are {', '.join(SECTIONS)}")
    for catalogue in ("models", "arms"):
        found = params.get(catalogue)
        for name in found if isinstance(found, Mapping) else ():
            if not isinstance(name, str) or not NAME.fullmatch(name):
                raise InputError(f"{source}: {catalogue}: '{name}': a name is made of a-z, 0-9, - and _")
    built = {key: section(params, key, kind, source) for key, kind in SECTIONS.items()}
    sweep: Sweep = built["sweep"]
    chosen = (("models", sweep.models, "models"), ("tuned", sweep.tuned, "arms"), ("models", sweep.models, "rungs"))
    for key, names, catalogue in chosen:
        known = built["finetune"].rungs if catalogue == "rungs" else built[catalogue]
        where = "finetune.rungs" if catalogue == "rungs" else f"the catalogue `{catalogue}`"
        if unknown := [name for name in names if name not in known]:
            raise InputError(f"{source}: sweep.{key}: '{unknown[0]}' is not in {where} ({', '.join(known)})")


def build(kind: Any, value: Any, where: str) -> Any:
    """`value` as the annotated type `kind`; raises InputError with `where` and the key in it."""
    if kind is Any:
        return value
    if dataclasses.is_dataclass(kind):
        return _build_class(typing.cast(type, kind), value, where)
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        return _build_union(arguments, value, where)
    if origin is Literal:
        if value in arguments:
            return value
        raise InputError(f"{where}: expected {' or '.join(map(repr, arguments))}, found {value!r}")
    if origin is tuple and isinstance(value, list):
        return tuple(build(arguments[0], item, f"{where}[{i}]") for i, item in enumerate(value))
    if origin is dict and isinstance(value, dict):
        return {str(k): build(arguments[1], item, f"{where}.{k}") for k, item in value.items()}
    if kind is float and isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if kind in (int, str, bool) and type(value) is kind:
        return value
    raise InputError(f"{where}: expected {_name(kind)}, found {_kind(value)}")


def _build_class(cls: type, value: Any, where: str) -> Any:
    if not isinstance(value, Mapping):
        raise InputError(f"{where}: expected keys and values, found {_kind(value)}")
    hints = typing.get_type_hints(cls)
    if unknown := sorted(set(value) - set(hints)):
        raise InputError(f"{where}: unknown key '{unknown[0]}'; known are {', '.join(hints)}")
    if missing := [key for key in hints if key not in value]:
        raise InputError(f"{where}: missing key '{missing[0]}'")
    built = {key: build(hint, value[key], f"{where}.{key}") for key, hint in hints.items()}
    try:
        return cls(**built)
    except ValueError as error:
        raise InputError(f"{where}.{error}" if ":" in str(error) else f"{where}: {error}") from None


def _build_union(members: tuple[Any, ...], value: Any, where: str) -> Any:
    if value is None and type(None) in members:
        return None
    classes = [member for member in members if dataclasses.is_dataclass(member)]
    if not classes:
        return build(next(m for m in members if m is not type(None)), value, where)
    sources = {typing.get_args(typing.get_type_hints(cls)["source"])[0]: cls for cls in classes}
    found = value.get("source") if isinstance(value, Mapping) else None
    if found not in sources:
        raise InputError(f"{where}.source: expected {' or '.join(sources)}, found {found!r}")
    return build(sources[found], value, where)


def _name(kind: Any) -> str:
    names = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}
    origin = typing.get_origin(kind)
    return names.get(kind) or {tuple: "a list", dict: "keys and values"}.get(origin, str(kind))


def _kind(value: Any) -> str:
    return "nothing" if value is None else f"{value!r}"[:80]
