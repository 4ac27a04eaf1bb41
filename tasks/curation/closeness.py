"""Leakage: samples too much like one another or like an evaluation prompt, and prompts shared by the splits."""

from collections.abc import Iterable, Iterator, Sequence
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

    samples: tuple[Comparison, ...]  # questions with one another, and answers
    to_prompts: Comparison  # samples (left) with prompts and their paired answers (right)
    splits: tuple[Comparison, ...]  # validation (left) with test (right), a comparison for each field

    @classmethod
    def of(cls, samples: Sequence[Sample], prompts: Sequence[Prompt], rules: Curate) -> "Closeness":
        """Compares everything that may not be alike, but for texts too large to be accepted at all."""
        validation = [prompt for prompt in prompts if prompt.split == "validation"]
        test = [prompt for prompt in prompts if prompt.split == "test"]
        left, right = (
            [text for text in texts if len(text.text.encode()) <= rules.max_text_bytes]
            for texts in (texts_of(samples, SAMPLE_FIELDS), texts_of(prompts, PROMPT_FIELDS))
        )
        return cls(
            tuple(within([text for text in left if text.field == field], rules.ngram) for field in SAMPLE_FIELDS),
            across(left, right, rules.ngram, passages=True, role=_role),
            across_fields(validation, test, PROMPT_FIELDS, rules),
        )


def texts_of(entries: Iterable[Sample | Prompt], fields: Sequence[str]) -> list[Text]:
    """Some fields of samples or prompts, for comparing."""
    return [Text(entry.id, field, getattr(entry, field)) for entry in entries for field in fields]


def across_fields(
    left: Sequence[Sample | Prompt], right: Sequence[Sample | Prompt], fields: Sequence[str], rules: Curate
) -> tuple[Comparison, ...]:
    """Compares each field of some entries with the same field of others."""
    return tuple(across(texts_of(left, (field,)), texts_of(right, (field,)), rules.ngram) for field in fields)


def closest(comparisons: Iterable[Comparison], n: int) -> list[Pair]:
    """The n most similar pairs of several comparisons, the closest first."""
    pairs = [pair for comparison in comparisons for pair in comparison.closest(n)]
    return sorted(pairs, key=_closeness, reverse=True)[:n]


def alike(closeness: Closeness, rules: Curate) -> Iterator[tuple[str, str, str]]:
    """Yields (entry to change, rule, message) for each pair of entries that is too much alike."""
    for rule, comparisons in (
        ("similar-sample", closeness.samples),
        ("similar-prompt", (closeness.to_prompts,)),
        ("similar-split", closeness.splits),
    ):
        for pair in too_close(comparisons, rules):
            text, other = (pair.right, pair.left) if rule == "similar-sample" else (pair.left, pair.right)
            if rule == "similar-prompt" or tokens(text.text) != tokens(other.text):
                yield text.id, rule, compared(pair, text, other, rules)


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


def _closeness(pair: Pair) -> float:
    return max(pair.similarity, 100 * pair.overlap)


def _role(text: Text) -> str:
    """A question is compared with prompts, and an answer with desired and undesired answers."""
    return "asks" if text.field in ("question", "prompt") else "answers"
