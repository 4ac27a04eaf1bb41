from typing import Annotated

from pydantic import Field, PositiveFloat

from tasks.runtime.sections import Count, Fraction, Language, part, section


@part
class PromptsPerCategory:
    """Prompts that each category has in a split."""

    test: Count
    validation: Count


@section("curate")
class Curate:
    """What a dataset must satisfy before anything is trained on it."""

    language: Language  # ISO 639-1 code of the texts
    samples_per_category: Count
    prompts_per_category: PromptsPerCategory
    pairs_per_prompt: Count  # of answers, at least
    min_words: Count  # of an answer in a training sample
    max_words: int
    min_pair_words: Count  # of a desired or undesired answer
    max_pair_words: int
    pair_length_tolerance: Fraction  # |a - b| / max(a, b) of a pair, in words
    min_pair_shared: Fraction  # words that both answers of a pair hold, as a share of the longer
    max_pair_letters: PositiveFloat  # by how much the mean length of their words may differ, in letters
    max_text_bytes: Count  # of any single text
    max_similarity: Annotated[float, Field(ge=0, le=100)]  # rapidfuzz token_set_ratio from which texts are too alike
    max_ngram_overlap: Fraction  # share (0-1) of the shorter text's word n-grams also in the other
    ngram: Count
    max_median_difference: Fraction  # of control and values answers in words, as a share of the latter
    min_ks_p: Fraction  # of the Kolmogorov-Smirnov test of their lengths

    def __post_init__(self) -> None:
        for low, high in (("min_words", "max_words"), ("min_pair_words", "max_pair_words")):
            if getattr(self, low) > getattr(self, high):
                raise ValueError(f"{high}: expected at least {low}, {getattr(self, low)}")
