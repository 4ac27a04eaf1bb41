"""What a dataset must satisfy."""

from dataclasses import dataclass

from tasks.runtime.config import require_language, require_least


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
