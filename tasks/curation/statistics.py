"""What a dataset looks like in figures: counts, lengths, readability, vocabulary, and what it is close to."""

from collections.abc import Sequence
from typing import Any

from tasks.curation.closeness import Closeness, closest
from tasks.curation.similarity import Pair
from tasks.formats.samples import Sample
from tasks.inputs.dataset import Prompt
from tasks.settings.curate import Curate
from tasks.text.words import count, lix, spread, type_token_ratio

BIN_WORDS = 20  # width of a bar of the length histogram
CLOSEST = 10  # pairs listed


def statistics(
    samples: Sequence[Sample], prompts: Sequence[Prompt], rules: Curate, closeness: Closeness | None = None
) -> dict[str, Any]:
    """The figures of a dataset as plain values. `closeness` is that of these samples, if it is known already.

    `nearest_to_prompts` gives for each prompt the most similar training text: {prompt id: {similarity (token
    set ratio, 0-100), sample_id, …}}; similarity is 0 and sample_id None if no text is of about its length.
    """
    close = closeness or Closeness.of(samples, prompts, rules)
    categories = sorted({sample.category for sample in samples})
    return {
        "language": rules.language,
        "samples": len(samples),
        "total": describe(samples),
        "categories": {
            name: describe([sample for sample in samples if sample.category == name]) for name in categories
        },
        "answer_words_histogram": histogram([count(sample.answer) for sample in samples]),
        "metric": {"similarity": "rapidfuzz token_set_ratio, 0-100", "overlap_ngram": rules.ngram},
        "nearest_to_prompts": {id: _nearest(pair) for id, pair in sorted(close.to_prompts.nearest().items())},
        "closest": {
            "sample-sample": [_row(pair) for pair in closest(close.samples, CLOSEST)],
            "sample-prompt": [_row(pair) for pair in close.to_prompts.closest(CLOSEST)],
        },
    }


def describe(samples: Sequence[Sample]) -> dict[str, Any]:
    """Counts, words (min, median, max), LIX and type-token ratio of some samples."""
    questions, answers = [sample.question for sample in samples], [sample.answer for sample in samples]
    return {
        "samples": len(samples),
        "question_words": spread(questions),
        "answer_words": spread(answers),
        "answer_lix": _rounded(lix(answers), 1),
        "answer_type_token_ratio": _rounded(type_token_ratio(answers), 3),
    }


def histogram(lengths: Sequence[int]) -> list[dict[str, int]]:
    """How many texts have `from` to `to` words, without gaps between the bars."""
    bins = [length // BIN_WORDS for length in lengths]
    return [
        {"from": index * BIN_WORDS, "to": (index + 1) * BIN_WORDS - 1, "count": bins.count(index)}
        for index in (range(min(bins), max(bins) + 1) if bins else ())
    ]


def _nearest(pair: Pair) -> dict[str, Any]:
    known = pair.similarity > 0
    return {
        "similarity": round(pair.similarity, 2),
        "sample_id": pair.left.id if known else None,
        "sample_text": pair.left.field if known else None,
        "prompt_text": pair.right.field if known else None,
    }


def _row(pair: Pair) -> dict[str, Any]:
    return {
        "left": pair.left.id,
        "left_text": pair.left.field,
        "right": pair.right.id,
        "right_text": pair.right.field,
        "similarity": round(pair.similarity, 2),
        "overlap": round(pair.overlap, 3),
    }


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)
