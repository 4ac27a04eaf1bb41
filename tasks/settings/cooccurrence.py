"""How the words that follow a group are found and tested."""

from dataclasses import dataclass
from typing import Literal

from tasks.runtime.config import require_language, require_least, require_share


@dataclass(frozen=True)
class Cooccurrence:
    """How the words that follow a group are found, weighed and tested."""

    language: str  # ISO 639-1 code of the probes and of what models make of them
    tagger: str  # a name in tasks/bias/taggers
    lexicon: str  # a name in tasks/bias/lexicons
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
