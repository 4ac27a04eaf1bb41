"""Leakage: samples too much like one another or like an evaluation prompt, and prompts shared by the splits."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from tasks.curation.similarity import Comparison, Pair, Text, across, within
from tasks.formats.samples import Sample
from tasks.inputs.dataset import Prompt
from tasks.settings.curate import Curate
from tasks.text.words import tokens

SAMPLE_FIELDS = ("question", "answer")
ANSWERS = ("desired", "undesired")
PROMPT_FIELDS = ("prompt", *ANSWERS)
_LEFT_CHANGES = ("similar-prompt", "similar-split")  # rules that ask for a change of the text on the left


@dataclass(frozen=True)
class Closeness:
    """How alike the texts of a dataset are to one another and to the prompts, prompts across splits, and pairs."""

    samples: tuple[Comparison, ...]  # questions with one another, and answers
    to_prompts: Comparison  # samples (left) with prompts and their paired answers (right)
    splits: tuple[Comparison, ...]  # validation (left) with test (right), a comparison for each field
    pairs: tuple[Comparison, ...]  # of prompts with several pairs, the desired answers with one another, and undesired

    @classmethod
    def of(cls, samples: Sequence[Sample], prompts: Sequence[Prompt], rules: Curate) -> "Closeness":
        """Compares everything that may not be alike, but for texts too large to be accepted at all."""
        validation = [prompt for prompt in prompts if prompt.split == "validation"]
        test = [prompt for prompt in prompts if prompt.split == "test"]
        several = [prompt for prompt in prompts if len(prompt.pairs) > 1]
        left, right = (
            [text for text in texts if len(text.text.encode()) <= rules.max_text_bytes]
            for texts in (texts_of(samples, SAMPLE_FIELDS), texts_of(prompts, PROMPT_FIELDS))
        )
        return cls(
            tuple(within([text for text in left if text.field == field], rules.ngram) for field in SAMPLE_FIELDS),
            across(left, right, rules.ngram, passages=True, role=_role),
            across_fields(validation, test, PROMPT_FIELDS, rules),
            tuple(within(texts_of(several, (field,)), rules.ngram) for field in ANSWERS),
        )


def texts_of(entries: Iterable[Sample | Prompt], fields: Sequence[str]) -> list[Text]:
    """Some fields of samples or prompts, for comparing; an answer's field has the number of its pair."""
    return [
        Text(entry.id, name, text) for entry in entries for field in fields for name, text in _named(entry, field)
    ]


def _named(entry: Sample | Prompt, field: str) -> Iterator[tuple[str, str]]:
    if isinstance(entry, Prompt) and field in ANSWERS:
        for number, pair in enumerate(entry.pairs, 1):
            yield f"{field} {number}", getattr(pair, field)
    else:
        yield field, getattr(entry, field)


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
        ("similar-pair", closeness.pairs),
    ):
        for pair in too_close(comparisons, rules):
            if rule == "similar-pair" and pair.left.id != pair.right.id:
                continue  # two prompts may have answers that are alike
            text, other = (pair.left, pair.right) if rule in _LEFT_CHANGES else (pair.right, pair.left)
            if rule in ("similar-prompt", "similar-pair") or tokens(text.text) != tokens(other.text):
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
