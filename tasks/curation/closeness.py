"""Leakage: samples too much like one another or like an evaluation prompt, and prompts shared by the splits."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from tasks.curation.similarity import Comparison, Pair, Text, across, within
from tasks.formats.samples import Sample
from tasks.inputs.dataset import Prompt
from tasks.settings.curate import Curate
from tasks.text.words import tokens

SAMPLE_FIELDS = ("question", "answer")
PROMPT_FIELDS = ("prompt", "desired", "undesired")


@dataclass(frozen=True)
class Closeness:
    """How alike the texts of a dataset are to one another and to the prompts, and prompts across splits."""

    questions: Comparison  # with one another
    answers: Comparison
    to_prompts: Comparison  # samples (left) with prompts and their paired answers (right)
    splits: tuple[Comparison, ...]  # validation (left) with test (right), a comparison for each field

    @classmethod
    def of(cls, samples: Sequence[Sample], prompts: Sequence[Prompt], rules: Curate) -> "Closeness":
        """Compares everything that may not be alike, but for texts too large to be accepted at all."""
        validation = [prompt for prompt in prompts if prompt.split == "validation"]
        test = [prompt for prompt in prompts if prompt.split == "test"]
        left, right = _fit(sample_texts(samples), rules), _fit(prompt_texts(prompts), rules)
        return cls(
            within([text for text in left if text.field == "question"], rules.ngram),
            within([text for text in left if text.field == "answer"], rules.ngram),
            across(left, right, rules.ngram, passages=True, role=_role),
            tuple(
                across(prompt_texts(validation, (field,)), prompt_texts(test, (field,)), rules.ngram)
                for field in PROMPT_FIELDS
            ),
        )


def sample_texts(samples: Iterable[Sample], fields: Sequence[str] = SAMPLE_FIELDS) -> list[Text]:
    """The texts of samples, for comparing."""
    return [Text(sample.id, field, getattr(sample, field)) for sample in samples for field in fields]


def prompt_texts(prompts: Iterable[Prompt], fields: Sequence[str] = PROMPT_FIELDS) -> list[Text]:
    """The texts of prompts and their paired answers, for comparing."""
    return [Text(prompt.id, field, getattr(prompt, field)) for prompt in prompts for field in fields]


def _fit(texts: Iterable[Text], rules: Curate) -> list[Text]:
    return [text for text in texts if len(text.text.encode()) <= rules.max_text_bytes]


def closest(comparisons: Iterable[Comparison], n: int) -> list[Pair]:
    """The n most similar pairs of several comparisons, the closest first."""
    pairs = [pair for comparison in comparisons for pair in comparison.closest(n)]
    return sorted(pairs, key=_closeness, reverse=True)[:n]


def alike(closeness: Closeness, rules: Curate) -> Iterator[tuple[str, str, str]]:
    """Yields (entry to change, rule, message) for each pair of entries that is too much alike."""
    between_samples = (closeness.questions, closeness.answers)
    yield from _refusals(between_samples, rules, "similar-sample", lambda pair: (pair.right, pair.left))
    yield from _refusals((closeness.to_prompts,), rules, "similar-prompt", lambda pair: (pair.left, pair.right))
    yield from _refusals(closeness.splits, rules, "similar-split", lambda pair: (pair.left, pair.right))


def too_close(comparisons: Iterable[Comparison], rules: Curate) -> list[Pair]:
    """The pairs that reach a limit, one for each two entries; those alike word for word are duplicates."""
    worst: dict[tuple[str, str], Pair] = {}
    for comparison in comparisons:
        for pair in comparison.above(rules.max_similarity, rules.max_ngram_overlap):
            key = (pair.left.id, pair.right.id)
            if key not in worst or _closeness(pair) > _closeness(worst[key]):
                worst[key] = pair
    return list(worst.values())


def compared(pair: Pair, text: Text, other: Text, rules: Curate) -> str:
    """What is too much alike, by which measure and limit."""
    similarity = f"token set ratio {pair.similarity:.0f} (limit {rules.max_similarity:g})"
    overlap = f"{rules.ngram}-gram overlap {pair.overlap:.2f} (limit {rules.max_ngram_overlap:g})"
    return f"{text.field} is too much like {other.field} of {other.id}: {similarity}, {overlap}"


def _refusals(
    comparisons: Iterable[Comparison], rules: Curate, rule: str, order: Callable[[Pair], tuple[Text, Text]]
) -> Iterator[tuple[str, str, str]]:
    for pair in too_close(comparisons, rules):
        text, other = order(pair)
        if rule == "similar-prompt" or tokens(text.text) != tokens(other.text):
            yield text.id, rule, compared(pair, text, other, rules)


def _closeness(pair: Pair) -> float:
    return max(pair.similarity, 100 * pair.overlap)


def _role(text: Text) -> str:
    """A question is compared with prompts, and an answer with desired and undesired answers."""
    return "asks" if text.field in ("question", "prompt") else "answers"
